"""The event log, profiles made of it, and how far each destination and each feed has come."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from sync.errors import SchemaError
from sync.store.instants import Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.Text().with_variant(JSONB(), "postgresql")
USER_ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

STORAGE = {
    # Grow at one end and are pruned at the other; never updated.
    "event": "autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05",
    "event_outcome": "autovacuum_vacuum_scale_factor = 0.05",
    # A few rows, written many times a second.
    "lane": "fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000",
    "forwarding": "fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000",
    "hold": "fillfactor = 85, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000",
}

# What definitions with `source: collector` read: names and columns are documented, the tables below them are not.
VIEWS = {
    "sqlite": (
        """CREATE VIEW collected_events AS SELECT user_id, anonymous_id, name AS event, type, timestamp, received_at, message_id,
        source, body -> '$.properties' AS properties, body -> '$.traits' AS traits, body -> '$.context' AS context
        FROM event WHERE collected""",
        "CREATE VIEW collected_profiles AS SELECT user_id, traits, created_at, updated_at FROM profile",
    ),
    "postgresql": (
        """CREATE VIEW collected_events AS SELECT user_id, anonymous_id, name AS event, type, timestamp, received_at, message_id,
        source, body -> 'properties' AS properties, body -> 'traits' AS traits, body -> 'context' AS context
        FROM event WHERE collected""",
        "CREATE VIEW collected_profiles AS SELECT user_id, traits, created_at, updated_at FROM profile",
    ),
}


def upgrade() -> None:
    _log()
    _profiles()
    _forwarding()
    _outcomes()
    dialect = op.get_bind().dialect.name
    for view in VIEWS[dialect]:
        op.execute(view)
    if dialect == "postgresql":
        for table, settings in STORAGE.items():
            op.execute(f"ALTER TABLE {table} SET ({settings})")


def downgrade() -> None:
    raise SchemaError(
        "the store's schema cannot be taken back: go on with this version of engage-sync or a newer one, "
        "or restore the backup that was made before the upgrade"
    )


def _log() -> None:
    op.create_table(
        "event",
        sa.Column("id", ID, nullable=False, autoincrement=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("user_id", USER_ID),
        sa.Column("anonymous_id", sa.Text),
        sa.Column("timestamp", Instant, nullable=False),
        sa.Column("received_at", Instant, nullable=False),
        sa.Column("lane", sa.Integer, nullable=False),
        sa.Column("collected", sa.Boolean, nullable=False),
        sa.Column("body", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="event_pkey"),
        sa.UniqueConstraint("message_id", "source", name="event_message_id_key"),
    )
    op.create_index("event_by_name", "event", ["name", "timestamp", "user_id"])
    op.create_index("event_by_user", "event", ["user_id", "name", "timestamp"])


def _profiles() -> None:
    op.create_table(
        "profile",
        sa.Column("user_id", USER_ID, nullable=False),
        sa.Column("traits", DOCUMENT, nullable=False),
        sa.Column("times", DOCUMENT, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="profile_pkey"),
    )
    op.create_index("profile_updated", "profile", ["updated_at"])
    op.create_table(
        "suppression",
        sa.Column("user_hash", sa.Text, nullable=False),
        sa.Column("since", Instant, nullable=False),
        sa.PrimaryKeyConstraint("user_hash", name="suppression_pkey"),
    )


def _forwarding() -> None:
    op.create_table(
        "forwarding",
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("floor", sa.BigInteger, nullable=False),
        sa.Column("began_at", Instant, nullable=False),
        sa.Column("token", sa.Text),
        sa.PrimaryKeyConstraint("destination", name="forwarding_pkey"),
    )
    op.create_table(
        "lane",
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("cursor", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("destination", "number", name="lane_pkey"),
    )
    op.create_table(
        "feed",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("marks", DOCUMENT, nullable=False),
        sa.Column("began_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("name", name="feed_pkey"),
    )


def _outcomes() -> None:
    op.create_table(
        "hold",
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("event_id", ID, nullable=False, autoincrement=False),
        sa.Column("user_key", USER_ID, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("due_at", Instant, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("failing_since", Instant),
        sa.Column("reason", sa.Text),
        sa.Column("held_since", Instant, nullable=False),
        sa.PrimaryKeyConstraint("destination", "event_id", name="hold_pkey"),
        sa.CheckConstraint("state IN ('waiting', 'parked')", name="state"),
    )
    where = sa.text("state = 'waiting'")
    op.create_index("hold_waiting", "hold", ["destination", "event_id"], sqlite_where=where, postgresql_where=where)
    op.create_index("hold_user", "hold", ["destination", "user_key", "event_id"])
    op.create_table(
        "event_outcome",
        sa.Column("event_id", ID, nullable=False, autoincrement=False),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("event_id", "destination", name="event_outcome_pkey"),
    )
    op.create_index("event_outcome_at", "event_outcome", ["at"])
