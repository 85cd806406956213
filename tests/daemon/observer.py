"""Looks at the store all the time while daemons are tormented: does the one who is left take over in time?"""

from __future__ import annotations

import time
from collections.abc import Sequence

import orjson
import psycopg

from tests.daemon.fleet import Daemon

_LEASES = "select name, holder, extract(epoch from until) from lease where until >= clock_timestamp()"
_OLDEST_CLAIM = "select extract(epoch from min(lease_until)) from slot where state = 'sending'"
_HANGING = """select count(*) from pg_stat_activity where datname = current_database()
and state like 'idle in transaction%' and state_change < clock_timestamp() - interval '1 second'"""


class Observer:
    """What it has seen, at the worst.

    ``stuck``: seconds that a slot stayed claimed after its lease, while one daemon led or held the destination without
    a break, and nobody was stopped in the middle of a transaction: the server frees what that one has locked after ten
    seconds. ``unled``: seconds that nobody who could work led, while one daemon could work without a break.
    """

    def __init__(self, url: str, daemons: Sequence[Daemon]) -> None:
        self.stuck = 0.0
        self.unled = 0.0
        self.looks = 0
        self.leaders: list[int] = []
        self._daemons = daemons
        self._connection = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
        self._serving: dict[tuple[str, int], float] = {}
        self._led_at = time.time()
        self._hung_at = 0.0

    def __enter__(self) -> Observer:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def look(self) -> None:
        """Look once."""
        self.looks += 1
        leases = self._connection.execute(_LEASES).fetchall()
        claim = self._connection.execute(_OLDEST_CLAIM).fetchone()
        hanging = self._connection.execute(_HANGING).fetchone()
        now = time.time()
        if hanging is not None and hanging[0]:
            self._hung_at = now
        able = {each.life.pid: since for each in self._daemons if (since := each.awake_since) is not None}
        held = {(str(name), int(orjson.loads(holder)["pid"])) for name, holder, _ in leases}
        serving = {(name, pid) for name, pid in held if pid in able}
        self._serving = {each: max(self._serving.get(each, now), able[each[1]]) for each in serving}
        self._look_for_stuck(now, None if claim is None or claim[0] is None else float(claim[0]))
        self._look_for_a_leader(now, able)

    def _look_for_stuck(self, now: float, until: float | None) -> None:
        if until is not None and self._serving:
            self.stuck = max(self.stuck, now - max(until, min(self._serving.values()), self._hung_at))

    def _look_for_a_leader(self, now: float, able: dict[int, float]) -> None:
        leading = [pid for name, pid in self._serving if name == "leader"]
        if leading:
            self._led_at = now
            if self.leaders[-1:] != leading:
                self.leaders += leading
        elif able:
            self.unled = max(self.unled, now - max(self._led_at, min(able.values())))
