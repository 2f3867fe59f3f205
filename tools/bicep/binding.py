"""Puts right how tightly things bind.

tree-sitter-bicep 1.1 reads ``a ? b : c.d`` as ``(a ? b : c).d``, and the same behind operators and ``=>``. What
stands in parentheses is marked while an expression is put together, so that all else can be told apart and bound
as Bicep binds it: members and calls first, then operators by their rank, ``? :`` and ``=>`` last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from tools.bicep.model import Call, Choice, Expression, Lambda, Member, Operation, Value

_RANKS: Final = (
    ("??",),
    ("||",),
    ("&&",),
    ("==", "!=", "=~", "!~"),
    ("<", "<=", ">", ">="),
    ("+", "-"),
    ("*", "/", "%"),
)
_RANK: Final = {operator: rank for rank, operators in enumerate(_RANKS) for operator in operators}
_UNARY: Final = len(_RANKS)


@dataclass(frozen=True)
class Group(Expression):
    """What stands in parentheses: nothing outside binds to its inside."""

    inner: Value


def behind(value: Value, wrap: Callable[[Value], Value]) -> Value:
    """Puts a member access or a call on the last operand of ``value``, to which it belongs."""
    if isinstance(value, Choice):
        return replace(value, no=behind(value.no, wrap))
    if isinstance(value, Lambda):
        return replace(value, body=behind(value.body, wrap))
    if isinstance(value, Operation):
        *first, last = value.operands
        return replace(value, operands=(*first, behind(last, wrap)))
    return wrap(value)


def operate(text: str, operator: str, left: Value, right: Value) -> Value:
    """``left operator right``, where ``left`` may end in something that binds less tightly."""
    if isinstance(left, Choice):
        return Choice(text, left.condition, left.yes, operate(_text(left.no), operator, left.no, right))
    if isinstance(left, Lambda):
        return Lambda(text, left.variables, operate(_text(left.body), operator, left.body, right))
    if isinstance(left, Operation) and _rank(left) < _RANK[operator]:
        *first, last = left.operands
        return Operation(text, left.operator, (*first, operate(_text(last), operator, last, right)))
    return Operation(text, operator, (left, right))


def choose(text: str, condition: Value, yes: Value, no: Value) -> Value:
    """``condition ? yes : no``, where ``condition`` may end in another choice's last part."""
    if isinstance(condition, Choice):
        return Choice(text, condition.condition, condition.yes, choose(_text(condition.no), condition.no, yes, no))
    if isinstance(condition, Lambda):
        return Lambda(text, condition.variables, choose(_text(condition.body), condition.body, yes, no))
    return Choice(text, condition, yes, no)


def ungrouped(value: Value) -> Value:
    """The value without the marks of parentheses."""
    if isinstance(value, Group):
        return ungrouped(value.inner)
    if isinstance(value, Choice):
        return Choice(value.text, ungrouped(value.condition), ungrouped(value.yes), ungrouped(value.no))
    if isinstance(value, Lambda):
        return replace(value, body=ungrouped(value.body))
    if isinstance(value, Operation):
        return replace(value, operands=tuple(map(ungrouped, value.operands)))
    if isinstance(value, Member):
        return replace(value, of=ungrouped(value.of))
    if isinstance(value, Call):
        return replace(value, target=ungrouped(value.target))
    return value


def _rank(operation: Operation) -> int:
    return _RANK[operation.operator] if len(operation.operands) > 1 else _UNARY


def _text(value: Value) -> str:
    return value.text if isinstance(value, Expression) else repr(value)
