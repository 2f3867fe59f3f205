"""Where the monitor writes, and the tokens it needs: its state, the ingestion of logs, the alert topic."""

from __future__ import annotations

import shlex
import uuid
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlsplit

from acrtm.doctor.advice import failed, grant, reason_of
from acrtm.doctor.checks import Check, Ending, ending_of
from acrtm.problems import IDENTITY, not_logged_in
from shared.azure.failures import asking
from shared.errors import NotStored, ServiceError
from shared.evidence.lookups import utc_now
from shared.findings.builder import Occasion, TriggeredBy
from shared.findings.finding import Finding
from shared.monitor import Monitor
from shared.rules.monitor import EITHER, way_is_closed
from shared.settings import SasInspection, Settings
from shared.sinks.alerts import Alert, AlertKind, AlertTopic
from shared.sinks.logs import LogsIngestion
from shared.sinks.state_store import BlobStateStore, StateStore
from shared.times import iso

TOKENS: Final = "Tokens"
EVENTS: Final = "Events"
STATE: Final = "State"
FINDINGS: Final = "Findings"
ALERTS: Final = "Alerts"
_SEND: Final = "acrtm doctor --send-test"
_NOT_SET: Final = "not set, so it can't be tried"


async def examine_tokens(monitor: Monitor) -> AsyncIterator[Check]:
    """A token for each audience that the settings make necessary."""
    for name, scope in _scopes(monitor.settings).items():
        try:
            async with asking(IDENTITY, scope):
                await monitor.azure.connection.credential.get_token(scope)
        except ServiceError as error:
            problem = not_logged_in(error.detail)
            yield Check(TOKENS, name, Ending.WRONG, problem.what, problem.remedy, problem.command)
        else:
            yield Check(TOKENS, name, Ending.WELL, scope)


def _scopes(settings: Settings) -> dict[str, str]:
    cloud = settings.cloud
    scopes = {"Azure Resource Manager": cloud.arm_scope, "Storage": cloud.storage_scope}
    if settings.logs_ingestion_endpoint:
        scopes["Logs ingestion"] = cloud.monitor_scope
    if settings.alert_topic_endpoint:
        scopes["Event Grid"] = cloud.eventgrid_scope
    if settings.sas_inspection is SasInspection.VALUE:
        scopes["Key Vault"] = cloud.key_vault_scope
    return scopes


async def examine_state(monitor: Monitor) -> AsyncIterator[Check]:
    """A record of our own is written, read and removed: all that the state store ever does."""
    url = monitor.settings.state_container_url
    if not url:
        yield Check(STATE, "Container", Ending.UNKNOWN, f"STATE_CONTAINER_URL is {_NOT_SET}")
        return
    try:
        await _write_and_remove(BlobStateStore(monitor.azure.connection, url), f"doctor/{uuid.uuid4()}.json")
    except NotStored as error:
        yield _not_stored(monitor, STATE, url, error, "Storage Blob Data Contributor", _container_scope(url))
    else:
        yield Check(STATE, url, Ending.WELL, "a record was written, read and removed")


async def _write_and_remove(store: StateStore, key: str) -> None:
    etag = await store.create(key, {"written": iso(utc_now())})
    stored = await store.read(key)
    if etag is None or stored is None or not await store.delete(key, stored.etag):
        raise NotStored("the monitor's state does not keep what is written: a record was gone or changed at once")


async def examine_ingestion(monitor: Monitor, *, send: bool) -> AsyncIterator[Check]:
    """With ``send``, a test finding; Logs Ingestion has no request that tries a right and writes nothing."""
    settings = monitor.settings
    if not (settings.logs_ingestion_endpoint and settings.logs_dcr_immutable_id):
        missing = "LOGS_DCR_IMMUTABLE_ID" if settings.logs_ingestion_endpoint else "LOGS_INGESTION_ENDPOINT"
        yield Check(FINDINGS, "Logs ingestion", Ending.UNKNOWN, f"{missing} is {_NOT_SET}")
        return
    name = settings.logs_ingestion_endpoint
    if not send:
        yield Check(FINDINGS, name, Ending.LEFT_OUT, "whether rows are accepted is only seen by sending one", "", _SEND)
        return
    finding = finding_of_test(monitor)
    try:
        await LogsIngestion(monitor.azure.connection, settings).write([finding])
    except NotStored as error:
        wanted = f"[?immutableId=='{settings.logs_dcr_immutable_id}'].id | [0]"
        scope = f'"$(az monitor data-collection rule list --query "{wanted}" --output tsv)"'
        yield _not_stored(monitor, FINDINGS, name, error, "Monitoring Metrics Publisher", scope)
    else:
        table = settings.logs_stream_name.removeprefix("Custom-")
        words = "a test finding was accepted; the first row of a new table can take 15 minutes to be seen"
        yield Check(FINDINGS, name, Ending.WELL, words, "", f"{table} | where FindingId == '{finding.finding_id}'")


