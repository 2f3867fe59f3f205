"""The values of Bicep expressions, from the nodes of tree-sitter's syntax tree."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from tree_sitter import Node

from tools.bicep.binding import Group, behind, choose, operate, ungrouped
from tools.bicep.model import Call, Condition, Expression, Interpolation, Lambda, Loop, Member, Name, Operation, Value

_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "'": "'", "\\": "\\", "$": "$"}
_UNNAMED: Final = {"comment", "diagnostic_comment"}


class BicepError(ValueError):
    """The file doesn't parse, or uses what this reader doesn't know."""


def value_of(node: Node) -> Value:
    """The value of an expression's node."""
    return ungrouped(_part(node))


def _part(node: Node) -> Value:
    """The same with parentheses still marked, for what is put together further out."""
    kind = node.type
    if kind == "string":
        return _string(node)
    if kind == "number":
        return int(text_of(node))
    if kind == "boolean":
        return text_of(node) == "true"
    if kind == "null":
        return None
    if kind == "array":
        return [value_of(item) for item in operands(node)]
    if kind == "object":
        return {
            key: value
            for item in children_of(node, "object_property")
            if item.named_children[0].type != "resource_declaration"
            for key, value in [_property(item)]
        }
    if kind == "parenthesized_expression":
        return Group(text_of(node), value_of(operands(node)[0]))
    if kind in {"identifier", "property_identifier", "loop_variable", "compatible_identifier"}:
        return Name(text_of(node), text_of(node))
    if kind in _COMPOUND:
        return _COMPOUND[kind](node)
    raise BicepError(f"line {line_of(node)}: {kind} is not known here: {text_of(node)[:60]!r}")


def _string(node: Node) -> Value:
    pieces: list[Value] = [""]
    source, start = text_of(node).encode(), node.start_byte
    seen = node.children[0].end_byte
    for child in node.children[1:]:
        # The grammar has no node for an escaped dollar: it is what lies between two nodes.
        text = _unescaped(source[seen - start : child.start_byte - start].decode())
        if child.type == "escape_sequence":
            text += _unescaped(text_of(child))
        elif child.type == "string_content":
            text += text_of(child)
        pieces[-1] = f"{pieces[-1]}{text}"
        if child.type == "interpolation":
            pieces += [value_of(operands(child)[0]), ""]
        seen = child.end_byte
    if len(pieces) > 1:
        return Interpolation(text_of(node), tuple(piece for piece in pieces if piece != ""))
    text = str(pieces[0])
    # The first line break after ''' is not part of the text.
    return text.removeprefix("\n") if text_of(node).startswith("'''") else text


def _unescaped(text: str) -> str:
    if not text:
        return ""
    if text.startswith("\\u{"):
        return chr(int(text[3:-1], 16))
    return _ESCAPES[text[1:]]


def _property(node: Node) -> tuple[str, Value]:
    key, value = operands(node)[0], operands(node)[-1]
    name = value_of(key) if key.type == "string" else text_of(key)
    return (name if isinstance(name, str) else text_of(key)[1:-1]), value_of(value)


def _call(node: Node) -> Value:
    function = field_of(node, "function")
    arguments = tuple(value_of(argument) for argument in operands(field_of(node, "arguments")))
    if function.type != "member_expression":
        return Call(text_of(node), text_of(function), None, arguments)
    rest = _after(node, field_of(function, "object"))
    name = re.sub(r"\s", "", rest.partition("(")[0])

    def call(target: Value) -> Value:
        owner = _source(target)
        return Call(f"{owner}{rest}", f"{owner}{name}", target, arguments)

    return behind(_part(field_of(function, "object")), call)


def _member(node: Node) -> Value:
    owner = field_of(node, "object")
    name: Value
    if node.type == "subscript_expression":
        name = value_of(field_of(node, "index"))
    else:
        name = text_of(node.child_by_field_name("property") or field_of(node, "resource"))
    rest = _after(node, owner)
    return behind(_part(owner), lambda of: Member(f"{_source(of)}{rest}", of, name))


def _after(node: Node, inner: Node) -> str:
    """The node's source behind one of its parts."""
    return (node.text or b"")[inner.end_byte - node.start_byte :].decode()


def _source(value: Value) -> str:
    return value.text if isinstance(value, Expression) else repr(value)


def _operation(node: Node) -> Value:
    operator = text_of(field_of(node, "operator"))
    if node.type == "unary_expression":
        return Operation(text_of(node), operator, (_part(field_of(node, "argument")),))
    return operate(text_of(node), operator, _part(field_of(node, "left")), _part(field_of(node, "right")))


def _choice(node: Node) -> Value:
    condition, yes, no = (_part(field_of(node, name)) for name in ("condition", "consequence", "alternative"))
    return choose(text_of(node), condition, yes, no)


def _loop(node: Node) -> Value:
    body = field_of(node, "body")
    before = node.children[: node.children.index(body)]
    after_in = [child for child in before[next(n for n, c in enumerate(before) if c.type == "in") :] if child.is_named]
    heads = [child for child in before if child.is_named and child not in after_in]
    names = [text_of(part) for head in heads for part in (head.named_children or [head])]
    return Loop(text_of(node), tuple(names), value_of(after_in[-1]), value_of(body))


def _condition(node: Node) -> Value:
    condition, body = operands(node)
    return Condition(text_of(node), value_of(condition), value_of(body))


def _lambda(node: Node) -> Value:
    *heads, body = operands(node)
    names = tuple(text_of(part) for head in heads for part in (head.named_children or [head]))
    return Lambda(text_of(node), names, _part(body))


_COMPOUND: Final[dict[str, Callable[[Node], Value]]] = {
    "call_expression": _call,
    "member_expression": _member,
    "resource_expression": _member,
    "subscript_expression": _member,
    "binary_expression": _operation,
    "unary_expression": _operation,
    "ternary_expression": _choice,
    "for_statement": _loop,
    "if_statement": _condition,
    "lambda_expression": _lambda,
}


def operands(node: Node) -> list[Node]:
    """The named children, without comments."""
    return [child for child in node.children if child.is_named and child.type not in _UNNAMED]


def children_of(node: Node, kind: str) -> list[Node]:
    """The children of one kind."""
    return [child for child in node.children if child.type == kind and child.is_named]


def field_of(node: Node, name: str) -> Node:
    """The child in a field that has to be there."""
    found = node.child_by_field_name(name)
    if found is None:
        raise BicepError(f"line {line_of(node)}: {node.type} without {name}: {text_of(node)[:60]!r}")
    return found


def line_of(node: Node) -> int:
    """The line it starts in, from 1."""
    return node.start_point[0] + 1


def text_of(node: Node) -> str:
    """Its source."""
    return (node.text or b"").decode()
