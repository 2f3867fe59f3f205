"""``azure.yaml``, its hooks, the parameter files and the workflow: they name what there is, in the right order."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tools.bicep import Call, Value, parse, read, walk

ROOT: Final = Path(__file__).parents[2]
INFRA: Final = ROOT / "infra"
HOOKS: Final = INFRA / "hooks"
TEMPLATES: Final = ("roles", "events")
# What azd itself puts into a hook's environment.
AZD: Final = {"AZURE_ENV_NAME", "AZURE_LOCATION", "AZURE_SUBSCRIPTION_ID"}
SUBSCRIPTIONS: Final = [f"0f0f0f0f-0000-4000-8000-00000000000{n}" for n in (1, 2, 3)]
ENVIRONMENT: Final = {
    "AZURE_ENV_NAME": "prod",
    "AZURE_LOCATION": "westeurope",
    "AZURE_SUBSCRIPTION_ID": SUBSCRIPTIONS[0],
    "AZURE_RESOURCE_GROUP": "rg-prod",
    "FUNCTION_APP_NAME": "func-prod",
    "FUNCTION_APP_PUBLIC": "true",
    "STORAGE_ACCOUNT_NAME": "stprod",
    "DEAD_LETTER_CONTAINER_NAME": "dead-letters",
    "MONITORED_REGISTRIES": f"/subscriptions/{SUBSCRIPTIONS[0]}/resourceGroups/a"
    "/providers/Microsoft.ContainerRegistry/registries/a",
    "MONITOR_IDENTITY_PRINCIPAL_ID": "11111111-0000-4000-8000-000000000000",
}


def azure_yaml() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / "azure.yaml").read_text("utf-8"))
    return content


def parameter_file(name: str) -> Mapping[str, Value]:
    """What a ``.bicepparam`` sets. Its syntax is that of variables, but for the keyword and the first line."""
    text = (INFRA / f"{name}.bicepparam").read_text("utf-8")
    assert f"\nusing '{name}.bicep'\n" in text
    as_variables = re.sub(r"^param ", "var ", text.replace(f"using '{name}.bicep'", ""), flags=re.MULTILINE)
    return {name: variable.value for name, variable in parse(as_variables).variables.items()}


def environment_read(name: str) -> dict[str, bool]:
    """The variables that a parameter file reads, and whether they have to be set."""
    return {
        str(call.arguments[0]): len(call.arguments) == 1
        for value in parameter_file(name).values()
        for call in walk(value)
        if isinstance(call, Call) and call.function == "readEnvironmentVariable"
    }


def given_to_main() -> set[str]:
    """The variables that ``azd provision`` puts into the parameters of the first stage."""
    return set(re.findall(r"\$\{(\w+)", (INFRA / "main.parameters.json").read_text("utf-8")))


def documented() -> set[str]:
    """The variables in the tables of docs/deploy.md."""
    lines = (ROOT / "docs" / "deploy.md").read_text("utf-8").splitlines()
    return {
        name for line in lines if line.startswith("| `") for name in re.findall(r"`([A-Z][A-Z_]+)`", line.split("|")[1])
    }


# --- azure.yaml -----------------------------------------------------------------------------------------------


def test_azd_finds_the_templates_and_the_code() -> None:
    content = azure_yaml()
    assert content["infra"] == {"provider": "bicep", "path": "infra", "module": "main"}
    assert (INFRA / "main.bicep").is_file()
    [(service, settings)] = content["services"].items()
    assert settings == {"project": ".", "language": "python", "host": "function"}
    assert (ROOT / "host.json").is_file()
    tagged = [
        value["azd-service-name"]
        for file in INFRA.rglob("*.bicep")
        for whole in read(file).values()
        for value in walk(whole)
        if isinstance(value, dict) and "azd-service-name" in value
    ]
    assert tagged == [service]


def test_an_azd_that_deletes_groups_of_others_is_refused() -> None:
    assert azure_yaml()["requiredVersions"] == {"azd": ">= 1.24.1"}
    assert "Azure Developer CLI 1.24.1 or newer" in (ROOT / "docs" / "deploy.md").read_text("utf-8")


def test_each_hook_is_there_for_both_systems() -> None:
    hooks = azure_yaml()["hooks"]
    # Roles need the identity of the first stage, events need the code.
    assert list(hooks) == ["postprovision", "postdeploy"]
    for name, systems in hooks.items():
        assert systems["posix"] == {"shell": "sh", "run": f"infra/hooks/{name}.sh", "interactive": True}
        assert systems["windows"] == {"shell": "pwsh", "run": f"infra/hooks/{name}.ps1", "interactive": True}
        assert os.access(HOOKS / f"{name}.sh", os.X_OK)
        assert (HOOKS / f"{name}.ps1").is_file()


def words_of(script: Path) -> tuple[set[str], list[str]]:
    """The variables of the environment that a hook reads, and the words of its ``az`` commands."""
    text = re.sub(r"^\s*#.*$", "", script.read_text("utf-8"), flags=re.MULTILINE)
    names = set(re.findall(r"\b[A-Z][A-Z_]{3,}\b", text)) - {"LASTEXITCODE"}
    commands = re.findall(r"\baz ((?:[a-z]+ )+)((?:[`\\]?\s*--[a-z-]+ ?[^\s]*)*)", text)
    return names, [
        f"{command}{' '.join(re.findall(r'--[a-z-]+', options))}" for command, options in commands if options
    ]


@pytest.mark.parametrize("hook", ["postprovision", "postdeploy"])
def test_the_hooks_of_both_systems_say_the_same(hook: str) -> None:
    posix, windows = (words_of(HOOKS / f"{hook}.{kind}") for kind in ("sh", "ps1"))
    assert posix == windows
    assert posix[1]


def test_names_of_the_hooks_deployments_fit_whatever_the_environment_is_called() -> None:
    [longest] = read(INFRA / "main.bicep").parameters["environmentName"].decorators["maxLength"]
    assert isinstance(longest, int)
    fixed = [
        name
        for script in HOOKS.glob("*.sh")
        for name in re.findall(r'--name "([\w-]+-)\$AZURE_ENV_NAME"', script.read_text("utf-8"))
    ]
    assert len(fixed) == 2
    assert all(len(name) + longest <= 64 for name in fixed)


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_parameter_file_sets_what_its_template_has(template: str) -> None:
    parameters = read(INFRA / f"{template}.bicep").parameters
    given = parameter_file(template)
    assert given.keys() <= parameters.keys()
    assert {name for name, parameter in parameters.items() if parameter.required} <= given.keys()


def test_every_variable_comes_from_somewhere() -> None:
    outputs = read(INFRA / "main.bicep").outputs.keys()
    known = AZD | outputs | given_to_main() | documented()
    used = {name for template in TEMPLATES for name in environment_read(template)}
    used |= {name for script in HOOKS.glob("*.*") for name in words_of(script)[0]}
    assert used - known == set()
    own = used - AZD - outputs
    assert own <= documented(), "whoever deploys has to know of it"
    needed = {name for template in TEMPLATES for name, required in environment_read(template).items() if required}
    assert needed <= outputs


# --- the hooks, run with an az that only writes down what it was asked ----------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A folder with ``az`` and ``sleep`` in it; ``az`` fails as often as the file ``failures`` says."""
    (tmp_path / "calls").touch()
    (tmp_path / "failures").write_text("0")
    az = (
        '#!/bin/sh\necho "$*" >> "$CALLS/calls"\n'
        'case "$*" in functionapp*)\n  left=$(cat "$CALLS/failures")\n'
        '  [ "$left" -eq 0 ] || { echo $((left - 1)) > "$CALLS/failures"; exit 3; } ;;\nesac\n'
    )
    for name, text in (("az", az), ("sleep", '#!/bin/sh\necho "sleep $*" >> "$CALLS/calls"\n')):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def run(hook: str, path: Path, *, without: str = "", **environment: str) -> tuple[int, str, list[str]]:
    """Exit code, output, and the calls of ``az``."""
    given = {name: value for name, value in {**ENVIRONMENT, **environment}.items() if name != without}
    ended = subprocess.run(
        ["sh", str(HOOKS / f"{hook}.sh")],
        env={**given, "PATH": f"{path}:{os.environ['PATH']}", "CALLS": str(path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return ended.returncode, ended.stdout + ended.stderr, (path / "calls").read_text().splitlines()


def deployments(calls: list[str]) -> list[str]:
    return [call for call in calls if call.startswith("deployment")]


def test_roles_are_deployed_once_in_each_subscription(path: Path) -> None:
    first, second, third = SUBSCRIPTIONS
    code, _, calls = run(
        "postprovision",
        path,
        TRANSFER_CONTAINERS=f"/subscriptions/{first.upper()}/x, /subscriptions/{second}/y",
        KEY_VAULTS=f"/SUBSCRIPTIONS/{second}/z",
        MONITORED_REGISTRIES=f"{ENVIRONMENT['MONITORED_REGISTRIES']},/subscriptions/{third}",
    )
    assert code == 0
    assert [call.split("--subscription ")[1].split()[0] for call in deployments(calls)] == SUBSCRIPTIONS
    assert all("--parameters infra/roles.bicepparam" in call for call in deployments(calls))


def test_roles_can_be_left_to_others(path: Path) -> None:
    code, output, calls = run(
        "postprovision", path, DEPLOY_ROLES="false", KEY_VAULTS=f"/subscriptions/{SUBSCRIPTIONS[1]}/z"
    )
    assert (code, calls) == (0, [])
    assert all(subscription in output for subscription in SUBSCRIPTIONS[:2])


def test_events_are_deployed_once_the_functions_are_there(path: Path) -> None:
    (path / "failures").write_text("3")
    code, _, calls = run("postdeploy", path)
    assert code == 0
    assert calls.count("sleep 15") == 3
    assert deployments(calls) == [calls[-1]]
    assert "--resource-group rg-prod" in calls[-1]
    assert "--parameters infra/events.bicepparam" in calls[-1]
    _, _, calls = run("postdeploy", path, EVENTS_PARAMETERS="mine.bicepparam")
    assert "--parameters mine.bicepparam" in calls[-1]


def test_functions_that_never_come_are_an_error_that_says_where_to_look(path: Path) -> None:
    (path / "failures").write_text("99")
    code, output, calls = run("postdeploy", path)
    assert code == 1
    assert "pipeline_run_completed did not appear in func-prod" in output
    assert deployments(calls) == []


def test_a_private_app_gets_no_events(path: Path) -> None:
    code, output, calls = run("postdeploy", path, FUNCTION_APP_PUBLIC="false")
    assert (code, calls) == (0, [])
    assert "The sweep finds every run" in output
    assert "## Without public access" in (ROOT / "docs" / "deploy.md").read_text("utf-8")


def test_a_private_app_gets_its_events_through_a_queue(path: Path) -> None:
    queue = {"FUNCTION_APP_PUBLIC": "false", "EVENT_DELIVERY": "queue", "EVENT_QUEUE_NAME": "transfer-events"}
    # It could be that nobody can ask a private app for its functions; no subscription needs one here.
    (path / "failures").write_text("99")
    code, _, calls = run("postdeploy", path, **queue)
    assert code == 0
    assert deployments(calls) == [calls[-1]]
    assert not any(call.startswith("functionapp") for call in calls)


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"EVENT_QUEUE_NAME": ""}, "run azd provision"),
        ({"EVENT_QUEUE_NAME": "transfer-events", "EVENT_SUBSCRIPTIONS": "Extension"}, "a topic with an identity"),
    ],
)
def test_a_queue_that_can_not_be_told_is_an_error(path: Path, environment: dict[str, str], says: str) -> None:
    code, output, calls = run("postdeploy", path, EVENT_DELIVERY="queue", **environment)
    assert code == 1
    assert says in output
    assert calls == []


