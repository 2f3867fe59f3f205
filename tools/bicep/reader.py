"""From Bicep source to :mod:`tools.bicep.model`, by way of tree-sitter's syntax tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

from tools.bicep.expressions import BicepError, children_of, line_of, operands, text_of, value_of
from tools.bicep.model import (
    REQUIRED,
    BicepFile,
    Call,
    Lambda,
    Module,
    Output,
    Parameter,
    Property,
    Resource,
    Type,
    TypeDeclaration,
    Value,
    Variable,
)

_COMMENTS: Final = {"comment", "diagnostic_comment"}

Decorators: TypeAlias = dict[str, tuple[Value, ...]]


def read(path: Path) -> BicepFile:
    """The file at ``path``. Raises :class:`BicepError`."""
    return parse(path.read_text("utf-8"), path)


def parse(source: str, path: Path = Path("snippet.bicep")) -> BicepFile:
    """The file with this source. Raises :class:`BicepError` with path and line."""
    root = Parser(_language()).parse(source.encode()).root_node
    if root.has_error:
        broken = next(node for node in _all(root) if node.is_error or node.is_missing)
        raise BicepError(f"{path}:{line_of(broken)}: does not parse at {text_of(broken)[:60]!r}")
    return _Reader(path).file(root)


@cache
def _language() -> Language:
    return Language(tree_sitter_bicep.language())


class _Reader:
    """Collects the declarations of one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._scope = "resourceGroup"
        self._imports: dict[str, str] = {}
        self._parameters: dict[str, Parameter] = {}
        self._variables: dict[str, Variable] = {}
        self._types: dict[str, TypeDeclaration] = {}
        self._resources: dict[str, Resource] = {}
        self._modules: dict[str, Module] = {}
        self._outputs: dict[str, Output] = {}
        self._functions: dict[str, Value] = {}
        self._names: set[tuple[str, str]] = set()
        self._decorators: Decorators = {}
        self._declare: dict[str, Callable[[Node], None]] = {
            "target_scope_assignment": self._target_scope,
            "import_functionality": self._import,
            "parameter_declaration": self._parameter,
            "variable_declaration": self._variable,
            "type_declaration": self._type,
            "resource_declaration": self._resource,
            "module_declaration": self._module,
            "output_declaration": self._output,
            "user_defined_function": self._function,
            "metadata_declaration": lambda _: None,
        }

    def file(self, root: Node) -> BicepFile:
        for node in root.named_children:
            if node.type in _COMMENTS:
                continue
            if node.type == "decorators":
                self._decorators = _decorators(node)
                continue
            if node.type not in self._declare:
                raise BicepError(f"{self._path}:{line_of(node)}: {node.type} is not known here")
            self._declare[node.type](node)
            self._decorators = {}
        return BicepFile(
            path=self._path,
            target_scope=self._scope,
            imports=self._imports,
            parameters=self._parameters,
            variables=self._variables,
            types=self._types,
            resources=self._resources,
            modules=self._modules,
            outputs=self._outputs,
            functions=self._functions,
        )

    def _new(self, node: Node) -> str:
        """The declared name. All but outputs share one space of names."""
        space = "output" if node.type == "output_declaration" else ""
        name = _name(node)
        if (space, name) in self._names:
            raise BicepError(f"{self._path}:{line_of(node)}: {name} is declared twice")
        self._names.add((space, name))
        return name

    def _target_scope(self, node: Node) -> None:
        self._scope = str(value_of(_last(node)))

    def _import(self, node: Node) -> None:
        source = str(value_of(_last(node)))
        self._imports.update({text_of(name): source for name in children_of(node, "identifier")})

    def _parameter(self, node: Node) -> None:
        default = value_of(_last(node)) if _has(node, "=") else REQUIRED
        type_ = self._narrowed(_type(_type_node(node)))
        name = self._new(node)
        self._parameters[name] = Parameter(name, self._decorators, line_of(node), type_, default)

    def _narrowed(self, type_: Type) -> Type:
        """``@allowed`` is the older way to write a choice of literals."""
        allowed = self._decorators.get("allowed", ([],))[0]
        return replace(type_, literals=tuple(allowed)) if isinstance(allowed, list) and allowed else type_

    def _variable(self, node: Node) -> None:
        name = self._new(node)
        self._variables[name] = Variable(name, self._decorators, line_of(node), value_of(_last(node)))

    def _type(self, node: Node) -> None:
        name = self._new(node)
        self._types[name] = TypeDeclaration(name, self._decorators, line_of(node), _type(_last(node)))

    def _output(self, node: Node) -> None:
        type_ = _type(_type_node(node))
        name = self._new(node)
        self._outputs[name] = Output(name, self._decorators, line_of(node), type_, value_of(_last(node)))

    def _function(self, node: Node) -> None:
        heads = [head for part in children_of(node, "parameters") for head in children_of(part, "parameter")]
        variables = tuple(_name(head) for head in heads)
        name = self._new(node)
        self._functions[name] = Lambda(text_of(node), variables, value_of(_last(node)))

    def _module(self, node: Node) -> None:
        path = str(value_of(children_of(node, "string")[0]))
        name = self._new(node)
        self._modules[name] = Module(name, self._decorators, line_of(node), value_of(_last(node)), path)

    def _resource(self, node: Node, parent: Resource | None = None, decorators: Decorators | None = None) -> None:
        type_, _, version = str(value_of(children_of(node, "string")[0])).partition("@")
        if parent:
            type_, version = f"{parent.type}/{type_}", version or parent.version
        resource = Resource(
            self._new(node),
            self._decorators if decorators is None else decorators,
            line_of(node),
            value_of(_last(node)),
            type=type_,
            version=version,
            existing=_has(node, "existing"),
            nested_in=parent.name if parent else "",
        )
        self._resources[resource.name] = resource
        for inner, inner_decorators in _nested(_body(node)):
            self._resource(inner, resource, inner_decorators)


