"""``infra/events.bicep`` against the code: who is told of what, and what the functions make of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest

from shared.events import (
    BLOB_CREATED,
    COMMIT_OPERATIONS,
    PIPELINE_WRITE_OPERATIONS,
    RUN_WRITE_OPERATION,
    Foreign,
    WriteResult,
    as_blob_arrived,
    as_pipeline_rejected,
    as_run_written,
    read_event,
)
from tests.infra.planning import Planned, Scope, outputs, plan, role_of
from tools.bicep import read

ROOT: Final = Path(__file__).parents[2]
EVENTS: Final = ROOT / "infra" / "events.bicep"
SUBSCRIPTION: Final = "0f0f0f0f-0000-4000-8000-000000000001"
OTHER: Final = "0f0f0f0f-0000-4000-8000-000000000002"
HERE: Final = Scope(SUBSCRIPTION, "monitor")
STORAGE_BLOB_DATA_CONTRIBUTOR: Final = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
STORAGE_QUEUE_DATA_MESSAGE_SENDER: Final = "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a"


def registry(name: str, group: str = "transfer", subscription: str = SUBSCRIPTION) -> str:
    return (
        f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{name}"
    )


def container(name: str, account: str = "contosoimport", subscription: str = SUBSCRIPTION) -> str:
    group = f"/subscriptions/{subscription}/resourceGroups/Transfer"
    return f"{group}/providers/Microsoft.Storage/storageAccounts/{account}/blobServices/default/containers/{name}"


def given(**parameters: Any) -> dict[str, Any]:
    return {
        "functionAppName": "func-monitor",
        "deadLetterAccountName": "stmonitor",
        "deadLetterContainerName": "dead-letters",
        "registryIds": [registry("contosohub")],
        "containerIds": [container("transfer")],
        **parameters,
    }


def planned(**parameters: Any) -> list[Planned]:
    return plan(EVENTS, given(**parameters), HERE)


def of_type(resources: list[Planned], kind: str) -> list[Planned]:
    return [resource for resource in resources if resource.type.casefold().endswith(kind.casefold())]


def subscriptions(resources: list[Planned], function: str) -> list[Planned]:
    """The event subscriptions that tell a function."""
    return [
        resource
        for resource in of_type(resources, "/eventSubscriptions")
        if resource.body["properties"]["destination"]["properties"]["resourceId"].endswith(f"/{function}")
    ]


# --- what passes the filters, and what the functions take ---------------------------------------------------


def passes(subscription: Planned, event: dict[str, Any]) -> bool:
    """Whether Event Grid delivers an event, by its documented rules: types, subject, and every advanced filter."""
    wanted = subscription.body["properties"]["filter"]
    types = {name.lower() for name in wanted["includedEventTypes"]}
    if event["eventType"].lower() not in types:
        return False
    if not event["subject"].lower().startswith(wanted.get("subjectBeginsWith", "").lower()):
        return False
    for advanced in wanted["advancedFilters"]:
        assert advanced["operatorType"] == "StringIn"
        value = event
        for part in advanced["key"].split("."):
            value = value.get(part, "")
        if str(value).lower() not in {accepted.lower() for accepted in advanced["values"]}:
            return False
    return True


RESOURCE_EVENTS: Final = [
    f"Microsoft.Resources.Resource{verb}{result}"
    for verb, result in product(("Write", "Delete", "Action"), ("Success", "Failure", "Cancel"))
]
OPERATIONS: Final = [
    RUN_WRITE_OPERATION,
    *sorted(PIPELINE_WRITE_OPERATIONS),
    "Microsoft.ContainerRegistry/registries/write",
    "Microsoft.ContainerRegistry/registries/pipelineRuns/delete",
    "Microsoft.Resources/deployments/write",
    "",
]


def arm_events() -> Iterator[dict[str, Any]]:
    subjects = {
        "pipelineruns": "pipelineRuns/run1",
        "exportpipelines": "exportPipelines/p",
        "importpipelines": "importPipelines/p",
    }
    for kind, operation in product(RESOURCE_EVENTS, OPERATIONS):
        child = next((path for word, path in subjects.items() if f"/{word}/" in operation.lower()), "")
        yield {
            "id": "1",
            "topic": f"/subscriptions/{SUBSCRIPTION}",
            "subject": f"{registry('contosohub')}/{child}".rstrip("/"),
            "eventType": kind,
            "eventTime": "2026-11-23T10:00:00Z",
            "data": {"operationName": operation},
        }


def is_taken(event: dict[str, Any]) -> bool:
    """Whether ``pipeline_run_completed`` does anything about it."""
    read_in = read_event(event)
    return as_pipeline_rejected(read_in) is not None or not isinstance(as_run_written(read_in), Foreign)


@pytest.mark.parametrize("form", ["Own", "Extension"])
def test_every_run_event_that_the_function_takes_is_delivered(form: str) -> None:
    [told] = subscriptions(planned(form=form), "pipeline_run_completed")
    events = list(arm_events())
    assert sum(is_taken(event) for event in events) == 5
    for event in events:
        if is_taken(event):
            assert passes(told, event), event
        elif passes(told, event):
            # Pipelines that were written, and not rejected: rare, and acknowledged without a look.
            assert event["data"]["operationName"].lower() in PIPELINE_WRITE_OPERATIONS
            assert event["eventType"] != WriteResult.FAILURE


def blob_event(api: str, name: str, kind: str = BLOB_CREATED) -> dict[str, Any]:
    account, _, rest = container(name).partition("/blobServices")
    assert rest
    return {
        "id": "1",
        "topic": account,
        "subject": f"/blobServices/default/containers/{name}/blobs/a.tar",
        "eventType": kind,
        "eventTime": "2026-11-23T10:00:00Z",
        "data": {"api": api},
    }


@pytest.mark.parametrize("form", ["Own", "Extension"])
@pytest.mark.parametrize(
    "api", ["PutBlob", "PutBlockList", "CopyBlob", "FlushWithClose", "SftpCommit", "CreateFile", "SftpCreate"]
)
def test_blob_events_are_delivered_when_the_blob_is_whole(form: str, api: str) -> None:
    [told] = subscriptions(planned(form=form), "transfer_blob_created")
    event = blob_event(api, "transfer")
    assert (
        passes(told, event)
        == (not isinstance(as_blob_arrived(read_event(event)), Foreign))
        == (api.lower() in COMMIT_OPERATIONS)
    )
    assert not passes(told, blob_event(api, "transfer", "Microsoft.Storage.BlobDeleted"))


def test_a_container_is_not_taken_for_another_whose_name_begins_alike() -> None:
    resources = planned(containerIds=[container("in"), container("in-old")])
    told = subscriptions(resources, "transfer_blob_created")
    assert [[passes(one, blob_event("PutBlob", name)) for name in ("in", "in-old")] for one in told] == [
        [True, False],
        [False, True],
    ]
    assert len({one.name for one in told}) == 2


def test_names_of_subscriptions_fit_whatever_the_container_is_called() -> None:
    names = ["abc", "x" * 63, "x" * 62 + "y"]
    told = subscriptions(planned(containerIds=[container(name) for name in names]), "transfer_blob_created")
    assert len({one.name for one in told}) == 3
    assert all(3 <= len(one.name) <= 64 for one in told)


# --- how it is delivered ------------------------------------------------------------------------------------


def functions() -> dict[str, str]:
    """The functions of ``function_app.py`` with their triggers."""
    module = ast.parse((ROOT / "function_app.py").read_text("utf-8"))
    return {
        node.name: decorator.func.attr
        for node in module.body
        if isinstance(node, ast.AsyncFunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute)
    }


def test_the_functions_that_are_told_are_the_ones_that_there_are() -> None:
    told = {
        str(one.body["name"]) for one in read(EVENTS).resources.values() if one.type == "Microsoft.Web/sites/functions"
    }
    assert told == {name for name, trigger in functions().items() if trigger == "event_grid_trigger"}
    app = f"{HERE.id}/providers/Microsoft.Web/sites/func-monitor/functions"
    destinations = {
        one.body["properties"]["destination"]["properties"]["resourceId"]
        for one in of_type(planned(), "/eventSubscriptions")
    }
    assert destinations == {f"{app}/{name}" for name in told}


QUEUE: Final = {"delivery": "queue", "eventQueueName": "transfer-events"}


def test_a_queue_gets_the_same_events_with_the_identity_of_the_topic() -> None:
    pushed, queued = planned(), planned(**QUEUE)
    letters = f"{HERE.id}/providers/Microsoft.Storage/storageAccounts/stmonitor"
    told = of_type(queued, "/eventSubscriptions")
    assert [one.id for one in told] == [one.id for one in of_type(pushed, "/eventSubscriptions")]
    for one, other in zip(told, of_type(pushed, "/eventSubscriptions"), strict=True):
        properties, elsewhere = dict(one.body["properties"]), dict(other.body["properties"])
        # Event Grid takes one of the two.
        assert elsewhere.pop("deliveryWithResourceIdentity") is None
        assert properties.pop("destination") is None
        delivery = properties.pop("deliveryWithResourceIdentity")
        assert elsewhere.pop("destination")
        assert properties == elsewhere, "filters, schema, retries and dead letters are the same"
        assert delivery["identity"] == {"type": "SystemAssigned"}
        assert delivery["destination"]["endpointType"] == "StorageQueue"
        queue = delivery["destination"]["properties"]
        assert (queue["resourceId"], queue["queueName"]) == (letters, "transfer-events")
        # Longer than the host tries a message, and longer than the service's own seven days.
        assert queue["queueMessageTimeToLiveInSeconds"] > 7 * 86_400
    topics = of_type(queued, "/systemTopics")
    senders = [one for one in of_type(queued, "/roleAssignments") if role_of(one) == STORAGE_QUEUE_DATA_MESSAGE_SENDER]
    assert {one.scope for one in senders} == {f"{letters}/queueServices/default/queues/transfer-events"}
    assert {one.body["properties"]["principalId"] for one in senders} == {f"identity of {one.id}" for one in topics}
    others = [one.id for one in of_type(queued, "/roleAssignments") if one not in senders]
    assert others == [one.id for one in of_type(pushed, "/roleAssignments")]


@pytest.mark.parametrize("identity", ["", "11111111-0000-4000-8000-000000000000"])
def test_an_existing_topic_gets_the_right_on_the_queue_where_its_identity_is_known(identity: str) -> None:
    account = container("x").partition("/blobServices")[0]
    source = {"sourceId": account, "form": "Existing", "topicName": "theirs", "topicPrincipalId": identity}
    resources = planned(sources=[source], **QUEUE)
    holders = {
        one.body["properties"]["principalId"]
        for one in of_type(resources, "/roleAssignments")
        if role_of(one) == STORAGE_QUEUE_DATA_MESSAGE_SENDER
    }
    assert (identity in holders) == bool(identity)
    assert len(of_type(resources, "/eventSubscriptions")) == 2


@pytest.mark.parametrize("form", ["Own", "Extension"])
def test_event_grid_tries_one_event_at_a_time_for_a_day(form: str) -> None:
    told = of_type(planned(form=form), "/eventSubscriptions")
    assert len(told) == 2
    for one in told:
        properties = one.body["properties"]
        assert properties["destination"]["endpointType"] == "AzureFunction"
        assert properties["destination"]["properties"]["maxEventsPerBatch"] == 1
        assert properties["retryPolicy"] == {"eventTimeToLiveInMinutes": 1440, "maxDeliveryAttempts": 30}
        assert properties["eventDeliverySchema"] == "EventGridSchema"


def test_own_topics_lie_beside_their_sources_and_dead_letter_with_their_identity() -> None:
    resources = planned()
    runs, blobs = of_type(resources, "/systemTopics")
    group = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/transfer"
    account = container("x").partition("/blobServices")[0].lower()
    assert (runs.scope.lower(), blobs.scope.lower()) == (group, group)
    assert runs.body["location"] == "global"
    assert runs.body["properties"]["source"].lower() == group
    assert runs.body["properties"]["topicType"] == "Microsoft.Resources.ResourceGroups"
    assert blobs.body["location"].lower() == f"location of {account}"
    assert blobs.body["properties"]["source"].lower() == account
    assert blobs.body["properties"]["topicType"] == "Microsoft.Storage.StorageAccounts"
    letters = (
        f"{HERE.id}/providers/Microsoft.Storage/storageAccounts/stmonitor/blobServices/default/containers/dead-letters"
    )
    roles = of_type(resources, "/roleAssignments")
    assert {one.scope for one in roles} == {letters}
    assert {role_of(one) for one in roles} == {STORAGE_BLOB_DATA_CONTRIBUTOR}
    assert {one.body["properties"]["principalId"] for one in roles} == {
        f"identity of {topic.id}" for topic in (runs, blobs)
    }
    for one in of_type(resources, "/eventSubscriptions"):
        kept = one.body["properties"]["deadLetterWithResourceIdentity"]
        assert kept["identity"] == {"type": "SystemAssigned"}
        assert kept["deadLetterDestination"]["properties"] == {
            "resourceId": letters.partition("/blobServices")[0],
            "blobContainerName": "dead-letters",
        }
    alerts = of_type(resources, "/metricAlerts")
    assert {scope for one in alerts for scope in one.body["properties"]["scopes"]} == {runs.id, blobs.id}


def test_the_extension_form_makes_no_topic_and_has_no_dead_letters() -> None:
    resources = planned(form="Extension")
    assert {one.type for one in resources} == {"Microsoft.EventGrid/eventSubscriptions"}
    runs, blobs = resources
    assert runs.scope.lower() == f"/subscriptions/{SUBSCRIPTION}/resourcegroups/transfer"
    assert blobs.scope.lower() == container("x").partition("/blobServices")[0].lower()
    assert not any("deadLetter" in name for one in resources for name in one.body["properties"])


@pytest.mark.parametrize("identity", ["", "11111111-0000-4000-8000-000000000000"])
def test_a_topic_that_is_there_already_is_taken(identity: str) -> None:
    account = container("x").partition("/blobServices")[0]
    source = {"sourceId": account, "form": "Existing", "topicName": "theirs"}
    resources = planned(sources=[source | ({"topicPrincipalId": identity} if identity else {})])
    assert len(of_type(resources, "/systemTopics")) == 1, "only the one of the resource group"
    [told] = subscriptions(resources, "transfer_blob_created")
    assert (
        told.scope.lower()
        == f"/subscriptions/{SUBSCRIPTION}/resourcegroups/transfer/providers/microsoft.eventgrid/systemtopics/theirs"
    )
    assert (told.body["properties"]["deadLetterWithResourceIdentity"] is not None) == bool(identity)
    holders = {one.body["properties"]["principalId"] for one in of_type(resources, "/roleAssignments")}
    assert (identity in holders) == bool(identity)
    assert len(holders) == 1 + bool(identity)


# --- several of each ----------------------------------------------------------------------------------------


def test_a_resource_group_has_one_topic_however_many_registries_lie_in_it() -> None:
    resources = planned(registryIds=[registry("a"), registry("b").upper(), f" {registry('c')} "], containerIds=[""])
    assert len(of_type(resources, "/systemTopics")) == 1
    assert len(subscriptions(resources, "pipeline_run_completed")) == 1


def test_sources_may_lie_in_other_subscriptions() -> None:
    registries = [registry("a"), registry("b", "edge", OTHER)]
    containers = [container("one"), container("two"), container("one", "contosoexport", OTHER)]
    resources = planned(registryIds=registries, containerIds=containers)
    topics = of_type(resources, "/systemTopics")
    assert sorted(topic.id.split("/")[2] for topic in topics) == [SUBSCRIPTION, SUBSCRIPTION, OTHER, OTHER]
    assert len({topic.name for topic in topics}) == 4
    assert len(subscriptions(resources, "transfer_blob_created")) == 3
    assert {one.scope.split("/")[2] for one in of_type(resources, "/roleAssignments")} == {SUBSCRIPTION}


def test_a_whole_subscription_raises_no_events_here() -> None:
    resources = planned(registryIds=[f"/subscriptions/{SUBSCRIPTION}"], containerIds=[])
    assert resources == []


def test_a_source_that_is_not_in_the_lists_is_named() -> None:
    account = container("x").partition("/blobServices")[0]
    known, misspelt = ({"sourceId": place, "form": "Extension"} for place in (account, f"{account}x"))
    said = outputs(EVENTS, given(sources=[known, misspelt]), HERE)
    assert said["EVENT_SOURCES_UNKNOWN"] == [f"{account}x"]
    assert said["EVENT_SOURCES_BLOBS"] == [account.lower()]
