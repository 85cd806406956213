"""The tables of those who are to be forgotten: what is still to be done about it, and that it was done."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text, text

from sync.store.instants import Instant
from sync.store.schema import Document, Id, UserId, metadata

secret = Table(
    "secret",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
"""``user_hash``: what the hashes of users are keyed with. Made with the store; it never changes."""

forgetting = Table(
    "forgetting",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_hash", Text, nullable=False),
    Column("user_id", UserId),
    Column("asked_at", Instant, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("counts", Document, nullable=False),
    Column("swept_at", Instant),
    Column("finished_at", Instant),
    Column("purged_at", Instant),
    Index("forgetting_user", "user_hash", "id"),
    Index(
        "forgetting_open",
        "id",
        sqlite_where=text("purged_at IS NULL"),
        postgresql_where=text("purged_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)
"""That somebody was forgotten: when, and who asked for it. ``user_id`` stands here for as long as it is needed, that is
until it is ``swept`` from the event log and each destination has accepted the deletion; then it is ``finished``.
``purged``: the bytes have been overwritten too. ``counts`` are the rows that were removed, by their kind."""

deletion = Table(
    "deletion",
    metadata,
    Column("forgetting_id", Id, ForeignKey("forgetting.id"), primary_key=True),
    Column("destination", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("failing_since", Instant),
    Column("reason", Text),
    Column("settled_at", Instant),
    Column("bulk_until", Instant),
    Column("else_at", Instant),
    CheckConstraint("state IN ('owed', 'done', 'refused', 'dropped')", name="state"),
    Index(
        "deletion_owed",
        "destination",
        "due_at",
        sqlite_where=text("state = 'owed'"),
        postgresql_where=text("state = 'owed'"),
    ),
)
"""What a destination is to be told, and was. ``refused``: until somebody has mended the cause and asks again;
``dropped``: the destination is configured no more. One that waits for a bulk request has its ``give_up_at`` as
``bulk_until``; once that has ended, it is due at ``else_at``."""
