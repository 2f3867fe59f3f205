"""The fourth tab: tokens and secrets that end, and whatever else is wrong with vaults and identities."""

from __future__ import annotations

from tools.workbook import columns
from tools.workbook.blocks import Block, grid, query, text
from tools.workbook.finding import finding_details
from tools.workbook.queries import query_text


def credentials() -> list[Block]:
    """The items of the tab."""
    return [text("credentials", _ABOUT), _expiring(), _credential_findings(), finding_details("CredentialFinding")]


_ABOUT = (
    "What is known of a SAS token depends on the setting `SAS_INSPECTION`: with `value` its own dates, with `metadata` "
    "those of its secret, with `none` nothing. A token that isn't listed here may still end: `secret-expiry-unset` "
    "names those that can't be watched."
)


def _expiring() -> Block:
    shown = grid(
        [
            columns.time("ExpiresOn"), columns.days_left("DaysLeft", 14), columns.severity(),
            columns.whole_text("Summary", "28%"), columns.whole_text("FixCommand", "18%"),
        ],
        {
            "KeyVaultName": "Key vault", "SecretName": "Secret", "ExpiresOn": "Ends", "DaysLeft": "Days left",
            "RuleId": "Rule", "RuleName": "Name", "Summary": "What happens", "FixCommand": "Fix",
        },
    )  # fmt: skip
    return query(
        "expiring credentials", query_text("expiring-credentials"),
        title="Tokens and secrets that have ended or soon will, the most urgent first",
        no_data="No credential is known to end soon. That holds for those that the monitor may look at.",
        shown_as=shown,
    )  # fmt: skip


def _credential_findings() -> Block:
    kql = query_text("open-findings", then='| where Area in ("KeyVault", "Sas", "ManagedIdentity")')
    shown = grid(
        [
            columns.severity(), columns.linked("RuleName", "HelpUri"), columns.whole_text("Summary", "45%"),
            columns.time("FirstSeen"),
            *columns.hidden(
                "SeverityRank", "Role", "Direction", "RunName", "ContainerName", "BlobName", "Recommendation",
                "FixCommand", "VerifyCommand", "HelpUri", "LastSeen", "Evidence", "FindingKey",
            ),
        ],
        {
            "RuleId": "Rule", "RuleName": "Name", "RegistryName": "Registry", "PipelineName": "Pipeline",
            "Summary": "What happened", "FirstSeen": "Since", "OpenHours": "Open (hours)",
        },
    )  # fmt: skip
    return query(
        "credential findings", kql, title="Open findings about vaults, tokens and identities. Click one for its fix.",
        no_data="Nothing is open about vaults, tokens and identities, as far as the monitor may look.",
        shown_as=shown, exports={"CredentialFinding": "FindingKey"},
    )  # fmt: skip
