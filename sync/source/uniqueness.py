"""Whether the database itself sees to it that no value stands in a column twice. Where it does not say so, it may."""

from __future__ import annotations

from sqlalchemy import Connection, text

from sync.source.names import quoted

_POSTGRESQL = text("""
SELECT count(*) FROM pg_index AS i
JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
WHERE i.indrelid = to_regclass(CAST(:name AS text)) AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1
AND i.indpred IS NULL AND i.indexprs IS NULL AND a.attname = :column""")

_DUCKDB = text("""
SELECT count(*) FROM duckdb_constraints()
WHERE database_name = current_database() AND table_name = :name AND constraint_column_names = [:column]
AND schema_name = CASE WHEN :schema = '' THEN current_schema() ELSE :schema END
AND constraint_type IN ('PRIMARY KEY', 'UNIQUE')""")

_MYSQL = text("""
SELECT count(*) FROM (
  SELECT index_name FROM information_schema.statistics
  WHERE table_schema = CASE WHEN :schema = '' THEN database() ELSE :schema END AND table_name = :name AND non_unique = 0
  GROUP BY index_name HAVING count(*) = 1 AND max(column_name) = :column AND max(sub_part) IS NULL
) AS alone""")


def is_unique(connection: Connection, name: str, column: str) -> bool:
    """Whether it is the whole of a primary or a unique key of the table, which a view never has."""
    schema, _, own = name.rpartition(".")
    match connection.dialect.name:
        case "sqlite":
            return _sqlite(connection, schema, own, column)
        case "postgresql":
            return bool(connection.execute(_POSTGRESQL, {"name": quoted(connection, name), "column": column}).scalar())
        case "duckdb" | "mysql" as dialect:
            asked = {"schema": schema, "name": own, "column": column}
            return bool(connection.execute(_DUCKDB if dialect == "duckdb" else _MYSQL, asked).scalar())
    return False


def _sqlite(connection: Connection, schema: str, own: str, column: str) -> bool:
    quote = connection.dialect.identifier_preparer.quote_identifier
    before = f"{quote(schema)}." if schema else ""

    def told(pragma: str, of: str) -> list[dict[str, object]]:
        rows = connection.exec_driver_sql(f"PRAGMA {before}{pragma}({quote(of)})")
        return [dict(row) for row in rows.mappings()]

    if [each["name"] for each in told("table_info", own) if each["pk"]] == [column]:
        return True
    keys = [str(each["name"]) for each in told("index_list", own) if each["unique"] and not each["partial"]]
    return any([each["name"] for each in told("index_info", key)] == [column] for key in keys)
