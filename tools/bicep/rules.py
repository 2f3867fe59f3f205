"""What every Bicep file of this project keeps to, and tests hold it to: sentences about what is wrong."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from tools.bicep.evaluate import Evaluator, Unknown
from tools.bicep.model import (
    BicepFile,
    Call,
    Condition,
    Declaration,
    Expression,
    Interpolation,
    Lambda,
    Loop,
    Member,
    Module,
    Name,
    Parameter,
    Resource,
    Value,
    names_in_key,
    walk,
)
from tools.bicep.reader import read

# Diagnostic settings never came out of preview in a version that logs can be chosen in; every cloud has this one.
PREVIEWS: Final = {"Microsoft.Insights/diagnosticSettings": "2021-05-01-preview"}
# Functions that Bicep has, under these names, in two namespaces: they are no declarations of the file.
_NAMESPACES: Final = {"az", "sys"}
_HOST: Final = re.compile(
    r"https?://|privatelink\.|\b(core|vault|azure|azurewebsites|azurecr|windows|chinacloudapi|usgovcloudapi)\.(com|net|io|us|cn)\b",
    re.IGNORECASE,
)
_GUID: Final = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
_SECRET_CALL: Final = re.compile(r"(^|\.)(list[A-Z]\w*|getSecret)$")
_SECRET_NAME: Final = re.compile(
    r"key$|keys|secret$|password|token$|connectionstring|instrumentationkey|sas$", re.IGNORECASE
)


def undocumented(file: BicepFile) -> Iterator[str]:
    """Parameters, outputs, types and their properties without a description."""
    declared: list[Declaration] = [*file.parameters.values(), *file.outputs.values(), *file.types.values()]
    declared += [property_ for type_ in file.types.values() for property_ in type_.type.properties.values()]
    for item in declared:
        if not item.description.strip():
            yield _at(file, item, "has no description")


def unused(file: BicepFile) -> Iterator[str]:
    """Parameters, variables and imports that nothing mentions."""
    names = file.names_used()
    for item in (*file.parameters.values(), *file.variables.values()):
        if item.name not in names:
            yield _at(file, item, "is not used")
    typed = [declared.type for declared in file.parameters.values()]
    typed += [declared.type for declared in file.outputs.values()]
    typed += [declared.type for declared in file.types.values()]
    types = " ".join(type_.text for type_ in typed)
    for imported in file.imports:
        if not re.search(rf"\b{imported}\b", types) and imported not in names:
            yield f"{file.path}: {imported} is imported and not used"


def undeclared(file: BicepFile) -> Iterator[str]:
    """Names that are neither declared nor bound by a loop or a lambda."""
    declared = {
        *file.parameters, *file.variables, *file.resources, *file.modules, *file.imports, *file.functions, *_NAMESPACES,
    }  # fmt: skip
    for value in file.values():
        for name in _free(value, frozenset(declared)):
            yield f"{file.path}: {name} is not declared"


def _free(value: Value, bound: frozenset[str]) -> Iterator[str]:
    if isinstance(value, Name):
        if value.name not in bound:
            yield value.name
        return
    if isinstance(value, Loop):
        yield from _free(value.source, bound)
        yield from _free(value.body, bound | set(value.variables))
        return
    if isinstance(value, Lambda):
        yield from _free(value.body, bound | set(value.variables))
        return
    inner: Iterable[Value] = ()
    if isinstance(value, list):
        inner = value
    elif isinstance(value, dict):
        yield from sorted({name for key in value for name in names_in_key(key)} - bound)
        inner = value.values()
    elif isinstance(value, Expression):
        inner = value.parts()
    for part in inner:
        yield from _free(part, bound)


def preview_versions(file: BicepFile) -> Iterator[str]:
    """Api-versions that are not generally available."""
    for resource in file.resources.values():
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", resource.version) and PREVIEWS.get(resource.type) != resource.version:
            yield _at(file, resource, f"{resource.type}@{resource.version} is not generally available")


def several_versions(files: Iterable[BicepFile]) -> Iterator[str]:
    """Resource types that the files take in more than one api-version."""
    versions: dict[str, set[str]] = defaultdict(set)
    for file in files:
        for resource in file.resources.values():
            versions[resource.type.lower()].add(resource.version)
    for type_, found in sorted(versions.items()):
        if len(found) > 1:
            yield f"{type_} is taken in several versions: {', '.join(sorted(found))}"


def secrets(file: BicepFile) -> Iterator[str]:
    """Calls that fetch keys, and outputs that would show one."""
    for value in file.values():
        for part in walk(value):
            if isinstance(part, Call) and _SECRET_CALL.search(part.function):
                yield f"{file.path}: {part.function} fetches a secret"
    for output in file.outputs.values():
        shown = {part.name for part in walk(output.value) if isinstance(part, Member) and isinstance(part.name, str)}
        if "secure" in output.decorators or any(map(_SECRET_NAME.search, {*shown, output.name})):
            yield _at(file, output, "may show a secret")


def built_hosts(file: BicepFile) -> Iterator[str]:
    """Addresses that are written down or put together, where the cloud or a resource knows them."""
    for value in file.values():
        for part in walk(value):
            if isinstance(part, str) and (found := _HOST.search(part)) and not _is_text_file(part):
                yield f"{file.path}: {part[:60]!r} holds a part of a host's name: {found.group()}"
            if isinstance(part, Interpolation) and any(
                _is_suffix(inner) for piece in part.pieces for inner in walk(piece)
            ):
                yield f"{file.path}: {part.text} builds a host's name"


def _is_text_file(text: str) -> bool:
    """The path of a loaded file is no host."""
    return bool(re.fullmatch(r"(\.\./)*[\w./-]+\.(json|kql|yaml|csv|md)", text))


def _is_suffix(value: Value) -> bool:
    return isinstance(value, Member) and ".suffixes" in value.text


def written_ids(file: BicepFile) -> Iterator[str]:
    """GUIDs in the text: a role's belongs into ``role-ids.json``, beside its name."""
    for value in file.values():
        for part in walk(value):
            if isinstance(part, str) and _GUID.search(part):
                yield f"{file.path}: {part!r} is an id without a name"


