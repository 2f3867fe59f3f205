"""Findings: the rows of ``AcrTransferFindings_CL``, whose columns stand in ``columns.json`` alone."""
