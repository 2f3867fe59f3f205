"""Rules about the layers of the artifacts that a run carries: whether they are there, and small enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.evidence.artifacts import (
    GB,
    GIB,
    LARGEST_LAYER_GB,
    Artifact,
    ArtifactFacts,
    Layer,
)
from shared.evidence.model import Evidence, Look
from shared.rules import repairs
from shared.rules.artifacts import artifact_facts, listed, not_told, some
from shared.rules.model import (
    Area,
    Confidence,
    Description,
    Severity,
    Step,
    Subject,
    Verdict,
    failed,
    passed,
    rule,
)
from shared.rules.words import run_words, sentence

_FAILED: Final = frozenset({Look.FAILED_RUN})
_OVER: Final = frozenset({Look.FAILED_RUN, Look.SUCCEEDED_RUN})


@rule(
    *("ACRT604", "foreign-layers"),
    area=Area.ARTIFACTS,
    severity=Severity.MEDIUM,
    subject=Subject.RUN,
    step=Step.ARTIFACTS,
    looks=_OVER,
    causes=False,
)
def foreign_layers(evidence: Evidence) -> Verdict:
    """Every layer of the artifacts is in the registry itself.

    What it checks: layers whose manifest entry has ``urls``, which means that their content may be fetched from
    elsewhere, and whether the registry holds that content too.

    Why it matters: such layers (Windows base images of some age, typically) are left out when an image is pushed.
    The transfer works, and a pull in an isolated environment then tries to reach ``mcr.microsoft.com``.

    How we know: from each manifest, and by asking the registry for the layer. A layer that was pushed afterwards
    keeps its ``urls``, so the manifest alone proves nothing.

    How to fix: on a machine that reaches both, allow Docker to push such layers to this registry, then pull and push
    the image, and export it again.

    What can make it wrong: an isolated environment that does reach the named address.

    References: Azure Container Registry FAQ, on pushing non-distributable layers; Docker, "dockerd", on
    ``allow-nondistributable-artifacts``; ACR Transfer troubleshooting, on physically isolated environments.
    """
    facts = artifact_facts(evidence)
    if isinstance(facts, Verdict):
        return facts
    absent = [(artifact, layer) for artifact, layer in _layers(facts) if layer.urls and layer.in_registry is False]
    if absent:
        return failed(
            artifacts=list(dict.fromkeys(artifact.reference for artifact, _ in absent)),
            layers=[layer.digest for _, layer in absent],
        )
    for artifact in facts.artifacts:
        if artifact.found is None or artifact.unavailable is not None:
            return not_told(evidence, artifact)
        open_layer = next((layer for layer in artifact.layers if layer.urls and layer.in_registry is None), None)
        if open_layer is not None:
            return not_told(evidence, artifact, open_layer.unavailable)
    return passed()


def _layers(facts: ArtifactFacts) -> list[tuple[Artifact, Layer]]:
    return [(artifact, layer) for artifact in facts.artifacts for layer in artifact.layers]


@foreign_layers.described_by
def _foreign_layers(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    artifacts = listed(facts, "artifacts")
    host = repairs.login_server(evidence) or "the registry's host"
    return Description(
        f"{sentence(some(artifacts) if artifacts else 'some artifacts')} of {run_words(evidence)} "
        f"{'has' if len(artifacts) == 1 else 'have'} layers whose content is not in the registry, so pulling fails "
        "where their origin can't be reached.",
        f'Add "allow-nondistributable-artifacts": ["{host}"] to the daemon.json of a Docker that reaches the origin, '
        "restart it, pull the image there, push it to the registry, then export it again.",
        verify_command=repairs.show_manifest(
            evidence, repairs.with_tag(artifacts[0]) if artifacts else "", "layers[?urls].{digest:digest, urls:urls}"
        ),
    )


@rule(
    *("ACRT605", "layer-too-large"),
    area=Area.ARTIFACTS,
    severity=Severity.HIGH,
    subject=Subject.RUN,
    step=Step.ARTIFACTS,
    looks=_FAILED,
)
def layer_too_large(evidence: Evidence) -> Verdict:
    """No layer of the artifacts is larger than a transfer can carry.

    What it checks: the size of every layer against 8 GB. Whether the service means 8,000,000,000 bytes or 8 GiB is
    not written down: between the two the verdict is only possible.

    Why it matters: one layer that is too large fails the run, or with ``ContinueOnErrors`` its artifact.

    How we know: from the sizes in the manifests.

    How to fix: build the image so that no layer is that large: copy large files in several steps. Or bring the
    artifact over by other means.

    What can make it wrong: a limit that the service has raised.

    References: ACR Transfer prerequisites, on limits.
    """
    facts = artifact_facts(evidence)
    if isinstance(facts, Verdict):
        return facts
    over = [(a.reference, layer) for a, layer in _layers(facts) if layer.size > LARGEST_LAYER_GB * GB]
    if over:
        reference, layer = max(over, key=lambda one: one[1].size)
        sure = layer.size > LARGEST_LAYER_GB * GIB
        return failed(
            confidence=Confidence.CONFIRMED if sure else Confidence.POSSIBLE,
            artifact=reference,
            layer=layer.digest,
            size=layer.size,
            artifacts=list(dict.fromkeys(name for name, _ in over)),
        )
    open_one = next((a for a in facts.artifacts if a.found is None or a.unavailable is not None), None)
    return not_told(evidence, open_one) if open_one else passed()


@layer_too_large.described_by
def _layer_too_large(evidence: Evidence, facts: Mapping[str, object]) -> Description:
    artifact, size = facts.get("artifact"), facts.get("size")
    which = f"artifact '{artifact}'" if artifact else "an artifact"
    large = f" of {size / GIB:.1f} GiB ({facts.get('layer')})" if isinstance(size, int) else " that is too large"
    return Description(
        f"{sentence(run_words(evidence))} was to carry {which}, which has a layer{large}; a transfer carries layers of "
        f"up to {LARGEST_LAYER_GB} GB.",
        "Build the image so that its large files are spread over several layers, or bring it over by other means; "
        "export the other artifacts without it.",
        verify_command=repairs.show_manifest(
            evidence, repairs.with_tag(str(artifact)) if artifact else "", "layers[].{digest:digest, size:size}"
        ),
    )
