"""What the collector received says its number and, of pages and screens, their names: the query language asks for both."""

from __future__ import annotations

from alembic import op

from sync.errors import SchemaError

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

VIEWS = {
    "sqlite": """CREATE VIEW collected_events AS SELECT user_id, anonymous_id, name AS event, type, timestamp, received_at,
        message_id, source, body -> '$.properties' AS properties, body -> '$.traits' AS traits,
        body -> '$.context' AS context, id, body -> '$.name' AS name FROM event WHERE collected""",
    "postgresql": """CREATE VIEW collected_events AS SELECT user_id, anonymous_id, name AS event, type, timestamp, received_at,
        message_id, source, body -> 'properties' AS properties, body -> 'traits' AS traits, body -> 'context' AS context,
        id, body -> 'name' AS name FROM event WHERE collected""",
}


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    view = VIEWS[dialect]
    if dialect == "postgresql":  # with columns added at its end, it may stay for whoever depends on it
        op.execute(view.replace("CREATE VIEW", "CREATE OR REPLACE VIEW"))
    else:
        op.execute("DROP VIEW collected_events")
        op.execute(view)


def downgrade() -> None:
    raise SchemaError(
        "the store's schema cannot be taken back: go on with this version of engage-sync or a newer one, "
        "or restore the backup that was made before the upgrade"
    )