@pytest.mark.parametrize("hook", ["postprovision", "postdeploy"])
def test_what_is_not_set_is_named(hook: str, path: Path) -> None:
    text = (HOOKS / f"{hook}.sh").read_text("utf-8")
    needed = re.findall(r'^: "\$\{(\w+):\?', text, flags=re.MULTILINE)
    assert "MONITORED_REGISTRIES" in needed
    for name in needed:
        code, output, calls = run(hook, path, without=name)
        assert code != 0
        assert name in output
        assert calls == []


def test_a_failed_deployment_fails_the_hook(path: Path) -> None:
    (path / "az").write_text('#!/bin/sh\ncase "$*" in deployment*) exit 1 ;; esac\n')
    assert run("postprovision", path)[0] != 0
    assert run("postdeploy", path)[0] != 0


def test_roles_that_were_given_by_hand_are_told_of_where_they_stop_the_deployment(path: Path) -> None:
    (path / "az").write_text('#!/bin/sh\ncase "$*" in deployment*) exit 1 ;; esac\n')
    code, output, _ = run("postprovision", path)
    assert code == 1
    of_whom = f"--subscription {SUBSCRIPTIONS[0]} --assignee {ENVIRONMENT['MONITOR_IDENTITY_PRINCIPAL_ID']}"
    query = "[?!description].{role: roleDefinitionName"
    assert f"az role assignment list {of_whom} --query '{query}" in output
    assert f"az role assignment delete --subscription {SUBSCRIPTIONS[0]} --ids " in output
    assert query in (HOOKS / "postprovision.ps1").read_text("utf-8")
    assert query in (ROOT / "docs" / "deploy.md").read_text("utf-8")


