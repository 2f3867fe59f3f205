"""The local cloud for every test that wants one: one Azurite for the session, a fresh world for each test.

What each test wrote is searched for the secrets that its cloud has issued, see ``tests/leaks.py``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from typing import Any, Final

import pytest
from hypothesis import settings

from localcloud import Azurite, LocalCloud
from tests.leaks import SecretsSeen, sections_of, written_by_the_product

# How long an example takes depends on what else the machine does, and is no property of the code.
settings.register_profile("project", deadline=None)
settings.load_profile("project")

_LONGEST: Final = ("tests/test_demo.py", "tests/prove/", "tests/browser/")
_SEEN: Final = pytest.StashKey[SecretsSeen]()
_LEAKS: Final = pytest.StashKey[list[str]]()
_SEARCHED: Final = pytest.StashKey[int]()


@pytest.fixture(scope="session")
async def azurite() -> AsyncIterator[Azurite]:
    async with Azurite.start() as running:
        yield running


@pytest.fixture
async def cloud(azurite: Azurite, request: pytest.FixtureRequest) -> AsyncIterator[LocalCloud]:
    seen = request.config.stash[_SEEN]
    async with LocalCloud.start(azurite) as running:
        yield running
        issued = SecretsSeen()
        issued.add(running.issued_secrets)
        seen.add(running.issued_secrets)
        leaked = issued.found_in(await written_by_the_product(running))
    assert not leaked, f"the product wrote secrets: {leaked}"


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_SEEN] = SecretsSeen()
    config.stash[_LEAKS] = []
    config.stash[_SEARCHED] = 0


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, so that no worker waits at the end for a long test of another one's."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONGEST))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    seen = item.config.stash[_SEEN]
    if call.when == "teardown" and report.passed:
        leaked = [secret for text in sections_of(report) for secret in seen.found_in(text)]
        if leaked:
            item.config.stash[_LEAKS].append(f"{item.nodeid}: {leaked}")
            report.outcome, report.longrepr = "failed", f"the test printed or logged secrets: {leaked}"
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    output = getattr(config, "workeroutput", None)
    if output is not None:
        # A worker of pytest-xdist: the main process says it.
        output["secrets"], output["leaks"] = len(config.stash[_SEEN].secrets), config.stash[_LEAKS]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Gathers what a worker of pytest-xdist has found."""
    output = getattr(node, "workeroutput", {})
    node.config.stash[_SEARCHED] += int(output.get("secrets", 0))
    node.config.stash[_LEAKS] += output.get("leaks", [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    searched = len(config.stash[_SEEN].secrets) + config.stash[_SEARCHED]
    leaks = config.stash[_LEAKS]
    if searched:
        terminalreporter.line(f"searched what was written for {searched} secrets: {len(leaks)} tests leaked")
    for leak in leaks:
        terminalreporter.line(f"LEAKED {leak}", red=True)
