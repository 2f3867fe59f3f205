"""The workbook as code: small blocks, one file for each tab, the queries from infra/queries.

`python -m tools.generate` writes what `workbook_json` returns to infra/workbooks/.
"""

from tools.workbook.compose import WORKBOOK, workbook_json

__all__ = ["WORKBOOK", "workbook_json"]
