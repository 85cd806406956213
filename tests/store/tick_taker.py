"""A small daemon for the tests: ``python -m tests.store.tick_taker URL SCHEMA SEED mortal|immortal``.

It adds and takes ticks until every instant has been offered and nothing is due. A mortal one sends itself SIGKILL at a
step drawn from SEED: after adding a tick, after taking one, after beginning its run, or after recording it.
"""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta
from random import Random

from sync.errors import RunBusy, RunLost
from sync.model.run import RunKind
from sync.model.tick import ClaimedTick, TickState
from sync.store import configurations, recording, runs, ticks
from sync.store.engine import Database, connect
from tests.recorder import audience

START = datetime(2024, 11, 21, 12, tzinfo=UTC)
KEYS = ("a", "b", "c")
INSTANTS = [START + timedelta(seconds=number) for number in range(12)]
FOLLOWERS = {"follower": "a"}


class Taker:
    """``mortal``: it dies at one of its steps."""

    def __init__(self, database: Database, random: Random, *, mortal: bool) -> None:
        self._database = database
        self._random = random
        self._left = random.randrange(40) if mortal else -1
        self._generation = configurations.announce(database, "the same")

    def work(self) -> None:
        """Add and do ticks until there are none."""
        busy = True
        while busy:
            busy = self._add()
            ticks.rescue(self._database)
            while (tick := ticks.claim(self._database, [*KEYS, *FOLLOWERS], self._generation, 30)) is not None:
                self._step()
                self._do(tick)
                busy = True

    def _add(self) -> bool:
        """Add the next instant of every key, and followers; gives whether anything may be left to do."""
        with self._database.read() as connection:
            last = ticks.latest(connection, KEYS)
            due = ticks.followers_due(connection, FOLLOWERS)
        for key in self._random.sample(KEYS, len(KEYS)):
            for instant in [each for each in INSTANTS if key not in last or each > last[key]][:2]:
                due.append((key, instant))
        for key, instant in due:
            ticks.insert(self._database, key, instant, due_at=instant, generation=self._generation)
            self._step()
        return bool(due)

    def _do(self, tick: ClaimedTick) -> None:
        try:
            run = runs.claim(self._database, audience(tick.key), RunKind.DELTA, None, forced=False, tick=tick)
            self._step()
            with recording.session(self._database) as session:
                session.load([], ("user_id",))
                session.record(run, audience(tick.key), 0, None)
            self._step()
        except (RunBusy, RunLost) as error:
            ticks.again(self._database, tick, due_at=tick.due_at, reason=str(error), failed=False)
        else:
            ticks.finish(self._database, tick, TickState.DONE)

    def _step(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def live(arguments: list[str]) -> None:
    """Take ticks until there are no more, or until it dies."""
    url, schema, seed, mortal = arguments
    Taker(connect(url, schema or None), Random(int(seed)), mortal=mortal == "mortal").work()
