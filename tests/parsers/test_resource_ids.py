"""Resource ids: read without regard to case, refused with a reason, and nothing else."""

from __future__ import annotations

import contextlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.resource_ids import (
    ResourceId,
    parse_pipeline_id,
    parse_registry_id,
    parse_resource_id,
    parse_run_id,
)
from tests.parsers.texts import HOSTILE, TEXTS, takes_linear_time

NAMES = st.text(string.ascii_letters + string.digits + "-_.()&=", min_size=1, max_size=20).filter(
    lambda name: name not in {".", ".."}
)
PARSERS = (parse_resource_id, parse_run_id, parse_pipeline_id, parse_registry_id)


@st.composite
def ids(draw: st.DrawFn) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    kinds = draw(st.lists(NAMES, min_size=1, max_size=3))
    names = draw(st.lists(NAMES, min_size=len(kinds), max_size=len(kinds)))
    subscriptions, groups, providers = (
        draw(st.sampled_from((word, word.lower(), word.upper())))
        for word in ("subscriptions", "resourceGroups", "providers")
    )
    path = "/".join(part for pair in zip(kinds, names, strict=True) for part in pair)
    text = f"/{subscriptions}/{draw(NAMES)}/{groups}/{draw(NAMES)}/{providers}/{draw(NAMES)}/{path}"
    return text, tuple(kinds), tuple(names)


@given(ids())
def test_an_id_keeps_its_names_and_is_the_same_in_lower_case(
    given_id: tuple[str, tuple[str, ...], tuple[str, ...]],
) -> None:
    text, kinds, names = given_id
    parsed = parse_resource_id(text)
    assert parsed.names == names
    assert parsed.types == tuple(kind.lower() for kind in kinds)
    assert parsed.name == names[-1]
    assert str(parsed) == text.lower()
    assert str(parse_resource_id(str(parsed))) == str(parsed)
    assert str(parsed).startswith(str(parsed.parent))
    assert parse_resource_id(f" {text}/ ") == parsed


@given(TEXTS)
def test_any_text_is_an_id_or_a_value_error(text: str) -> None:
    for parse in PARSERS:
        with contextlib.suppress(ValueError):
            parsed = parse(text)
            assert isinstance(parsed, ResourceId)
            assert all(parsed.names)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/subscriptions/s/resourceGroups/g",
        "/subscriptions/s/resourceGroups/g/providers/ns/type",
        "/subscriptions/s/resourceGroups/g/providers/ns/type/name/more",
        "/subscriptions/s/groups/g/providers/ns/type/name",
        "/subscriptions/s/resourceGroups/../providers/ns/type/name",
        "/subscriptions/s/resourceGroups/g/providers/ns/type/na me",
        "/subscriptions/s/resourceGroups/g/providers/ns/type/name?sv=1&sig=c2VjcmV0",
        "/subscriptions/s/resourceGroups/g/providers/ns/type/name%2F..",
        "/subscriptions/s/resourceGroups/g/providers/ns/type\\name/x",
    ],
)
def test_what_is_no_id_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|holds no") as refused:
        parse_resource_id(text)
    assert "c2VjcmV0" not in f"{refused.value!r}"


REGISTRY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/contoso"


@pytest.mark.parametrize(
    ("parse", "text", "kind"),
    [
        (parse_registry_id, REGISTRY, "registries"),
        (parse_run_id, f"{REGISTRY}/pipelineRuns/inward_0a1b", "pipelineruns"),
        (parse_pipeline_id, f"{REGISTRY}/exportPipelines/outward", "exportpipelines"),
        (parse_pipeline_id, f"{REGISTRY}/importPipelines/inward", "importpipelines"),
    ],
)
def test_each_kind_is_told_from_the_others(parse: object, text: str, kind: str) -> None:
    for other in PARSERS[1:]:
        if other is parse:
            assert other(text).types[-1] == kind
        else:
            with pytest.raises(ValueError, match="expected the resource id of"):
                other(text)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_reading_takes_linear_time(text: str) -> None:
    takes_linear_time(parse_resource_id, text, ValueError)
    takes_linear_time(parse_run_id, f"{REGISTRY}/pipelineRuns/{text}", ValueError)
