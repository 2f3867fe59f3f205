"""No secret leaves the process in a log record or an exception, whoever wrote it."""

from __future__ import annotations

import base64
import io
import logging
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import log_redaction
from shared.errors import AlreadyInProgress, MonitorError, NotStored, TransientError, Unreachable
from shared.log_redaction import UnexpectedError, errors_without_secrets, installed, without_secrets
from shared.redaction import redact
from shared.settings import Mute, Settings

ROOT: Final = Path(__file__).parents[2]
# In the alphabet of URLs, so that each way to write it holds it whole.
SIGNATURES: Final = st.binary(min_size=33, max_size=33).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
SPELT: Final = (
    "https://store.blob.core.windows.net/c?sv=1&sig={}",
    "AccountKey={};EndpointSuffix=core.windows.net",
    "Authorization: Bearer {}",
    "SharedAccessSignature={}",
)


class Said:
    """A logger of the test's own, and what its handler wrote."""

    def __init__(self) -> None:
        self._stream = io.StringIO()
        handler = logging.StreamHandler(self._stream)
        handler.setFormatter(logging.Formatter("%(message)s"))
        self.log = logging.getLogger("tests.said")
        self.log.propagate = False
        self.log.handlers = [handler]

    @property
    def text(self) -> str:
        return self._stream.getvalue()


@pytest.fixture(autouse=True)
def net() -> Iterator[None]:
    with installed():
        yield


def raised(make: Callable[[], Exception], cause: Exception | None = None) -> Exception:
    """An exception with a traceback, and another one behind it."""
    try:
        if cause is None:
            raise make()
        try:
            raise cause
        except Exception as behind:
            raise make() from behind
    except Exception as error:  # noqa: BLE001 - any
        return error


def log_in_one_text(log: logging.Logger, text: str) -> None:
    log.error(text)


def log_as_argument(log: logging.Logger, text: str) -> None:
    log.error("%s of %d", text, 1)


def log_split(log: logging.Logger, text: str) -> None:
    log.error(text[: text.index("=") + 1] + "%s" if "=" in text else "%s", text.partition("=")[2] or text)


def log_by_name(log: logging.Logger, text: str) -> None:
    log.error("%(what)s", {"what": text})


def log_within_another(log: logging.Logger, text: str) -> None:
    log.error("%s %r", [text], {"url": text})


def log_an_exception(log: logging.Logger, text: str) -> None:
    log.error("failed", exc_info=raised(lambda: ValueError(text), OSError(text)))


def log_an_exception_as_message(log: logging.Logger, text: str) -> None:
    log.error(ValueError(text))


@given(
    SIGNATURES,
    st.sampled_from(SPELT),
    st.sampled_from(
        [
            log_in_one_text,
            log_as_argument,
            log_split,
            log_by_name,
            log_within_another,
            log_an_exception,
            log_an_exception_as_message,
        ]
    ),
)
def test_no_record_holds_a_secret(secret: str, around: str, write: Callable[[logging.Logger, str], None]) -> None:
    said = Said()
    write(said.log, around.format(secret))
    assert said.text
    assert secret not in said.text
    assert secret[:14] not in said.text


@given(st.text(), st.text(), st.integers())
def test_what_is_no_secret_is_logged_as_it_is(text: str, other: str, number: int) -> None:
    if redact(f"{text} {other}") != f"{text} {other}":
        return
    said = Said()
    said.log.error("%s %d %s", text, number, other)
    said.log.error(text)
    assert said.text == f"{text} {number} {other}\n{text}\n"


def test_a_record_without_secrets_keeps_its_exception_and_arguments() -> None:
    error = raised(lambda: KeyError("name"))
    record = logging.getLogRecordFactory()(
        "n", logging.ERROR, "f", 1, "%s: %d", ("a", 1), (type(error), error, error.__traceback__)
    )
    assert record.args == ("a", 1)
    assert record.exc_info is not None
    assert record.exc_info[1] is error


def test_the_stack_is_redacted() -> None:
    record = logging.getLogRecordFactory()("n", 40, "f", 1, "m", (), None, None, "Stack: get('?sv=1&sig=abcdef')")
    assert record.stack_info == "Stack: get('?sv=1&sig=[redacted]')"


def test_arguments_that_do_not_fit_are_no_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    secret = "abc" * 10
    Said().log.error(f"%d of ?sig={secret}", f"?sig={secret}", {"u": f"?sig={secret}"})
    told = capsys.readouterr().err
    assert "Logging error" in told
    assert secret not in told