async def examine_topic(monitor: Monitor, *, send: bool) -> AsyncIterator[Check]:
    """With ``send``, a test alert that opens and resolves, so that nothing stays open at its receivers."""
    endpoint = monitor.settings.alert_topic_endpoint
    if not endpoint:
        yield Check(ALERTS, "Event Grid topic", Ending.LEFT_OUT, "ALERT_TOPIC_ENDPOINT is not set: no topic is used")
        return
    if not send:
        yield Check(
            ALERTS, endpoint, Ending.LEFT_OUT, "whether alerts are accepted is only seen by sending one", "", _SEND
        )
        return
    row = finding_of_test(monitor).row
    alerts = [Alert(AlertKind.OPENED, row), Alert(AlertKind.RESOLVED, {**row, "State": "Resolved"})]
    try:
        await AlertTopic(monitor.azure.connection, endpoint).publish(alerts)
    except NotStored as error:
        scope = f'"$(az eventgrid topic list --query "[?endpoint==\'{endpoint}\'].id | [0]" --output tsv)"'
        yield _not_stored(monitor, ALERTS, endpoint, error, "EventGrid Data Sender", scope)
    else:
        yield Check(ALERTS, endpoint, Ending.WELL, "a test alert was accepted, and its resolution")


async def examine_queue(monitor: Monitor) -> AsyncIterator[Check]:
    """The queue of events is the host's, not the monitor's: what is not looked at is said, with how to look."""
    queue = monitor.settings.event_queue
    if not queue:
        return
    words = (
        "whether Event Grid writes into it and the app takes messages out is not looked at: it lies in the host's "
        "storage account, which only the host knows"
    )
    remedy = (
        "Messages that stay for more than some minutes are not taken; those in the other queue were given up. "
        "The app needs Storage Queue Data Contributor (--identity examines it), each topic Storage Queue Data "
        "Message Sender."
    )
    for name in (queue, f"{queue}-poison"):
        command = (
            f"az storage message peek --account-name ACCOUNT --queue-name {name} --num-messages 32 --auth-mode login"
        )
        yield Check(EVENTS, f"Queue {name}", Ending.LEFT_OUT, words, remedy, command)


def finding_of_test(monitor: Monitor) -> Finding:
    """A finding that says of itself that it is a test."""
    return monitor.statement("ACRT904", iso(utc_now()) or "", Occasion(TriggeredBy.CLI), {})


def _not_stored(monitor: Monitor, area: str, name: str, error: NotStored, role: str, scope: str) -> Check:
    reason = reason_of(error)
    if reason is None:
        return Check(area, name, Ending.UNKNOWN, str(error), "Run the doctor again in some minutes.")
    check = failed(monitor, area, name, reason)
    if reason.status not in {401, 403} or way_is_closed(str(reason)):
        return check
    # The target is an endpoint and no resource id: the id has to be looked up where the command runs.
    remedy = (
        f"Give the monitor's identity the role {role}: {EITHER}. A new assignment can take half an hour to have effect."
    )
    return Check(area, name, ending_of(reason), check.words, remedy, grant(monitor, role, scope))


def _container_scope(url: str) -> str:
    parts = urlsplit(url)
    account, container = (parts.hostname or "").partition(".")[0], parts.path.strip("/")
    found = f"$(az storage account show --name {shlex.quote(account)} --query id --output tsv)"
    return f'"{found}/blobServices/default/containers/{container}"'