def _type(node: Node) -> Type:
    """A type's literals and properties are found through ``?``, parentheses and the like."""
    if node.type in {"type", "parenthesized_type", "parenthesized_expression"}:
        return _type(operands(node)[0])
    if node.type == "nullable_type":
        return replace(_type(operands(node)[0]), text=text_of(node), optional=True)
    if node.type in {"union_type", "binary_expression"}:  # the latter in parentheses: the grammar is in doubt there
        members = list(_members(node))
        literals = tuple(value_of(member) for member in members) if all(map(_is_literal, members)) else ()
        return Type(text_of(node), literals=literals)
    if node.type == "object":
        return Type(text_of(node), properties=dict(_properties(node)))
    if _is_literal(node):
        return Type(text_of(node), literals=(value_of(node),))
    return Type(text_of(node))


def _members(node: Node) -> Iterator[Node]:
    for child in operands(node):
        if child.type in {"union_type", "binary_expression"}:
            yield from _members(child)
        else:
            yield child


def _is_literal(node: Node) -> bool:
    return node.type in {"number", "boolean"} or (node.type == "string" and node.is_named)


def _properties(node: Node) -> Iterator[tuple[str, Property]]:
    decorators: Decorators = {}
    for child in node.named_children:
        if child.type == "decorators":
            decorators = _decorators(child)
        elif child.type == "object_property":
            name = text_of(child.named_children[0])
            yield name, Property(name, decorators, line_of(child), _type(operands(child)[-1]))
            decorators = {}


def _decorators(node: Node) -> Decorators:
    calls = [value_of(decorator.named_children[0]) for decorator in children_of(node, "decorator")]
    return {call.function: call.arguments for call in calls if isinstance(call, Call)}


def _nested(body: Node | None) -> Iterator[tuple[Node, Decorators]]:
    """The resources declared inside another one's body."""
    decorators: Decorators = {}
    for child in body.named_children if body else ():
        if child.type == "decorators":
            decorators = _decorators(child)
            continue
        if child.type == "object_property" and child.named_children[0].type == "resource_declaration":
            yield child.named_children[0], decorators
        decorators = {}


def _body(node: Node) -> Node | None:
    inner = _last(node)
    while inner.type in {"for_statement", "if_statement"}:
        inner = _last(inner)
    return inner if inner.type == "object" else None


def _has(node: Node, token: str) -> bool:
    return any(child.type == token for child in node.children)


def _type_node(node: Node) -> Node:
    """What stands between a declaration's name and its ``=``."""
    named = [child for child in node.named_children if child.type not in _COMMENTS]
    return named[1]


def _last(node: Node) -> Node:
    return operands(node)[-1]


def _name(node: Node) -> str:
    return text_of(children_of(node, "identifier")[0])


def _all(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _all(child)
