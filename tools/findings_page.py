"""The page docs/findings.md: what a finding means to who reads it, and every column."""

from __future__ import annotations

from typing import Final

from shared.findings.columns import columns

_INTRODUCTION: Final = """\
# What the findings mean

A finding is one rule's verdict on one thing: a run, a pipeline, a blob, or the monitor itself. It is one row of the
table `AcrTransferFindings_CL`, in Log Analytics as in the embedded store of a laptop. Read it in this order: `Summary`
says what is wrong and names the resources, `Recommendation` what to do, `FixCommand` is to be pasted, `VerifyCommand`
shows that it worked, `HelpUri` leads to [the rule's page](rules/README.md).

## Is it bad?

| `Outcome` | means |
|---|---|
| `Fail` | broken now |
| `Warn` | not broken yet, or no cause by itself |
| `Pass` | checked, and well; written only where that is worth a row |
| `Unknown` | **could not be checked**, which is never fine. `ACRT901` names the right or network path that is missing |

| `Severity` | means |
|---|---|
| `Critical` | no rule uses it yet |
| `High` | a transfer has failed, or the next one will |
| `Medium` | something is lost, late, or will break in days |
| `Low` | worth knowing; no alert, and no exit code of the command line |
| `Info` | a statement, such as a run that succeeded or the heartbeat |

## Is it still so?

| `State` | means |
|---|---|
| `Open` | as far as the monitor knows, still so |
| `Resolved` | a later look found it gone: a run succeeded, the blob was imported or removed, the fault is repaired |
| `Muted` | still so, and accepted until a date; the reason is in `Evidence` ([mutes](operate.md#mutes)) |
| `Info` | never open: it says something and waits for nothing |

## Is it the cause?

| `Role` | means |
|---|---|
| `RootCause` | why the run failed. Every failed run has exactly one; `ACRT199` where the cause is not known |
| `Contributing` | also wrong, but not what broke the run first, or it only follows from another finding |
| `Observation` | all else: the run itself, and what was found without a failed run |

Where several things are wrong, the cause is what the run's message names, then the first step that fails in the
order in which a transfer takes them: pipeline and identity, vault, token, network, container, blob, artifacts.

| `Confidence` | rests on |
|---|---|
| `Confirmed` | a live check that saw it |
| `Likely` | the error's text, or settings and dates that speak for it |
| `Possible` | nothing that excludes it; never published as an alert |

## One condition, many occurrences

Ten runs that fail on one dead token are ten occurrences of one condition.

| key | is the same for |
|---|---|
| `FindingId` | one occurrence. An event, its redelivery and the sweep that came by as well write the same one |
| `FindingKey` | one condition, a rule and its subject, until it is resolved. People are told once per condition |

Rows are only ever added; the newest one counts. What is wrong now, and how often it was seen:

```kusto
AcrTransferFindings_CL
| summarize arg_max(TimeGenerated, *), Occurrences = dcount(FindingId) by FindingKey
| where State == "Open"
```

An alert goes out once for each condition that is `Open`, `Fail` or `Warn`, of severity `Medium` or higher and not only
`Possible`; of a failed run for its root cause alone. `ACRT901` is told of once it has lasted for an hour. When the
condition is resolved, that is published, too.

## Columns

Empty means not known, or that it does not apply. The list stands in `shared/findings/columns.json` alone: the code, the
table, the stream and this page are made from it.
"""


def findings_page() -> str:
    """The page without its note of origin."""
    lines = ["| column | type | meaning |", "|---|---|---|"]
    lines += [f"| `{column.name}` | {column.type} | {column.description} |" for column in columns()]
    return "\n".join([_INTRODUCTION, *lines]) + "\n"
