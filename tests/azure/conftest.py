"""The readers as the function app makes them, over the local cloud."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from localcloud import LocalCloud
from shared.azure.readers import Azure
from shared.settings import read_settings


@pytest.fixture
async def azure(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Azure]:
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.setenv(name, cloud.environment[name])
    azure = Azure(read_settings(cloud.environment), cloud.client_session)
    yield azure
    await azure.close()
