"""Diagnoses per second of one process without any I/O: a message, a token and every rule of a failed run."""

from __future__ import annotations

import base64
import itertools
import os
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.diagnosis.diagnose import diagnose_run
from shared.evidence.message import read_message
from shared.evidence.model import Evidence
from shared.records.transfer import Direction
from shared.sas_token import parse_sas_token
from tests.rules.builders import after_run

COUNT: Final = 4_000
WANTED: Final = 2_000

_MESSAGES: Final = (
    (
        "Failed to access storage.  Service request failed.  Status: 403 (This request is not authorized to perform "
        "this operation)\nRequestId:{0}"
    ),
    (
        "Service request failed.\nStatus: 403 (This request is not authorized to perform this operation using this "
        "permission.)\nErrorCode: AuthorizationPermissionMismatch\n\nHeaders:\nx-ms-request-id: {0}"
    ),
    (
        "Failed to access storage. AuthenticationErrorDetail: Signature not valid in the specified time frame: Start "
        "[Mon, 01 Jun 2026 10:00:00 GMT] - Expiry [Tue, 02 Jun 2026 10:00:00 GMT] - Current [Wed, 03 Jun 2026 10:00:00 "
        "GMT] {0}"
    ),
    (
        "Failed to access key vault. The user, group or application 'appid={0};oid={0};iss=https://sts.windows.net/' "
        "does not have secrets get permission on key vault 'contosovault;location=eastus'."
    ),
    "403 Forbidden {0}",
    'MANIFEST_UNKNOWN: manifest tagged by "v1" is not found {0}',
    "something that nobody has seen before {0}",
)


def measure() -> float:
    """Diagnoses per second. Every message and every token is another one, so that nothing is remembered."""
    cases = [_case(number, message) for number, message in zip(range(COUNT), itertools.cycle(_MESSAGES), strict=False)]
    healthy = after_run(Direction.EXPORT)
    began = time.perf_counter()
    for message, token in cases:
        diagnose_run(_evidence(healthy, message, token))
    return COUNT / (time.perf_counter() - began)


def _case(number: int, message: str) -> tuple[str, str]:
    end = datetime.now(UTC) + timedelta(days=number % 40 - 10)
    signature = base64.b64encode(os.urandom(32)).decode().replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    token = f"?sv=2024-11-04&sr=c&sp=rl&se={end:%Y-%m-%dT%H:%M:%SZ}&spr=https&sig={signature}"
    return message.format(f"{number:08x}-0000-4000-8000-000000000000"), token


def _evidence(healthy: Evidence, message: str, token: str) -> Evidence:
    return replace(healthy, message=read_message(message), sas=parse_sas_token(token))


if __name__ == "__main__":
    print(f"{measure():.0f} diagnoses per second")