def unexplained_roles(file: BicepFile) -> Iterator[str]:
    """Role assignments without a line that says why."""
    for resource in file.resources.values():
        if resource.type != "Microsoft.Authorization/roleAssignments":
            continue
        properties = resource.body.get("properties")
        why = properties.get("description") if isinstance(properties, dict) else None
        if why is None or why == "":
            yield _at(file, resource, "does not say why the role is needed")


def missing_files(file: BicepFile) -> Iterator[str]:
    """Files that are loaded, imported or called and are not there."""
    paths = [*file.loads(), *(file.path.parent / other for other in file.imports.values())]
    paths += [file.path.parent / module.path for module in file.modules.values()]
    for path in paths:
        if not path.is_file():
            yield f"{file.path}: {path} is not there"


def misfits(file: BicepFile) -> Iterator[str]:
    """Modules that are called otherwise than they declare, and imports of what is not exported."""
    for name, source in file.imports.items():
        declared = read(file.path.parent / source)
        exported = declared.types.get(name) or declared.variables.get(name)
        if exported is None or "export" not in exported.decorators:
            yield f"{file.path}: {source} does not export {name}"
    for module in file.modules.values():
        target = read(file.path.parent / module.path)
        for wrong in _call_misfits(file, module, target):
            yield _at(file, module, wrong)


def _call_misfits(file: BicepFile, module: Module, target: BicepFile) -> Iterator[str]:
    if target.target_scope != file.target_scope and "scope" not in module.body:
        yield f"is called without a scope, and is for a {target.target_scope}"
    for name, parameter in target.parameters.items():
        if parameter.required and name not in module.params:
            yield f"does not give {name}"
    evaluator = Evaluator(file)
    for name, value in module.params.items():
        if name not in target.parameters:
            yield f"gives {name}, which {module.path} does not take"
        elif not all(_fits(way, target.parameters[name]) for way in evaluator.outcomes(value)):
            yield f"gives {name} something else than {target.parameters[name].type.text}"
    outputs = {
        part.name
        for value in file.values()
        for part in walk(value)
        if isinstance(part, Member)
        and isinstance(part.of, Member)
        and part.of.name == "outputs"
        and _owner(part.of) == module.name
    }
    for name in sorted(map(str, outputs - set(target.outputs))):
        yield f"has no output {name}"


def _owner(member: Member) -> str:
    of = member.of
    while isinstance(of, Member):
        of = of.of
    return of.name if isinstance(of, Name) else ""


