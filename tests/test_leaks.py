"""The search for secrets: it finds each one wherever it stands, or a leak would pass."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.leaks import SecretsSeen, text_of

ROOT = Path(__file__).resolve().parent.parent
SECRET = "c2lnbmF0dXJlIG9mIGEgdG9rZW4"
SECRETS = st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), min_size=12, max_size=90)


@given(st.lists(SECRETS, min_size=1, max_size=5), st.text(), st.text())
def test_a_secret_is_found_in_the_middle_of_anything(secrets: list[str], before: str, after: str) -> None:
    seen = SecretsSeen()
    seen.add(secrets)
    for secret in secrets:
        assert f"{secret[:6]}…" in seen.found_in(before + secret + after)


@given(st.lists(SECRETS, max_size=5), st.text(max_size=300))
def test_nothing_is_found_that_is_not_there(secrets: list[str], text: str) -> None:
    seen = SecretsSeen()
    seen.add(secrets)
    assert seen.found_in(text) == [f"{one[:6]}…" for one in sorted(set(secrets)) if one in text]


def test_what_is_too_short_to_be_told_from_other_text_is_left_out() -> None:
    seen = SecretsSeen()
    seen.add(["short"])
    assert seen.secrets == set()


def test_of_a_store_the_rows_are_read(tmp_path: Path) -> None:
    path = tmp_path / "findings.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("SET force_compression = 'zstd'")
        connection.execute("CREATE TABLE one (number BIGINT)")
        connection.execute("CREATE TABLE other (said VARCHAR)")
        connection.execute("INSERT INTO other SELECT 'it is ' || ? || i FROM range(1000) r(i)", [SECRET])
    assert SECRET.encode() not in path.read_bytes(), "it is compressed"
    assert SECRET in text_of(path)


@pytest.mark.parametrize(
    ("way", "workers"),
    [
        ("print(SECRET)", []),
        ("logging.getLogger('x').debug(SECRET)", []),
        ("print(SECRET)", ["--numprocesses", "1"]),
        ("print('nothing')", []),
    ],
)
def test_whoever_prints_or_logs_a_secret_fails(tmp_path: Path, way: str, workers: list[str]) -> None:
    text = f"""
        import logging
        from tests import conftest
        SECRET = {SECRET!r}
        def test_it(request):
            request.config.stash[conftest._SEEN].add([SECRET])
            {way}
        """
    (tmp_path / "test_it.py").write_text(textwrap.dedent(text), "utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nlog_level = DEBUG\n", "utf-8")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", *workers, "test_it.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    leaks = "nothing" not in way
    assert ended.returncode == int(leaks), ended.stdout
    assert ("LEAKED test_it.py::test_it" in ended.stdout) == leaks
    assert ("1 error" in ended.stdout) == leaks, "it is the test that fails"
