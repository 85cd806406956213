"""Which configuration this daemon has, and whether another one has a newer one.

Daemons announce what they read; the store numbers it. One whose number is not the newest takes no ticks, delivers
nothing and leads nothing, because its file says something else than the one that was put in place after it.
"""

from __future__ import annotations

import logging
from datetime import datetime

from sync import telemetry
from sync.store import configurations
from sync.store.engine import Database


class Generation:
    """The number of a daemon's configuration. ``since``: before that instant nobody had to keep its schedules.

    ``outdated``: another one took its place, in the store or, ``retired``, in this very daemon.
    """

    def __init__(self, number: int, since: datetime) -> None:
        self.number = number
        self.since = since
        self.outdated = False
        self.retired = False

    @classmethod
    def announce(cls, database: Database, fingerprint: str) -> Generation:
        """Tell the store which configuration this daemon has."""
        number = configurations.announce(database, fingerprint)
        with database.read() as connection:
            return cls(number, configurations.announced_at(connection, number))

    def retire(self) -> None:
        """This daemon goes by another file from now on, which may have the same number."""
        self.outdated = self.retired = True

    def check(self, database: Database) -> bool:
        """Whether it is still the newest; says so once when it is not."""
        with database.read() as connection:
            newest = configurations.newest(connection)
        if newest > self.number and not self.outdated:
            self.outdated = True
            telemetry.event("configuration.outdated", level=logging.WARNING, ours=self.number, newest=newest)
        return not self.outdated
