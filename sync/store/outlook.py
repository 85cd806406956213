"""Whether there is anything to do at a destination: a look that costs next to nothing, for who looks all day long."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import bindparam, text

from sync.store.engine import Database
from sync.store.instants import Instant


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a look found.

    ``due``: somebody may be sent something. ``stuck``: a claim has run out. ``delivered``: backfills are unfinished, and
    nothing is owed any more.
    """

    due: bool
    stuck: bool
    delivered: bool


def outlook(database: Database, destination: str) -> Outlook:
    """Look at ``destination``, without a lock. The cost does not grow with what waits or is parked there."""
    with database.read() as connection:
        values = {"destination": destination, "now": database.now(connection)}
        due, stuck, delivered = connection.execute(_OUTLOOK, values).one()
    return Outlook(bool(due), bool(stuck), bool(delivered))


# SQLite knows a partial index only by its very words; both priorities are named, so that each is one seek in it.
_OUTLOOK = text("""
SELECT
    EXISTS (SELECT 1 FROM slot WHERE destination = :destination AND state IN ('due', 'waiting', 'confirm')
            AND priority IN (0, 1) AND due_at <= :now),
    EXISTS (SELECT 1 FROM slot WHERE destination = :destination AND state = 'sending' AND lease_until < :now),
    EXISTS (SELECT 1 FROM enrolment
            WHERE destination = :destination AND backfill_run_id IS NOT NULL AND backfilled_at IS NULL)
    AND NOT EXISTS (SELECT 1 FROM slot WHERE destination = :destination AND state IN ('due', 'waiting', 'confirm'))
    AND NOT EXISTS (SELECT 1 FROM slot WHERE destination = :destination AND state = 'sending')
""").bindparams(bindparam("now", type_=Instant()))
