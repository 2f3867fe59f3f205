"""What a click on a finding opens: what happened, the commands, the evidence, the history."""

from __future__ import annotations

from tools.workbook import columns
from tools.workbook.blocks import Block, card, grid, group, is_set, query
from tools.workbook.queries import query_text

_GONE = "This finding has no rows any more. Choose another one in the list above."


def finding_details(parameter: str) -> Block:
    """The details of the condition whose FindingKey `parameter` holds; nothing while it is empty."""

    def asked(part: str) -> str:
        # A key was clicked in a list that is narrowed down already.
        return query_text(f"workbook/finding-{part}", given={"finding": f'"{{{parameter}}}"'}, chosen=())

    steps = query(
        f"{parameter} steps", asked("steps"), title="The chosen finding", no_data=_GONE,
        shown_as=grid(
            [*columns.hidden("Position"), columns.whole_text("Text", "80%")],
            {"What": " ", "Text": "Click a text to see all of it"},
            searchable=False, excel=False,
        ),
    )  # fmt: skip
    fix = query(
        f"{parameter} fix", asked("fix"), title="Fix: paste this into a shell", no_data=_GONE, shown_as=card("editor"),
        width=50, size=1,
    )  # fmt: skip
    verify = query(
        f"{parameter} verify", asked("verify"), title="Then verify", no_data=_GONE, shown_as=card("editor"),
        width=50, size=1,
    )  # fmt: skip
    evidence = query(
        f"{parameter} evidence", asked("evidence"), title="Evidence: the facts that the verdict rests on",
        no_data="No facts were kept with this finding.",
        shown_as=grid([columns.whole_text("Value", "70%")], {}, searchable=False),
        width=50,
    )  # fmt: skip
    history = query(
        f"{parameter} history", asked("history"), title="History: when it opened, came again, was resolved",
        no_data=_GONE,
        shown_as=grid(
            [columns.time("TimeGenerated"), columns.state(), columns.whole_text("Summary", "40%")],
            {"TimeGenerated": "Time", "TriggeredBy": "Found by", "RunName": "Run", "RunStatus": "Run's status"},
            searchable=False,
        ),
        width=50,
    )  # fmt: skip
    return group(f"{parameter} details", [steps, fix, verify, evidence, history], when=[is_set(parameter)])
