"""The kit for SQL backends: tables, statements, executor, repositories, migrations."""
