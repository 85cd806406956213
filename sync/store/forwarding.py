"""Destinations that events are forwarded to: since when, how far, and by whom.

Who forwards leaves a token. Everything it settles is settled in its name, so that one who has been replaced settles
nothing. It takes its token away when nothing of it is on its way any more; where a token was left, something may be.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import insert, select, update

from sync.store.engine import Database
from sync.store.event_schema import forwarding, lane
from sync.store.schema import counter


@dataclass(frozen=True, slots=True)
class Taken:
    """What the one who forwards now begins with.

    ``floor`` and ``cursors``: how far the lanes have come. ``horizon``: who forwarded before did not end well, and what
    has a number up to here may have been on its way; 0 when there is no such thing.
    """

    token: str
    floor: int
    cursors: dict[int, int]
    horizon: int

    def cursor(self, number: int) -> int:
        """How far a lane has come: everything up to here is done with or held."""
        return max(self.floor, self.cursors.get(number, 0))


def begin(database: Database, destinations: Iterable[str]) -> None:
    """Forward to these destinations what is recorded from now on; those that get events already go on as they do."""
    names = list(destinations)
    with database.read() as connection:
        known = set(connection.execute(select(forwarding.c.destination)).scalars())
    if known.issuperset(names):
        return
    with database.write() as connection:
        # The counter's row is locked, so that two who begin at once do it one after the other.
        connection.execute(update(counter).where(counter.c.name == "version").values(value=counter.c.value))
        last = connection.execute(select(counter.c.value).where(counter.c.name == "version")).scalar_one()
        known = set(connection.execute(select(forwarding.c.destination)).scalars())
        now = database.now(connection)
        for name in dict.fromkeys(names):
            if name not in known:
                connection.execute(insert(forwarding).values(destination=name, floor=last, began_at=now))


def take(database: Database, destination: str) -> Taken | None:
    """Become the one who forwards to ``destination``; only its holder may. ``None``: nothing is forwarded to it."""
    token = uuid.uuid4().hex
    with database.write() as connection:
        query = select(forwarding).where(forwarding.c.destination == destination).with_for_update()
        row = connection.execute(query).one_or_none()
        if row is None:
            return None
        connection.execute(update(forwarding).where(forwarding.c.destination == destination).values(token=token))
        last = connection.execute(select(counter.c.value).where(counter.c.name == "version")).scalar_one()
        rows = connection.execute(select(lane.c.number, lane.c.cursor).where(lane.c.destination == destination))
        cursors = {each.number: each.cursor for each in rows}
    return Taken(token, row.floor, cursors, horizon=last if row.token is not None else 0)


def give_up(database: Database, destination: str, token: str, floor: int) -> None:
    """Nothing is on its way any more, and everything up to ``floor`` is done with or held."""
    mine = (forwarding.c.destination == destination, forwarding.c.token == token)
    with database.write() as connection:
        connection.execute(update(forwarding).where(*mine, forwarding.c.floor < floor).values(floor=floor))
        connection.execute(update(forwarding).where(*mine).values(token=None))


def raise_floor(database: Database, destination: str, token: str, floor: int) -> None:
    """Everything up to ``floor`` is done with or held."""
    mine = (forwarding.c.destination == destination, forwarding.c.token == token, forwarding.c.floor < floor)
    with database.write() as connection:
        connection.execute(update(forwarding).where(*mine).values(floor=floor))
