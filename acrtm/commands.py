"""The commands that look: arguments read, a monitor made, the answer printed."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from acrtm import looks
from acrtm.answering import answering
from acrtm.exits import ExitCode, WrongUsage
from acrtm.kept import KeptFindings
from acrtm.learnt import learnt_of_gone
from acrtm.looked import Looked
from acrtm.mended import resolve_kept
from acrtm.output import Writer
from acrtm.problems import NoSuchBlob
from acrtm.sweeping import sweep as look_at_everything
from acrtm.terminal import clean, console
from acrtm.waiting import end_waiting
from embedded import EmbeddedStore
from shared.addresses import AddressProblem, BadAddress, BlobAddress, read_blob_address
from shared.monitor import Monitor
from shared.resource_ids import ResourceId, parse_pipeline_id, parse_registry_id, parse_run_id
from shared.settings import Settings, read_settings

Look = Callable[[Monitor, KeptFindings], Awaitable[Looked]]


def diagnose(run_id: str, *, output: str, keep: bool) -> int:
    """``acrtm diagnose``."""
    with answering(output) as out:
        parsed = _resource(parse_run_id, run_id, "a pipeline run", "pipelineRuns")
        return _look(out, read_settings(os.environ, required=False), keep, lambda m, _: looks.diagnose_run(m, parsed))


def check_pipeline(pipeline_id: str, *, output: str, keep: bool) -> int:
    """``acrtm check-pipeline``."""
    with answering(output) as out:
        parsed = _resource(parse_pipeline_id, pipeline_id, "an export or import pipeline", "importPipelines")
        settings = read_settings(os.environ, required=False)
        return _look(out, settings, keep, lambda m, _: looks.check_pipeline(m, parsed))


def check_blob(blob_url: str, *, registries: Sequence[str], output: str, keep: bool) -> int:
    """``acrtm check-blob``."""
    with answering(output) as out:
        settings = read_settings(os.environ, required=False)
        address = _blob(blob_url, settings)
        if registries:
            ids = [str(_resource(parse_registry_id, item, "a registry", "")) for item in registries]
            settings = replace(settings, registries=tuple(dict.fromkeys(ids)), subscriptions=())
        known = bool(settings.registries or settings.subscriptions)
        return _look(out, settings, keep, lambda m, _: looks.check_blob(m, address, registries_known=known))


def sweep(*, output: str, keep: bool) -> int:
    """``acrtm sweep``."""
    with answering(output) as out:
        settings = read_settings(os.environ, required=False)
        if not (settings.registries or settings.subscriptions):
            raise WrongUsage(
                "No registry is named: MONITORED_REGISTRIES is not set.",
                "Set it to resource ids of registries, separated by commas, or to a whole subscription:",
                "export MONITORED_REGISTRIES=/subscriptions/$(az account show --query id --output tsv)",
            )
        return _look(out, settings, keep, look_at_everything)


def _look(out: Writer, settings: Settings, keep: bool, look: Look) -> int:
    # The SDK's warnings say the same as the errors, in more words and with more detail than is to be shown.
    logging.getLogger().addHandler(logging.NullHandler())
    log = KeptFindings(EmbeddedStore.open() if keep else None)
    looked, resolved = asyncio.run(_looked(settings, log, look))
    end_waiting()
    out.looked(looked)
    code = looked.exit_code
    if log.problem:
        console(stderr=True).print(f"The findings could not be kept: {clean(log.problem)}", soft_wrap=True)
        return int(code or ExitCode.FAILED)
    if resolved and out.name == "table":
        console(stderr=True).print(_resolved_words(resolved), style="dim", soft_wrap=True)
    if log.place and looked.findings and out.name == "table":
        console(stderr=True).print(
            f"Kept in {clean(log.place)}. To see all of it: acrtm view", style="dim", soft_wrap=True
        )
    return int(code)


async def _looked(settings: Settings, log: KeptFindings, look: Look) -> tuple[Looked, int]:
    """What was found, and how much of what was kept as open is over."""
    async with looks.watching(settings, log) as monitor:
        try:
            looked = await look(monitor, log)
        except NoSuchBlob as error:
            await resolve_kept(monitor, log, learnt_of_gone(error.address))
            raise
        return looked, await resolve_kept(monitor, log, looked.learnt)


def _resolved_words(count: int) -> str:
    said = "1 finding is over, and is" if count == 1 else f"{count} findings are over, and are"
    return f"Of what was kept as Open, {said} kept as Resolved now."


def _resource(parse: Callable[[str], ResourceId], text: str, what: str, kind: str) -> ResourceId:
    try:
        return parse(text)
    except ValueError as error:
        child = f"/{kind}/NAME" if kind else ""
        raise WrongUsage(
            f"'{text[:200]}' is not the resource id of {what}: {error}.",
            "It looks like this:",
            "/subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.ContainerRegistry/registries/REGISTRY" + child,
        ) from None


def _blob(url: str, settings: Settings) -> BlobAddress:
    address = read_blob_address(url, settings.cloud)
    if not isinstance(address, BadAddress):
        return address
    suffix = settings.cloud.storage_dns_suffix
    remedy = "It looks like this:"
    if address.problem is AddressProblem.WRONG_CLOUD:
        remedy = f"AZURE_CLOUD is {settings.cloud.name}; set it to the cloud of the account. There it looks like this:"
    raise WrongUsage(
        f"'{address.text}' is no URL of a blob: {address.problem}.",
        remedy,
        f"https://ACCOUNT.blob.{suffix}/CONTAINER/NAME",
    )
