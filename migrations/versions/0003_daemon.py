"""What daemons agree on: configurations, ticks, alerts; and storage that suits tables through which much work passes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync.errors import SchemaError
from sync.store.instants import Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

STORAGE = {
    # Nearly every row is updated once and deleted soon after: what is dead must go before the next claim walks over it.
    "slot": "fillfactor = 85, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,"
    " autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.05",
    "tick": "fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 100",
    # Grows at one end and is pruned at the other.
    "attempt": "autovacuum_vacuum_scale_factor = 0.05",
    # A few rows, written every few seconds for ever.
    "lease": "fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100",
    "counter": "fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100",
}


def upgrade() -> None:
    _configurations()
    _ticks()
    _runs()
    _alerts()
    if op.get_bind().dialect.name == "postgresql":
        for table, settings in STORAGE.items():
            op.execute(f"ALTER TABLE {table} SET ({settings})")


def downgrade() -> None:
    raise SchemaError(
        "the store's schema cannot be taken back: go on with this version of engage-sync or a newer one, "
        "or restore the backup that was made before the upgrade"
    )


def _configurations() -> None:
    op.create_table(
        "configuration",
        sa.Column("id", ID, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("announced_at", Instant, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="configuration_pkey"),
        # The newest is the one with the highest number: none may be given twice.
        sqlite_autoincrement=True,
    )


def _ticks() -> None:
    op.create_table(
        "tick",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("instant", Instant, nullable=False),
        sa.Column("due_at", Instant, nullable=False),
        sa.Column("generation", ID, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("token", sa.Text),
        sa.Column("holder", sa.Text),
        sa.Column("lease_until", Instant),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("reason", sa.Text),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("started_at", Instant),
        sa.Column("finished_at", Instant),
        sa.PrimaryKeyConstraint("key", "instant", name="tick_pkey"),
        sa.CheckConstraint("state IN ('due', 'running', 'done', 'failed', 'skipped')", name="state"),
        sa.CheckConstraint("(state = 'running') = (token IS NOT NULL)", name="token"),
        sa.CheckConstraint("(state = 'running') = (lease_until IS NOT NULL)", name="lease"),
        sa.CheckConstraint("(state IN ('due', 'running')) = (finished_at IS NULL)", name="finished"),
    )
    for state in ("due", "running"):
        where = sa.text(f"state = '{state}'")
        op.create_index(f"tick_one_{state}", "tick", ["key"], unique=True, sqlite_where=where, postgresql_where=where)
    where = sa.text("finished_at IS NOT NULL")
    op.create_index("tick_finished", "tick", ["finished_at"], sqlite_where=where, postgresql_where=where)


def _runs() -> None:
    op.add_column("run", sa.Column("tick", Instant))
    where = sa.text("status IN ('succeeded', 'held')")
    op.create_index(
        "run_one_per_tick", "run", ["definition_id", "tick"], unique=True, sqlite_where=where, postgresql_where=where
    )
    where = sa.text("finished_at IS NOT NULL")
    op.create_index("run_finished", "run", ["finished_at"], sqlite_where=where, postgresql_where=where)


def _alerts() -> None:
    op.create_table(
        "alert",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("since", Instant, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("notified_state", sa.Text),
        sa.Column("notified_at", Instant),
        sa.PrimaryKeyConstraint("name", name="alert_pkey"),
    )
