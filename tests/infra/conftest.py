"""Findings of the product's own handlers, once for all tests that ask them."""

from __future__ import annotations

import pytest

from embedded import EmbeddedStore
from localcloud import Azurite
from tools.shown_findings import write_shown_findings


@pytest.fixture(scope="session")
async def shown(azurite: Azurite) -> EmbeddedStore:
    """The middle of a working day: some runs failed, blobs wait, a token expires, something is muted."""
    store = EmbeddedStore.open(":memory:")
    await write_shown_findings(store, azurite)
    return store
