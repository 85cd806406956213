"""The tables of what was received: the event log, profiles made of it, and how far each destination has come in it.

There is one log, not one for each destination. An ``id`` is drawn from the store-wide counter while its row is locked,
and the lock is held until the events are committed: whoever has seen an id has seen every lower one that there will
ever be. Slots' versions come from the same counter, so that what was recorded later has the higher number, whichever of
both it is.

``lane`` is a hash of the user: a destination's lanes are read side by side, each in order, each with a cursor of its own.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from sync.store.instants import Instant
from sync.store.schema import Document, Id, UserId, metadata

event = Table(
    "event",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("source", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("name", Text),
    Column("user_id", UserId),
    Column("anonymous_id", Text),
    Column("timestamp", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("lane", Integer, nullable=False),
    Column("collected", Boolean, nullable=False),
    Column("body", Document, nullable=False),
    UniqueConstraint("message_id", "source"),
    Index("event_by_name", "name", "timestamp", "user_id"),
    Index("event_by_user", "user_id", "name", "timestamp"),
)
"""``name``: a track's event, ``Page Viewed``, ``Screen Viewed``, else nothing. ``collected``: our API received it; else it
was read from a customer's database and is here only to be forwarded. ``body``: the event as Segment would deliver it."""

profile = Table(
    "profile",
    metadata,
    Column("user_id", UserId, primary_key=True),
    Column("traits", Document, nullable=False),
    Column("times", Document, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index("profile_updated", "updated_at"),
)
"""``traits`` as the latest events say; ``times``: trait → the timestamp of the event that said so, also for those that
an event has taken away (null)."""

suppression = Table(
    "suppression",
    metadata,
    Column("user_hash", Text, primary_key=True),
    Column("since", Instant, nullable=False),
    Column("forgotten", Boolean, nullable=False, server_default=false()),
)
"""Users of whom nothing is taken in and nothing is sent: by a hash of the id (`sync.model.kept_out`), so that the list names
nobody. Of those who were ``forgotten``, nothing is kept here either."""

forwarding = Table(
    "forwarding",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("floor", BigInteger, nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("token", Text),
)
"""Destinations that get events: everything up to ``floor`` is done with or held, or was there before they were.
``token``: of who forwards there now; it stays when that one dies, and tells that something may have been on its way."""

lane = Table(
    "lane",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("cursor", BigInteger, nullable=False),
)
"""Of each lane, everything up to ``cursor`` is done with or held. A lane without a row is where the floor is."""

hold = Table(
    "hold",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("event_id", Id, primary_key=True, autoincrement=False),
    Column("user_key", UserId, nullable=False),
    Column("state", Text, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("failing_since", Instant),
    Column("reason", Text),
    Column("held_since", Instant, nullable=False),
    CheckConstraint("state IN ('waiting', 'parked')", name="state"),
    Index(
        "hold_waiting",
        "destination",
        "event_id",
        sqlite_where=text("state = 'waiting'"),
        postgresql_where=text("state = 'waiting'"),
    ),
    Index("hold_user", "destination", "user_key", "event_id"),
)
"""Events that their lane has left behind: ``waiting`` for another try, or for an earlier one of their user; ``parked``."""

event_outcome = Table(
    "event_outcome",
    metadata,
    Column("event_id", Id, primary_key=True, autoincrement=False),
    Column("destination", Text, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("status", Integer),
    Column("detail", Text, nullable=False),
    Index("event_outcome_at", "at"),
)
"""What became of an event at a destination, the last time that anything did."""

feed = Table(
    "feed",
    metadata,
    Column("name", Text, primary_key=True),
    Column("marks", Document, nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)
"""A customer's table whose new rows are sent on as events, and how far it has been read: ``marks`` is a list of
``[instant, cursor]``, oldest first, as far back as rows may appear late."""
