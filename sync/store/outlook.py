"""Whether there is anything to do at a destination: a look that costs next to nothing, for who looks all day long."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Boolean, text

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
        *due, claimed_until, unsent_until, held_until, unfinished = connection.execute(
            _OUTLOOK, {"destination": destination}
        ).one()
        now = database.now(connection)
    return Outlook(
        due=any(each is not None and each <= now for each in due),
        stuck=any(each is not None and each < now for each in (claimed_until, unsent_until, held_until)),
        delivered=bool(unfinished) and not any((*due, claimed_until, held_until)),
    )


# The first of each by an index: SQLite knows a partial one only by its very words, and counts or tests for existence with
# the table itself, which is long. Priorities are those of deltas and of backfills.
_FIRST_DUE = """(
    SELECT min(due_at) FROM slot
    WHERE destination = :destination AND state IN ('due', 'waiting', 'confirm') AND priority = {}
        AND bulk_token IS NULL)"""

_OUTLOOK = text(f"""
SELECT {_FIRST_DUE.format(0)} AS delta_due, {_FIRST_DUE.format(1)} AS backfill_due,
    (SELECT min(lease_until) FROM slot WHERE destination = :destination AND state = 'sending') AS claimed_until,
    (SELECT min(lease_until) FROM bulk WHERE destination = :destination AND request_id IS NULL) AS unsent_until,
    (SELECT min(give_up_at) FROM bulk WHERE destination = :destination) AS held_until,
    EXISTS (SELECT 1 FROM enrolment
            WHERE destination = :destination AND backfill_run_id IS NOT NULL AND backfilled_at IS NULL) AS unfinished
""").columns(
    delta_due=Instant(),
    backfill_due=Instant(),
    claimed_until=Instant(),
    unsent_until=Instant(),
    held_until=Instant(),
    unfinished=Boolean(),
)
