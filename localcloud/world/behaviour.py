"""What public sources leave open about the service, as switches, so that either answer can be tried."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class MessageStyle(StrEnum):
    """How much of the refusal a failed run's message keeps."""

    DETAILED = "detailed"
    """The whole .NET exception: status, error code, additional information, content."""
    PLAIN = "plain"
    """As in the one real message that is public: the status and the reason phrase."""
    BARE = "bare"
    """``403 Forbidden``, from nobody knows where."""


PIPELINE_API_VERSIONS = [
    "2019-12-01-preview",
    "2020-11-01-preview",
    "2021-06-01-preview",
    "2021-08-01-preview",
    "2021-12-01-preview",
    "2022-02-01-preview",
    "2023-01-01-preview",
    "2023-06-01-preview",
    "2023-08-01-preview",
    "2023-11-01-preview",
    "2024-11-01-preview",
    "2025-03-01-preview",
    "2025-05-01-preview",
    "2025-06-01-preview",
    "2025-12-01-preview",
    "2026-01-01-preview",
    "2026-03-01-preview",
    "2026-09-01-preview",
]
REGISTRY_API_VERSIONS = [
    "2019-05-01",
    "2021-09-01",
    "2022-12-01",
    "2023-07-01",
    "2025-04-01",
    "2025-11-01",
    *PIPELINE_API_VERSIONS,
]
MANAGED_IDENTITY_SINCE = "2025-06-01-preview"


@dataclass(slots=True)
class Behaviour:
    message_style: MessageStyle = MessageStyle.DETAILED
    pipeline_api_versions: list[str] = field(default_factory=lambda: list(PIPELINE_API_VERSIONS))
    registry_api_versions: list[str] = field(default_factory=lambda: list(REGISTRY_API_VERSIONS))
    unknown_version_code: str = "NoRegisteredProviderFound"
    """Or ``InvalidApiVersionParameter``, or ``InvalidResourceType``."""
    page_size: int = 20
    existing_blob_fails_export: bool = True
    """Otherwise the export leaves the blob alone and says that it succeeded."""
    existing_tag_fails_import: bool = True
    lists_exported_artifacts: bool = True
    rejects_invalid_requests: bool = False
    """More than 50 artifacts are refused by the PUT, and leave no run."""
    retries_failed_sources: bool = False
    """The source trigger takes a blob up again as long as its import fails."""
    activity_log_delay: timedelta = timedelta(0)
    redirects_layers: bool = False
    """A registry leads to its storage for a layer instead of answering itself."""
    raises_events_twice: bool = False
    """Each event is delivered a second time, as "at least once" allows."""
