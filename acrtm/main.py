"""``acrtm``: the command line. It works from a laptop with ``az login`` and needs nothing deployed.

Only names and options stand here; what a command does is imported when it runs, so that ``acrtm rules`` does
not wait for Azure's SDK or DuckDB.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from acrtm.exits import DOCTOR_EXIT_CODES, EXIT_CODES, REPLAY_EXIT_CODES, ExitCode, Problem, WrongUsage
from acrtm.output import DEFAULT_FORMAT, FORMATS
from acrtm.terminal import survive_any_encoding
from acrtm.waiting import waiting

# The root of what Typer raises for a wrong command line; it exports only one of the branches.
_UsageError: Final = typer.BadParameter.__mro__[2]


def _formats(value: str) -> str:
    if value not in FORMATS:
        raise typer.BadParameter(f"'{value}' is none of {', '.join(FORMATS)}.")
    return value


def _complete_rules(incomplete: str) -> list[str]:
    from shared.rules.catalogue import CATALOGUE

    wanted = incomplete.upper()
    return [rule_id for rule_id in CATALOGUE if rule_id.startswith(wanted)]


Output = Annotated[
    str,
    typer.Option(
        *("--output", "-o"),
        metavar="|".join(FORMATS),
        help="How to print the answer.",
        callback=_formats,
        autocompletion=lambda: list(FORMATS),
    ),
]
NoStore = Annotated[
    bool, typer.Option("--no-store", help="Look and print; write nothing on this machine.", show_default=False)
]

app = typer.Typer(
    name="acrtm",
    help="Find out why an ACR Transfer failed, or what would make the next one fail.",
    epilog=EXIT_CODES,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command(epilog=EXIT_CODES)
def diagnose(
    run_id: Annotated[str, typer.Argument(metavar="RUN_ID", help="The resource id of a pipeline run.")],
    output: Output = DEFAULT_FORMAT,
    no_store: NoStore = False,
) -> int:
    """Diagnose one run.

    Names its root cause, what that rests on, and the command that repairs it.
    """
    with waiting("Looking at the run and at what it depends on"):
        from acrtm.commands import diagnose as command

        return command(run_id, output=output, keep=not no_store)


@app.command("check-blob", epilog=EXIT_CODES)
def check_blob(
    blob_url: Annotated[
        str,
        typer.Argument(
            metavar="BLOB_URL",
            help="https://<account>.blob.<suffix>/<container>/<name>; a SAS token behind it is dropped.",
        ),
    ],
    registry: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID",
            help="A registry whose import pipelines count; instead of MONITORED_REGISTRIES, may be repeated.",
        ),
    ] = None,
    output: Output = DEFAULT_FORMAT,
    no_store: NoStore = False,
) -> int:
    """Check whether a blob will be imported.

    Looks at its own properties and at every import pipeline that reads its container.
    """
    with waiting("Looking at the blob and at the pipelines that read its container"):
        from acrtm.commands import check_blob as command

        return command(blob_url, registries=registry or [], output=output, keep=not no_store)


@app.command("check-pipeline", epilog=EXIT_CODES)
def check_pipeline(
    pipeline_id: Annotated[
        str, typer.Argument(metavar="PIPELINE_ID", help="The resource id of an export or import pipeline.")
    ],
    output: Output = DEFAULT_FORMAT,
    no_store: NoStore = False,
) -> int:
    """Check what would make the next run fail."""
    with waiting("Looking at the pipeline and at what its next run will need"):
        from acrtm.commands import check_pipeline as command

        return command(pipeline_id, output=output, keep=not no_store)


@app.command(epilog=EXIT_CODES)
def sweep(output: Output = DEFAULT_FORMAT, no_store: NoStore = False) -> int:
    """Sweep MONITORED_REGISTRIES once.

    Diagnoses every run that ended within SWEEP_LOOKBACK_HOURS.
    """
    from acrtm.commands import sweep as command

    return command(output=output, keep=not no_store)


@app.command(epilog=DOCTOR_EXIT_CODES)
def doctor(
    settings: Annotated[
        str,
        typer.Option(metavar="FILE", help="The deployed app's settings, as 'az functionapp config appsettings list'."),
    ] = "",
    identity: Annotated[
        str, typer.Option(metavar="OBJECT_ID", help="The app's identity: its role assignments are examined too.")
    ] = "",
    send_test: Annotated[
        bool,
        typer.Option("--send-test", help="Write one test finding, and publish one test alert.", show_default=False),
    ] = False,
    output: Output = DEFAULT_FORMAT,
) -> int:
    """Check the monitor itself.

    Its settings, rights and paths, one by one, with the command that grants what is missing.
    """
    from acrtm.doctor.command import doctor as command

    return command(settings_file=settings, identity=identity, send_test=send_test, output=output)


@app.command()
def rules(
    area: Annotated[str, typer.Option(metavar="AREA", help="Only this area, such as Sas or KeyVault.")] = "",
    severity: Annotated[str, typer.Option(metavar="SEVERITY", help="Only this severity and higher.")] = "",
    output: Output = DEFAULT_FORMAT,
) -> int:
    """List the rules."""
    from acrtm.rulebook import list_rules

    return list_rules(area=area, severity=severity, output=output)


@app.command()
def explain(
    rule: Annotated[
        str,
        typer.Argument(metavar="RULE", help="A rule's id or name.", autocompletion=_complete_rules),
    ],
    output: Output = DEFAULT_FORMAT,
) -> int:
    """Show the page of one rule.

    What it checks, why it matters, how we know, how to fix it, and what can make it wrong.
    """
    from acrtm.rulebook import explain as command

    return command(rule, output=output)


@app.command(epilog=REPLAY_EXIT_CODES)
def replay(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE_OR_CONTAINER",
            help="A JSON file or a folder of them, or https://<account>.blob.<suffix>/<container>[/<folder>].",
        ),
    ],
    output: Output = DEFAULT_FORMAT,
) -> int:
    """Hand dead-lettered events to the app's own handlers.

    Needs the app's required settings, and writes findings, marks and alerts where the app writes them. Events that
    were handled before are known; the dead letters stay where they are.
    """
    from acrtm.replay import replay as command

    return command(source, output=output)


@app.command()
def query(
    kql: Annotated[
        str, typer.Argument(metavar="KQL_OR_NAME", help="KQL in quotes, a .kql file, or a shipped query's name.")
    ],
    output: Output = DEFAULT_FORMAT,
) -> int:
    """Ask the findings on this machine in KQL.

    The table is AcrTransferFindings_CL, as in Log Analytics.
    """
    from acrtm.querying import query as command

    return command(kql, output=output)


@app.command()
def view(
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE.html", help="Write the page into one file instead.")
    ] = "",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, metavar="PORT", help="The port; any free one unless given.")
    ] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
) -> int:
    """Look at the findings on this machine.

    The workbook that is deployed, in a browser, with a tab for queries. On loopback only.
    """
    from acrtm.view.command import view as command

    return command(output=output, port=port, browser=browser)


@app.command()
def demo() -> int:
    """See the whole product on this machine.

    A transfer fails, is diagnosed and is repaired.
    """
    try:
        from acrtm.demo import run_demo
    except ModuleNotFoundError as missing:
        raise Problem(f"The demo needs the checkout with its tools ({missing.name}).", "Run:", "make demo") from None
    from acrtm.terminal import console

    return run_demo(console())


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and gives its exit code. No error leaves it as a traceback."""
    from shared.log_redaction import installed

    survive_any_encoding()
    with installed():
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = typer.main.get_command(app).main(
            args=given or ["--help"], prog_name="acrtm", standalone_mode=False, windows_expand_args=False
        )
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told in words
        return _told(error)
    # Help that nobody has asked for is the answer to a wrong command line.
    return int(code or 0) if given else int(ExitCode.USAGE)


def _told(error: Exception) -> int:
    from acrtm.output.errors import print_problem
    from acrtm.problems import problem_of, unexpected

    if isinstance(error, _UsageError):
        words = getattr(error, "format_message", lambda: str(error))()
        context = getattr(error, "ctx", None)
        problem: Problem = WrongUsage(
            words, "How it is used:", f"{context.command_path if context else 'acrtm'} --help"
        )
    else:
        problem = problem_of(error) or unexpected(error)
    if os.environ.get("ACRTM_TRACEBACK"):
        import traceback

        traceback.print_exception(error)
    print_problem(problem)
    return int(problem.code)