# --- the workflow for a runner with the compiler --------------------------------------------------------------


def workflow() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "infra.yml").read_text("utf-8"))
    return content


def steps(job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workflow()["jobs"][job]["steps"]
    return found


def test_the_workflow_names_files_and_parameters_that_there_are() -> None:
    commands = [step["run"] for job in workflow()["jobs"] for step in steps(job) if "run" in step]
    files = {name for command in commands for name in re.findall(r"infra/[\w.-]+\.bicep(?:param)?\b", command)}
    assert files == {"infra/main.bicep", "infra/roles.bicepparam", "infra/events.bicepparam"}
    assert all((ROOT / name).is_file() for name in files)
    [first_stage] = [command for command in commands if "infra/main.bicep" in command]
    given = set(re.findall(r"\b(\w+)=\"\$", first_stage))
    parameters = read(INFRA / "main.bicep").parameters
    assert {name for name, parameter in parameters.items() if parameter.required} <= given <= parameters.keys()


def test_the_workflow_sets_what_the_parameter_files_need() -> None:
    needed = {name for template in TEMPLATES for name, required in environment_read(template).items() if required}
    [build] = [step["env"] for step in steps("build") if "build-params" in step.get("run", "")]
    assert set(build) == needed
    shared = workflow()["jobs"]["what-if"]["env"]
    for template in TEMPLATES:
        [step] = [step for step in steps("what-if") if f"infra/{template}.bicepparam" in step.get("run", "")]
        required = {name for name, must in environment_read(template).items() if must}
        assert required <= {**shared, **step["env"]}.keys()


def test_what_the_app_does_not_need_is_not_shipped() -> None:
    left_out = (ROOT / ".funcignore").read_text("utf-8").split()
    assert {"infra", "azure.yaml", "tests", "tools", "docs"} <= set(left_out)
    assert (
        json.loads((INFRA / "main.parameters.json").read_text("utf-8"))["parameters"].keys()
        <= read(INFRA / "main.bicep").parameters.keys()
    )
