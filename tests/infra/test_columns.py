"""The table, the stream of its data collection rule, and the rows that the code writes have the same columns."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from shared.findings.columns import columns
from shared.settings import DEFAULT_STREAM
from tools.bicep import read
from tools.bicep.evaluate import Evaluator

MODULES = Path(__file__).resolve().parents[2] / "infra" / "modules"
# What Log Analytics keeps for itself.
_RESERVED = {"_resourceid", "id", "_subscriptionid", "tenantid", "type", "uniqueid", "title"}
_STREAM_TYPES = {"string", "int", "long", "real", "boolean", "dynamic", "datetime"}


def _properties(module: str, resource: str) -> dict[str, Any]:
    file = read(MODULES / module)
    properties = Evaluator(file, {"tableName": "T_CL"}).all(file.resources[resource].body["properties"])
    assert isinstance(properties, dict)
    return properties


def test_the_table_has_the_columns_of_a_row() -> None:
    table = read(MODULES / "findings-table.bicep")
    schema = _properties("findings-table.bicep", "table")["schema"]
    wanted = [{"name": c.name, "type": "dateTime" if c.type == "datetime" else c.type} for c in columns()]
    assert schema["columns"] == wanted
    assert schema["name"] == Evaluator(table).all(table.resources["table"].body["name"])


def test_the_stream_has_the_columns_of_a_row() -> None:
    properties = _properties("data-collection.bicep", "rule")
    # The stream's name is a key, which is kept as it is written.
    assert properties["streamDeclarations"] == {
        "${findings.stream}": {"columns": [{"name": c.name, "type": c.type} for c in columns()]}
    }
    [flow] = properties["dataFlows"]
    assert flow["streams"] == [DEFAULT_STREAM]
    assert flow["outputStream"] == "Custom-T_CL"
    assert flow["destinations"] == [properties["destinations"]["logAnalytics"][0]["name"]]


def test_rows_are_sent_as_the_stream_that_the_rule_declares() -> None:
    file = read(MODULES / "data-collection.bicep")
    assert Evaluator(file).all(file.outputs["streamName"].value) == DEFAULT_STREAM


def test_names_and_types_are_such_as_log_analytics_takes() -> None:
    for column in columns():
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,44}", column.name)
        assert column.name.lower() not in _RESERVED
        assert column.type in _STREAM_TYPES
    assert len(columns()) <= 500
    assert [c.type for c in columns() if c.name == "TimeGenerated"] == ["datetime"]
