"""The embedded store: findings in DuckDB, asked in KQL. For local use; Azure has Log Analytics."""
