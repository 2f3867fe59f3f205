"""Reads Bicep files for the tests that hold them against the code, and checks them against Azure's types.

No Bicep compiler runs here: a file is parsed with tree-sitter, and what the grammar doesn't know (the spread
operator and the non-null ``!``) is an error. "Parses and agrees with the code" is all that follows from it.
"""

from tools.bicep.expressions import BicepError
from tools.bicep.model import (
    REQUIRED,
    BicepFile,
    Call,
    Choice,
    Condition,
    Expression,
    Interpolation,
    Lambda,
    Loop,
    Member,
    Module,
    Name,
    Operation,
    Output,
    Parameter,
    Property,
    Resource,
    Type,
    TypeDeclaration,
    Value,
    Variable,
    walk,
)
from tools.bicep.reader import parse, read

__all__ = [
    "REQUIRED",
    "BicepError",
    "BicepFile",
    "Call",
    "Choice",
    "Condition",
    "Expression",
    "Interpolation",
    "Lambda",
    "Loop",
    "Member",
    "Module",
    "Name",
    "Operation",
    "Output",
    "Parameter",
    "Property",
    "Resource",
    "Type",
    "TypeDeclaration",
    "Value",
    "Variable",
    "parse",
    "read",
    "walk",
]
