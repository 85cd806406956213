"""Definitions, runs, snapshots, enrolments, slots, attempts, leases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from sync.store.instants import Instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
USER_ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
DOCUMENT = sa.Text().with_variant(JSONB(), "postgresql")
COUNTS = ("members", "entered", "exited", "changed", "unchanged", "held")


def upgrade() -> None:
    _identity()
    _runs()
    _snapshots()
    _slots()
    _operations()
    op.execute("INSERT INTO counter (name, value) VALUES ('version', 0)")


def _identity() -> None:
    op.create_table(
        "project",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="project_pkey"),
        sa.CheckConstraint("id = 1", name="single"),
    )
    op.create_table(
        "counter",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="counter_pkey"),
    )
    op.create_table(
        "definition",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("on_delete", sa.Text, nullable=False),
        sa.Column("as_of", Instant),
        sa.Column("members", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("recorded_at", Instant),
        sa.Column("removed_at", Instant),
        sa.PrimaryKeyConstraint("id", name="definition_pkey"),
        sa.UniqueConstraint("key", name="definition_key_key"),
        sa.CheckConstraint("kind IN ('audience', 'trait')", name="kind"),
    )


def _runs() -> None:
    op.create_table(
        "run",
        sa.Column("id", ID, nullable=False),
        sa.Column("definition_id", ID, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("lease_until", Instant, nullable=False),
        sa.Column("as_of", Instant, nullable=False),
        sa.Column("forced", sa.Boolean, nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("finished_at", Instant),
        *(sa.Column(count, sa.BigInteger, nullable=False, server_default="0") for count in COUNTS),
        sa.Column("message", sa.Text),
        sa.PrimaryKeyConstraint("id", name="run_pkey"),
        sa.ForeignKeyConstraint(["definition_id"], ["definition.id"], name="run_definition_id_fkey"),
        # An enrolment remembers runs by number: none may be given twice, even when the newest are pruned.
        sqlite_autoincrement=True,
    )
    running = sa.text("status = 'running'")
    op.create_index(
        "run_one_running", "run", ["definition_id"], unique=True, sqlite_where=running, postgresql_where=running
    )
    op.create_index("run_history", "run", ["definition_id", "id"])


def _snapshots() -> None:
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    # The diff compares a hash of the value, read from the key's own index: no heap page is touched for who is unchanged.
    hashed = [
        sa.Column(
            "value_hash", sa.BigInteger, sa.Computed("hashtextextended(value, 0)", persisted=True), nullable=False
        ),
        sa.PrimaryKeyConstraint("definition_id", "user_id", name="snapshot_pkey", postgresql_include=["value_hash"]),
    ]
    plain = [sa.PrimaryKeyConstraint("definition_id", "user_id", name="snapshot_pkey")]
    op.create_table(
        "snapshot",
        sa.Column("definition_id", ID, nullable=False),
        sa.Column("user_id", USER_ID, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("run_id", ID, nullable=False),
        *(hashed if on_postgresql else plain),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "enrolment",
        sa.Column("definition_id", ID, nullable=False),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("enrolled_run_id", ID, nullable=False),
        sa.Column("left_run_id", ID),
        sa.Column("backfill_run_id", ID),
        sa.Column("backfilled_at", Instant),
        sa.PrimaryKeyConstraint("definition_id", "destination", name="enrolment_pkey"),
        sa.ForeignKeyConstraint(["definition_id"], ["definition.id"], name="enrolment_definition_id_fkey"),
    )


def _slots() -> None:
    op.create_table(
        "slot",
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("user_id", USER_ID, nullable=False),
        sa.Column("owed", DOCUMENT, nullable=False),
        sa.Column("base", DOCUMENT, nullable=False),
        sa.Column("enrichment", DOCUMENT, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("doubt", sa.Boolean, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("due_at", Instant, nullable=False),
        sa.Column("owed_since", Instant, nullable=False),
        sa.Column("token", sa.Text),
        sa.Column("lease_until", Instant),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("failing_since", Instant),
        sa.Column("reason", sa.Text),
        sa.PrimaryKeyConstraint("destination", "user_id", name="slot_pkey"),
        sa.CheckConstraint("state IN ('due', 'sending', 'confirm', 'waiting', 'parked')", name="state"),
        sa.CheckConstraint("(state = 'sending') = (token IS NOT NULL)", name="token"),
        sa.CheckConstraint("(state = 'sending') = (lease_until IS NOT NULL)", name="lease"),
        sqlite_with_rowid=False,
    )
    for name, columns, condition in (
        ("slot_due", ["destination", "priority", "due_at"], "state IN ('due', 'waiting', 'confirm')"),
        ("slot_sending", ["destination", "lease_until"], "state = 'sending'"),
        ("slot_empty", ["destination"], "owed = '{}'"),
        ("slot_parked", ["destination", "user_id"], "state = 'parked'"),
    ):
        where = sa.text(condition)
        op.create_index(name, "slot", columns, sqlite_where=where, postgresql_where=where)


def _operations() -> None:
    op.create_table(
        "attempt",
        sa.Column("id", ID, nullable=False),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("user_id", USER_ID, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("sent", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="attempt_pkey"),
    )
    op.create_index("attempt_user", "attempt", ["user_id", "id"])
    op.create_table(
        "lease",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("term", sa.BigInteger, nullable=False),
        sa.Column("until", Instant, nullable=False),
        sa.PrimaryKeyConstraint("name", name="lease_pkey"),
    )
    op.create_table(
        "destination",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("breaker", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.Column("last_error", sa.Text),
        sa.Column("last_error_at", Instant),
        sa.PrimaryKeyConstraint("name", name="destination_pkey"),
    )