class Wrapped:
    """An object whose text is somebody else's."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text


def kept_records(said: Said) -> list[logging.LogRecord]:
    """The records themselves, as an exporter of telemetry gets them."""
    seen: list[logging.LogRecord] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record)

    said.log.addHandler(Keeping())
    return seen


@given(SIGNATURES, st.sampled_from(SPELT))
def test_no_extra_field_holds_a_secret(secret: str, around: str) -> None:
    text = around.format(secret)
    said = Said()
    seen = kept_records(said)
    extra = {
        "url": text,
        "nested": {"urls": [text, {text: (1, text)}], "count": 2},
        "object": Wrapped(text),
        "error": ValueError(text),
        "raw": text.encode(),
        "plain": {"run": "transfer01", "seconds": 1.5, "none": None},
    }
    said.log.error("asked", extra=extra)
    logging.LoggerAdapter(said.log, {"where": text}).error("asked again")
    for record in seen:
        assert secret not in f"{vars(record)} {[str(value) for value in vars(record).values()]}"
    assert vars(seen[0])["plain"] == extra["plain"]


def test_an_extra_field_without_secrets_stays_the_object_that_it_is() -> None:
    said = Said()
    seen = kept_records(said)
    thing = Wrapped("harmless")
    said.log.error("asked", extra={"thing": thing})
    assert vars(seen[0])["thing"] is thing
    assert seen[0].getMessage() == "asked"


def test_it_is_installed_once_and_taken_back() -> None:
    inside, maker = logging.getLogRecordFactory(), logging.Logger.makeRecord
    log_redaction.install()
    assert logging.getLogRecordFactory() is inside
    assert logging.Logger.makeRecord is maker
    with installed():
        assert logging.getLogRecordFactory() is inside
        assert logging.Logger.makeRecord is maker
    assert isinstance(inside, log_redaction.RedactingFactory)


@pytest.mark.parametrize(
    "name", ["azure.core.pipeline.policies.http_logging_policy", "azure.identity", "aiohttp.client", "aiohttp.access"]
)
def test_http_logging_is_quiet(name: str) -> None:
    assert logging.getLogger(name).getEffectiveLevel() >= logging.WARNING


# --- exceptions ---------------------------------------------------------------------------------------------


class Stubborn(Exception):
    """Like azure-core's: its text is not its arguments."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def __str__(self) -> str:
        return self.text


MAKERS: Final[tuple[Callable[[str], Exception], ...]] = (
    NotStored,
    AlreadyInProgress,
    lambda text: Unreachable("Storage", text, text, status=503, code="Busy"),
    ValueError,
    KeyError,
    Stubborn,
    lambda text: ExceptionGroup("several", [ValueError(text)]),
    lambda text: OSError(5, text),
)


@given(SIGNATURES, st.sampled_from(SPELT), st.sampled_from(MAKERS), st.booleans(), st.booleans())
def test_no_exception_leaves_a_handler_with_a_secret(
    secret: str, around: str, make: Callable[[str], Exception], behind: bool, noted: bool
) -> None:
    text = around.format(secret)
    error = raised(lambda: make("harmless" if behind else text), ValueError(text) if behind else None)
    if noted:
        error.add_note(text)
    with pytest.raises(Exception) as caught, errors_without_secrets():  # noqa: PT011 - whatever it is
        raise error
    told = "".join([*traceback.format_exception(caught.value), str(caught.value), repr(caught.value)])
    assert secret not in told
    assert secret not in str(vars(caught.value))
    expected = type(error) if isinstance(error, MonitorError) else UnexpectedError
    assert type(caught.value) is expected
    assert isinstance(caught.value, TransientError) == isinstance(error, TransientError)
    assert "raised" in told, "where it was raised can still be read"
    if caught.value is not error:
        assert caught.value.__suppress_context__
        assert caught.value.__cause__ is None


def test_what_a_service_error_says_besides_is_kept() -> None:
    error = Unreachable("Storage", "store/c", "?sig=abcdefgh", status=503, code="ServerBusy", right="read")
    clean = without_secrets(error)
    assert isinstance(clean, Unreachable)
    assert (clean.service, clean.target, clean.status, clean.code) == ("Storage", "store/c", 503, "ServerBusy")
    assert clean.detail == "?sig=[redacted]"


def test_an_exception_without_secrets_leaves_as_it_is() -> None:
    error = raised(lambda: NotStored("findings were not stored"), OSError("connection reset"))
    with pytest.raises(NotStored) as caught, errors_without_secrets():
        raise error
    assert caught.value is error
    assert isinstance(caught.value.__cause__, OSError)


# --- settings and the app -----------------------------------------------------------------------------------


def test_settings_are_never_printed_whole() -> None:
    fields: dict[str, Any] = {
        "registries": ("/subscriptions/s/resourcegroups/hidden",),
        "logs_ingestion_endpoint": "https://hidden.ingest.monitor.azure.com",
        "state_container_url": "https://hidden.blob.core.windows.net/state",
        "client_id": "hidden",
    }
    settings = Settings(**fields)
    mute = Mute("", "hidden", "", "", None, "hidden")  # type: ignore[arg-type]
    settings = replace(settings, mutes=(mute,))
    shown = f"{settings} {settings!r} {[settings]}"
    assert "hidden" not in shown
    assert "registries=1" in shown
    assert "cloud=AzureCloud" in shown


def test_the_function_app_installs_it_as_it_starts() -> None:
    script = (
        "import asyncio, logging, traceback\n"
        "import function_app\n"
        "logging.getLogger('any').warning('url %s', 'https://a/?sv=1&sig=abcdefgh')\n"
        "print(repr(function_app.settings))\n"
        "class Event:\n"
        "    def __getattr__(self, name): raise ValueError('event ?sv=1&sig=' + 'abcdefgh'[::-1])\n"
        "for door in (function_app.pipeline_run_completed, function_app.transfer_blob_created):\n"
        "    try: asyncio.run(door.build().get_user_function()(Event()))\n"
        "    except Exception as error: print(''.join(traceback.format_exception(error)))\n"
    )
    required = {
        "MONITORED_REGISTRIES": "/subscriptions/0f0f0f0f-0000-4000-8000-000000000001",
        "LOGS_INGESTION_ENDPOINT": "https://hidden.ingest.monitor.azure.com",
        "LOGS_DCR_IMMUTABLE_ID": "dcr-0",
        "STATE_CONTAINER_URL": "https://hidden.blob.core.windows.net/state",
    }
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, **required},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stderr.strip() == "url https://a/?sv=1&sig=[redacted]"
    assert "hidden" not in ended.stdout
    assert ended.stdout.count("UnexpectedError: ValueError: event ?sv=1&sig=[redacted]") == 2
    assert "hgfedcba" not in ended.stdout