def _fits(way: object, parameter: Parameter) -> bool:
    text = parameter.type.text.rstrip("?")
    if way is None:
        return parameter.type.optional
    if isinstance(way, Unknown):
        return way.kind in {"", _kind_of(text)} or _kind_of(text) == ""
    if parameter.type.literals:
        return way in parameter.type.literals
    kind = {bool: "bool", str: "string", int: "int", list: "array", dict: "object"}[type(way)]
    return _kind_of(text) in {"", kind} and _in_bounds(way, parameter)


def _in_bounds(way: object, parameter: Parameter) -> bool:
    """Lengths and values within what the decorators say."""
    if isinstance(way, bool):
        return True
    size = way if isinstance(way, int) else len(way) if isinstance(way, str | list) else 0
    low = parameter.decorators.get("minValue") or parameter.decorators.get("minLength") or (size,)
    high = parameter.decorators.get("maxValue") or parameter.decorators.get("maxLength") or (size,)
    return int(str(low[0])) <= size <= int(str(high[0]))


def _kind_of(text: str) -> str:
    if text.endswith("[]"):
        return "array"
    return text if text in {"string", "int", "bool", "array", "object"} else ""


def unguarded_reads(file: BicepFile) -> Iterator[str]:
    """Outputs of a module or resource under a condition that are read without one."""
    conditional = {n for n, item in (*file.modules.items(), *file.resources.items()) if item.conditional}
    for output in file.outputs.values():
        if isinstance(output.value, Member) and _owner(output.value) in conditional:
            yield _at(file, output, "reads what may not be deployed")


# What is known of a resource or a module before it is deployed.
_EARLY: Final = {"id", "name", "type", "apiVersion"}
# Where values of other resources may stand; all else of a resource has to be known when the deployment starts (BCP120).
_LATE_PLACES: Final = {"properties", "params", "dependsOn"}


def late_values(file: BicepFile) -> Iterator[str]:
    """Names, regions, conditions and the like that rest on what only a running deployment knows."""
    late: set[str] = set()
    # A variable may only be used where its value may, whichever of two variables is declared first.
    for _ in file.variables:
        late |= {v.name for v in file.variables.values() if any(_is_late(file, part, late) for part in walk(v.value))}
    deployed: list[Resource | Module] = [*file.resources.values(), *file.modules.values()]
    for item in deployed:
        for value in _needed_at_start(item):
            for part in walk(value):
                if _is_late(file, part, late) and isinstance(part, Expression):
                    yield _at(file, item, f"has to be known at the start, and {part.text} is not")


def _needed_at_start(item: Resource | Module) -> Iterator[Value]:
    inner = item.value
    while isinstance(inner, Loop | Condition):
        yield inner.source if isinstance(inner, Loop) else inner.condition
        inner = inner.body
    yield from (value for key, value in item.body.items() if key not in _LATE_PLACES)


def _is_late(file: BicepFile, value: Value, late: set[str]) -> bool:
    if isinstance(value, Name):
        return value.name in late
    if not isinstance(value, Member) or value.name in _EARLY or not isinstance(value.name, str):
        return False
    return not value.text.endswith(f"::{value.name}") and _is_deployed(file, value.of)


def _is_deployed(file: BicepFile, value: Value) -> bool:
    """Whether it is a resource or a module itself: by name, nested in another (``::``), or one of a loop (``[i]``)."""
    if isinstance(value, Name):
        return value.name in file.resources or value.name in file.modules
    if not isinstance(value, Member):
        return False
    return (not isinstance(value.name, str) or value.text.endswith(f"::{value.name}")) and _is_deployed(file, value.of)


def long_names(file: BicepFile) -> Iterator[str]:
    """Modules whose deployment may get a name of more than 64 characters, since a parameter stands in it as it is."""
    for module in file.modules.values():
        name = module.body.get("name")
        pieces = name.pieces if isinstance(name, Interpolation) else (name,)
        if any(isinstance(piece, Name) and piece.name in file.parameters for piece in pieces):
            yield _at(file, module, f"is named by a parameter of any length: {getattr(name, 'text', name)}")
        elif sum(len(piece) for piece in pieces if isinstance(piece, str)) > 64:
            yield _at(file, module, "has a name of over 64 characters")


def _at(file: BicepFile, item: Declaration, what: str) -> str:
    return f"{file.path}:{item.line}: {item.name} {what}"


PER_FILE: Final = (
    undocumented, unused, undeclared, preview_versions, secrets, built_hosts, written_ids, unexplained_roles,
    missing_files, misfits, unguarded_reads, late_values, long_names,
)  # fmt: skip
