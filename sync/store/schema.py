"""The store's tables, for the statements written with SQLAlchemy Core.

Alembic (``migrations/``) creates them; a test proves that both agree. What two processes must not do at once is
forbidden here, by constraints: one project per store, one owner per key, one running run per definition, one recorded
run per tick, one due and one running tick per definition, one slot per (destination, user).

PostgreSQL's ``snapshot`` has one more column, ``value_hash``, generated from the value and read only by the diff
(``store/postgresql``); SQLite has no 64-bit hash and compares the values.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from sync.store.instants import Instant

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

Document = Text().with_variant(JSONB(), "postgresql")
"""A JSON object: text on SQLite, jsonb on PostgreSQL."""

UserId = Text().with_variant(Text(collation="C"), "postgresql")
"""Compared by bytes, so that index scans of two sets can be merged."""

Id = BigInteger().with_variant(Integer(), "sqlite")

project = Table(
    "project",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="single"), primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
)

counter = Table(
    "counter",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

definition = Table(
    "definition",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", Text, CheckConstraint("kind IN ('audience', 'trait')", name="kind"), nullable=False),
    Column("key", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("computation_id", Text, nullable=False, server_default=text("''")),
    Column("fingerprint", Text, nullable=False),
    Column("on_delete", Text, nullable=False),
    Column("as_of", Instant),
    Column("members", BigInteger, nullable=False, server_default="0"),
    Column("created_at", Instant, nullable=False),
    Column("recorded_at", Instant),
    Column("removed_at", Instant),
    UniqueConstraint("key"),
)

run = Table(
    "run",
    metadata,
    Column("id", Id, primary_key=True),
    Column("definition_id", Id, ForeignKey("definition.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("holder", Text, nullable=False),
    Column("lease_until", Instant, nullable=False),
    Column("as_of", Instant, nullable=False),
    Column("forced", Boolean, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    *(
        Column(count, BigInteger, nullable=False, server_default="0")
        for count in ("members", "entered", "exited", "changed", "unchanged", "held")
    ),
    Column("message", Text),
    Column("tick", Instant),
    Column("extent", Text),
    Column("why_full", Text),
    Column("candidates", BigInteger),
    Column("missed", BigInteger),
    Index(
        "run_one_running",
        "definition_id",
        unique=True,
        sqlite_where=text("status = 'running'"),
        postgresql_where=text("status = 'running'"),
    ),
    Index(
        "run_one_per_tick",
        "definition_id",
        "tick",
        unique=True,
        sqlite_where=text("status IN ('succeeded', 'held')"),
        postgresql_where=text("status IN ('succeeded', 'held')"),
    ),
    Index("run_history", "definition_id", "id"),
    Index(
        "run_finished",
        "finished_at",
        sqlite_where=text("finished_at IS NOT NULL"),
        postgresql_where=text("finished_at IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

watermark = Table(
    "watermark",
    metadata,
    Column("definition_id", Id, ForeignKey("definition.id"), primary_key=True, autoincrement=False),
    Column("read_at", Instant, nullable=False),
    Column("as_of", Instant, nullable=False),
    Column("asked", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("marks", Document, nullable=False),
    Column("in_full", Text),
    Column("full_at", Instant, nullable=False),
    Column("missed", BigInteger, nullable=False, server_default="0"),
    Column("broken_at", Instant),
)
"""How far the last recorded run of a definition had read its source (`sync.model.watermark`)."""

snapshot = Table(
    "snapshot",
    metadata,
    Column("definition_id", Id, primary_key=True),
    Column("user_id", UserId, primary_key=True),
    Column("value", Text, nullable=False),
    Column("run_id", Id, nullable=False),
    sqlite_with_rowid=False,
)

enrolment = Table(
    "enrolment",
    metadata,
    Column("definition_id", Id, ForeignKey("definition.id"), primary_key=True),
    Column("destination", Text, primary_key=True),
    Column("active", Boolean, nullable=False),
    Column("enrolled_run_id", Id, nullable=False),
    Column("left_run_id", Id),
    Column("backfill_run_id", Id),
    Column("backfilled_at", Instant),
)

SENDABLE = "state IN ('due', 'waiting', 'confirm')"
SENDING = "state = 'sending'"
PARKED = "state = 'parked'"
"""The conditions of partial indexes: a statement that is to be answered by one says it in these very words."""

slot = Table(
    "slot",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("user_id", UserId, primary_key=True),
    Column("owed", Document, nullable=False),
    Column("base", Document, nullable=False),
    Column("enrichment", Document, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("doubt", Boolean, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("owed_since", Instant, nullable=False),
    Column("token", Text),
    Column("lease_until", Instant),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("failing_since", Instant),
    Column("reason", Text),
    Column("sent", Document),
    Column("singly", BigInteger, nullable=False, server_default="0"),
    Column("bulk_token", Text),
    CheckConstraint("state IN ('due', 'sending', 'confirm', 'waiting', 'parked')", name="state"),
    CheckConstraint("(state = 'sending') = (token IS NOT NULL)", name="token"),
    CheckConstraint("(state = 'sending') = (lease_until IS NOT NULL)", name="lease"),
    CheckConstraint("bulk_token IS NULL OR state = 'due'", name="bulk"),
    Index(
        "slot_due",
        "destination",
        "priority",
        "due_at",
        "user_id",
        sqlite_where=text(SENDABLE),
        postgresql_where=text(SENDABLE),
    ),
    Index(
        "slot_sending",
        "destination",
        "lease_until",
        sqlite_where=text(SENDING),
        postgresql_where=text(SENDING),
    ),
    Index(
        "slot_empty",
        "destination",
        sqlite_where=text("owed = '{}'"),
        postgresql_where=text("owed = '{}'"),
    ),
    Index(
        "slot_parked",
        "destination",
        "user_id",
        sqlite_where=text(PARKED),
        postgresql_where=text(PARKED),
    ),
    sqlite_with_rowid=False,
)

bulk = Table(
    "bulk",
    metadata,
    Column("id", Id, primary_key=True),
    Column("destination", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("request_id", Text),
    Column("users", Integer, nullable=False),
    Column("members", Text, nullable=False, server_default=text("'[]'")),
    Column("sent", Text),
    Column("sent_at", Instant, nullable=False),
    Column("lease_until", Instant, nullable=False),
    Column("give_up_at", Instant, nullable=False),
    Index("bulk_destination", "destination"),
    sqlite_autoincrement=True,
)
"""Requests with many users' slots. Theirs have its ``token`` as ``bulk_token`` and are among its ``members``, a JSON list; what
is on its way of each stands in ``slot.sent``, and of all in ``sent``, as `bulk_attempt` has it, while nobody was left out.
Without a ``request_id`` nobody knows whether it arrived, and ``lease_until`` holds."""

attempt = Table(
    "attempt",
    metadata,
    Column("id", Id, primary_key=True),
    Column("destination", Text, nullable=False),
    Column("user_id", UserId, nullable=False),
    Column("at", Instant, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("status", Integer),
    Column("detail", Text, nullable=False),
    Column("sent", Document, nullable=False),
    Index("attempt_user", "user_id", "id"),
)

bulk_attempt = Table(
    "bulk_attempt",
    metadata,
    Column("id", Id, primary_key=True),
    Column("destination", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("status", Integer),
    Column("detail", Text, nullable=False),
    Column("first_user", UserId, nullable=False),
    Column("last_user", UserId, nullable=False),
    Column("sent", Text, nullable=False),
    Index("bulk_attempt_users", "first_user", "last_user"),
)
"""Attempts of many users in one request (`sync.store.bulk_attempts`). ``sent`` is JSON on either engine, and is kept as the
text that it is put together as: a list of ``{"sent", "enrichment", "users"}``, these as slots have them."""

lease = Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("term", BigInteger, nullable=False),
    Column("until", Instant, nullable=False),
)

destination = Table(
    "destination",
    metadata,
    Column("name", Text, primary_key=True),
    Column("breaker", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("last_error", Text),
    Column("last_error_at", Instant),
)

configuration = Table(
    "configuration",
    metadata,
    Column("id", Id, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("announced_at", Instant, nullable=False),
    Column("holder", Text, nullable=False),
    sqlite_autoincrement=True,
)

tick = Table(
    "tick",
    metadata,
    Column("key", Text, primary_key=True),
    Column("instant", Instant, primary_key=True),
    Column("due_at", Instant, nullable=False),
    Column("generation", Id, nullable=False),
    Column("state", Text, nullable=False),
    Column("token", Text),
    Column("holder", Text),
    Column("lease_until", Instant),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("reason", Text),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    CheckConstraint("state IN ('due', 'running', 'done', 'failed', 'skipped')", name="state"),
    CheckConstraint("(state = 'running') = (token IS NOT NULL)", name="token"),
    CheckConstraint("(state = 'running') = (lease_until IS NOT NULL)", name="lease"),
    CheckConstraint("(state IN ('due', 'running')) = (finished_at IS NULL)", name="finished"),
    Index(
        "tick_one_due",
        "key",
        unique=True,
        sqlite_where=text("state = 'due'"),
        postgresql_where=text("state = 'due'"),
    ),
    Index(
        "tick_one_running",
        "key",
        unique=True,
        sqlite_where=text("state = 'running'"),
        postgresql_where=text("state = 'running'"),
    ),
    Index(
        "tick_finished",
        "finished_at",
        sqlite_where=text("finished_at IS NOT NULL"),
        postgresql_where=text("finished_at IS NOT NULL"),
    ),
)

alert = Table(
    "alert",
    metadata,
    Column("name", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("detail", Text, nullable=False),
    Column("notified_state", Text),
    Column("notified_at", Instant),
)
