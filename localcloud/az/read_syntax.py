"""Asks Azure's own command line which words each command takes, and writes ``syntax.json`` from its answer.

Run with the Python of an installed azure-cli, which is needed for nothing else::

    /path/to/azure-cli/bin/python localcloud/az/read_syntax.py

Commands of extensions aren't in azure-cli: ``syntax_acrtransfer.json`` was written by hand, from the sources of
the extension acrtransfer 2.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

COMMANDS = """
acr manifest list-metadata | acr manifest show | acr manifest show-metadata | acr repository list
acr repository show | acr repository show-tags | acr show | acr update
keyvault list-deleted | keyvault recover | keyvault set-policy | keyvault show | keyvault update
keyvault secret list | keyvault secret list-versions | keyvault secret recover | keyvault secret set
keyvault secret set-attributes | keyvault secret show
monitor activity-log list
resource show | resource update
role assignment create | role assignment list
storage account show | storage account update
storage blob copy start | storage blob delete | storage blob download | storage blob exists
storage blob lease break | storage blob list | storage blob metadata show | storage blob metadata update
storage blob set-tier | storage blob show | storage blob update | storage blob upload
storage container create | storage container exists | storage container generate-sas
storage container list | storage container policy list | storage container policy show | storage container show
"""
_GLOBAL = {"help", "_log_verbosity_verbose", "_log_verbosity_debug", "_log_verbosity_only_show_errors"}
_GLOBAL |= {"_output_format", "_jmespath_query", "_subscription", "_change_reference", "_acquire_policy_token"}
_KINDS = {"_StoreTrueAction": "flag", "_StoreConstAction": "flag", "_StoreFalseAction": "flag"}
_TYPES = {"datetime_type": "datetime", "int": "int"}


class _Captured(BaseException):
    """Carries the parser out of az before it carries anything out."""


def _parser_of(command: str) -> Any:
    """The parser that az itself would give the command's arguments to."""
    cli = importlib.import_module("azure.cli.core").get_default_cli()
    cli.invocation = cli.invocation_cls(
        cli_ctx=cli,
        parser_cls=cli.parser_cls,
        commands_loader_cls=cli.commands_loader_cls,
        help_cls=cli.help_cls,
    )
    try:
        cli.invocation.execute(command.split())
    except _Captured as captured:
        parser = captured.args[0]
    for word in command.split():
        groups = next(action for action in parser._actions if hasattr(action, "choices") and not action.option_strings)
        parser = groups.choices[word]
    return parser


def _option(action: Any) -> dict[str, Any]:
    flags = [flag if isinstance(flag, str) else flag.target for flag in action.option_strings]
    kind = type(action).__name__
    option = {
        "dest": action.dest,
        "flags": [flag for flag in flags if not flag.startswith("--__")],
        "required": bool(flags) and action.required,
        "kind": "three-state" if kind == "ThreeStateAction" else _KINDS.get(kind, ""),
        "nargs": action.nargs if action.nargs in {"+", "*", "?"} and kind != "ThreeStateAction" else None,
        "choices": [str(choice) for choice in action.choices or ()] if kind != "ThreeStateAction" else [],
        "type": _TYPES.get(getattr(action.type, "__name__", ""), ""),
    }
    return {name: value for name, value in option.items() if value or name == "flags"}


def main() -> None:
    """Writes the file beside this one."""

    def capture(parser: Any, *_: object, **__: object) -> None:
        raise _Captured(parser)

    importlib.import_module("azure.cli.core.parser").AzCliCommandParser.parse_args = capture
    version = importlib.import_module("azure.cli.core").__version__
    lines = []
    for command in COMMANDS.replace("\n", "|").split("|"):
        if name := command.strip():
            options = [
                _option(action)
                for action in _parser_of(name)._actions
                if action.dest not in _GLOBAL and type(action).__name__ != "IgnoreAction"
            ]
            rows = ",\n".join(f"   {json.dumps(option)}" for option in options)
            lines.append(f"  {json.dumps(name)}: [\n{rows}\n  ]")
    text = f'{{\n "source": "azure-cli {version}",\n "commands": {{\n' + ",\n".join(lines) + "\n }\n}\n"
    Path(__file__).with_name("syntax.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
