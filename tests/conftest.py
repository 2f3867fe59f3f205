"""The local cloud for every test that wants one: one Azurite for the session, a fresh world for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from localcloud import Azurite, LocalCloud


@pytest.fixture(scope="session")
async def azurite() -> AsyncIterator[Azurite]:
    async with Azurite.start() as running:
        yield running


@pytest.fixture
async def cloud(azurite: Azurite) -> AsyncIterator[LocalCloud]:
    async with LocalCloud.start(azurite) as running:
        yield running
