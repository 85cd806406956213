"""Forward the log to one destination: read → plan → send → settle, in order for every user, beside its slots.

Lanes are read in the log's order and sent side by side. An event that must wait is held, later ones of its user queue up
behind it, and its lane goes on. What is held is tried again, oldest first for each user.

Invariants:

* **In order for every user.** A user's events are in one lane, and of a lane one run is under way. While something of a
  user waits, what follows is held behind it. A parked event has left the row.
* **Nothing is lost, and only what is on its way can be sent twice.** See `sync.store.lanes`: a lane's cursor passes an
  event in the transaction that says what became of it. A lane's next run begins when the last one is written.
* **What a predecessor may have on its way is over before it is sent again.** Who did not end well leaves its token. What
  was recorded before we took over then waits for the quiet period, and for a whole request's deadline.
* **Profiles change in the order in which things were recorded**, audience updates included: see `sync.deliver.order`.
* **Memory is bounded** by the window, and nothing is read while too much waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random

from sync import telemetry
from sync.clock import Clock
from sync.deliver import breaker
from sync.deliver.arrival import Arrival
from sync.deliver.channel import Channel
from sync.deliver.courier import LOOK_AGAIN, Courier, Run
from sync.deliver.destination import Destination
from sync.deliver.forwarded import Forwarded
from sync.deliver.holds import Holds, Waiting
from sync.deliver.ledger import Ledger, of
from sync.deliver.order import Order
from sync.deliver.patience import wait_for
from sync.deliver.persistence import persistently
from sync.deliver.planner import Planner
from sync.deliver.reader import PAGE, Reader
from sync.deliver.tenure import Tenure
from sync.deliver.waitlist import Waitlist
from sync.deliver.window import LANE_EVENTS, Window
from sync.model.delivery import DeliverySettings
from sync.model.slot import ClaimedSlot
from sync.store import forwarding, lanes
from sync.store.engine import Database
from sync.store.forwarding import Taken
from sync.store.lanes import LaneBacklog

MOST_HELD = 50_000
"""Events that wait; while there are more, lanes are left alone."""

_LOOK_EVERY = 0.5
"""Seconds between two looks at a log in which nothing is new."""

_STALE = 1.0
"""Seconds after which it is asked once more whether an event's user is suppressed."""


class Forwarder:
    """Forwards to one destination, once: `begin`, `run` until cancelled, `stop`, `end`. ``on_lost`` is told why, should
    somebody else forward meanwhile. Who ``drains`` the log waits for nothing that may come."""

    def __init__(
        self,
        database: Database,
        destination: Destination,
        settings: DeliverySettings,
        channel: Channel,
        clock: Clock,
        random: Random,
        *,
        on_lost: Callable[[str], None],
    ) -> None:
        self._database = database
        self._destination = destination
        self._name = destination.name
        self._settings = settings
        self._channel = channel
        self._clock = clock
        self._on_lost = on_lost
        self.done = Forwarded(destination.name)
        self.order = Order(self._read_to)
        self._courier = Courier(destination, settings, channel, self.order, clock, random)
        self._reader = Reader(database, destination, clock)
        self._holds = Holds()
        self._waitlist = Waitlist(self._reader, self._holds, self.order, clock)
        self._news = asyncio.Event()
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._flying: set[asyncio.Task[None]] = set()
        self._failed: asyncio.Future[None] | None = None
        self._fetched: list[Run] = []
        self._fetching = False
        self._starved = False
        self._known_floor = 0
        self._waits_until = 0.0
        self.drains = False
        self._accepted_at = clock.monotonic()

    async def begin(self, held: Tenure) -> bool:
        """Become the one who forwards, and know what waits; false where nothing is forwarded to this destination."""
        taken = await persistently(lambda: forwarding.take(self._database, self._name), "begin")
        if taken is None:
            return False
        self._open(taken, held)
        await self._look()
        if taken.horizon:
            telemetry.event("forwarding.taken_over", destination=self._name)
        return True

    def _open(self, taken: Taken, held: Tenure) -> None:
        self._token = taken.token
        self._window = Window(taken)
        # Who was only too slow may be sending still, for a whole request's deadline.
        quiet = max(self._settings.quiet_period, 0.0 if held.after_death else self._settings.deadline)
        self._planner = Planner(
            self._window,
            self._holds,
            self._settings,
            horizon=taken.horizon,
            resume_at=self._clock.monotonic() + quiet if taken.horizon else 0.0,
        )
        self._ledger = Ledger(
            self._database,
            self._name,
            taken.token,
            self._window,
            on_settled=self._settled,
            look=self._look,
            on_lost=lambda: self._on_lost("another process took the destination over"),
        )

    def _read_to(self, user_id: str) -> int:
        return self._window.read_to(user_id)

    def nudge(self) -> None:
        """Something may have been recorded, or may go out again: look now."""
        self._news.set()
        self._changed.set()

    def stop(self, reason: str) -> None:
        """Send nothing more; what is on its way is still settled, by `end`."""
        self.done.stopped = self.done.stopped or reason
        self._stopping.set()
        self.nudge()

    async def run(self, tenure: Tenure) -> None:
        """Forward until cancelled."""
        self._failed = asyncio.get_running_loop().create_future()
        tasks = [
            asyncio.create_task(each)
            for each in (self._ledger.run(), self._read(), self._plan(lambda: tenure.holds() and self._goes_on))
        ]
        try:
            # None ends by itself, but by a mistake of ours.
            await asyncio.wait((*tasks, self._failed), return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in (*tasks, *self._flying):
                task.cancel()
            ended = await asyncio.gather(*tasks, *self._flying, return_exceptions=True)
            if self._failed.done():
                ended.append(self._failed.exception())
            self._failed.cancel()
        for error in ended:
            if isinstance(error, Exception):
                raise error

    @property
    def waits_for_slots(self) -> bool:
        """Whether the last look found events that a slot goes before."""
        return self._clock.monotonic() < self._waits_until

    @property
    def _goes_on(self) -> bool:
        return not self._stopping.is_set()

    async def end(self) -> None:
        """Wait for what is on its way (it has its deadline), write it down, and leave nothing behind."""
        if self._flying:
            await asyncio.wait(self._flying, timeout=self._settings.deadline + 1)
        await self._ledger.flush()
        if not self._flying and not self._ledger.lost:
            floor = self._window.floor()
            await persistently(lambda: forwarding.give_up(self._database, self._name, self._token, floor), "end")

    async def left(self) -> LaneBacklog:
        """What this destination has yet to get, once everything that is known is written."""
        await self._ledger.flush()
        return await persistently(self._reader.left, "look")

    async def finished(self, patience: float, accepted_at: float) -> bool:
        """Whether nothing is left, or it is not worth waiting for: nothing has been accepted for so long, here or
        (``accepted_at``) of the slots."""
        in_memory = self._flying or self._holds.count or not self._window.is_empty
        if not in_memory and not (await self.left()).owed:
            return True
        if self._clock.monotonic() - max(self._accepted_at, accepted_at) < patience:
            return False
        trouble = self._channel.breaker.reason or self._channel.trouble
        self.stop(f"nothing was accepted for {patience:g} s{f' (last: {trouble})' if trouble else ''}")
        return True

    # Reading

    async def _read(self) -> None:
        while True:
            self._news.clear()
            if self._goes_on and await self._read_more():
                continue
            await wait_for(self._news, _LOOK_EVERY)

    async def _read_more(self) -> bool:
        """Read some events; false when there is nothing more to read, or no room."""
        self._starved = self._holds.count > MOST_HELD
        if self._starved:
            return False
        window = self._window
        lane = window.left()
        if lane is not None and lane.left_at is not None:
            which = (lane.number, lane.left_at, window.position, LANE_EVENTS - len(lane.queue))
            found, last = await persistently(lambda: self._reader.of_lane(*which), "read")
            self._arrive(window.take_of(lane, found, last))
            return True
        self._starved = window.is_full
        if self._starved:
            return False
        found, position = await persistently(lambda: self._reader.page(window.position), "read")
        self._arrive(window.take(found, position))
        if self.drains and len(found) < PAGE:
            self._planner.nothing_more_comes = True
            self._changed.set()
        return len(found) == PAGE

    def _arrive(self, taken: Sequence[Arrival]) -> None:
        for each in taken:
            if each.profile is not None:
                self.order.add(each.profile, each.id)
        if taken:
            self._changed.set()

    async def compare(self, claimed: list[ClaimedSlot]) -> None:
        """Before these slots are sent: find the events of their users that are in the log and have not been read."""
        beyond = {
            slot.user_id: (read_to, slot.version)
            for slot in claimed
            if (read_to := self._window.read_to(slot.user_id)) < slot.version
        }
        found = await persistently(lambda: self._reader.unread(beyond), "compare") if beyond else {}
        self.order.note_unread(claimed, found)

    # Planning and sending

    async def _plan(self, allowed: Callable[[], bool]) -> None:
        while True:
            self._changed.clear()
            if allowed():
                self._start_runs(allowed)
            await wait_for(self._changed, self._until_change())

    def _start_runs(self, allowed: Callable[[], bool]) -> None:
        while (run := self._next_run(self._room())) is not None:
            if all(each.settled is not None for each in run.arrivals):
                self._ledger.add(run)
                continue
            task = asyncio.create_task(self._send(run, allowed))
            self._flying.add(task)
            task.add_done_callback(self._landed)
        if self._room() > 0 and not self._fetching and not self._fetched:
            self._retry()

    def _next_run(self, room: int) -> Run | None:
        """What is held goes first; but a probe is rather something that has not been refused or failed already."""
        probing = self._channel.breaker.state is not breaker.State.CLOSED
        if self._fetched and room and not probing:
            return self._fetched.pop(0)
        run = self._planner.next_run(self._clock.monotonic(), may_send=room > 0)
        return self._fetched.pop(0) if run is None and self._fetched and room else run

    def _room(self) -> int:
        """How many runs may begin now."""
        channel = self._channel
        if channel.breaker.state is not breaker.State.CLOSED:
            due = (channel.breaker.retry_at or 0.0) <= self._clock.monotonic()
            return 1 if due and not self._flying else 0
        return 0 if channel.pause.remaining > 0 else max(0, channel.concurrency.limit - len(self._flying))

    def _until_change(self) -> float:
        """Seconds until something may go that may not now, if nothing else happens."""
        wait = max(self._channel.pause.remaining, (self._channel.breaker.retry_at or 0.0) - self._clock.monotonic())
        if wait > 0:
            return min(wait, _LOOK_EVERY)
        if not self._room() or self._fetching:
            return _LOOK_EVERY
        return min(_LOOK_EVERY, max(0.005, self._planner.seconds_until_next(self._clock.monotonic())))

    async def _send(self, run: Run, allowed: Callable[[], bool]) -> None:
        blocked = await self._look_before(run)
        async with self._channel.concurrency.slot():
            await self._courier.send(run, allowed, blocked)
        self._ledger.add(run)

    async def _look_before(self, run: Run) -> dict[str, int]:
        """Whose slot owes something older than an event of the run, and how old; drops events of suppressed users."""
        open_ones = [each for each in run.arrivals if each.settled is None]
        newest = {each.profile: each.id for each in open_ones if each.profile is not None}
        users = {each.user_id for each in open_ones if each.user_id is not None}
        if not newest and self._clock.monotonic() - min(each.at for each in open_ones) < _STALE:
            return {}
        suppressed, blocked = await persistently(lambda: self._reader.before(users, newest), "compare")
        for each in open_ones:
            if each.user_id in suppressed:
                each.suppressed = True
                each.settle_without_request()
        if blocked:
            self._waits_until = self._clock.monotonic() + 2 * LOOK_AGAIN
        return blocked

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._flying.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and self._failed is not None and not self._failed.done():
            self._failed.set_exception(error)
        self._changed.set()

    def _retry(self) -> None:
        users = self._planner.due(self._clock.monotonic())
        if not users:
            return
        self._fetching = True
        task = asyncio.create_task(self._fetch(users))
        self._flying.add(task)
        task.add_done_callback(self._landed)

    async def _fetch(self, users: list[list[Waiting]]) -> None:
        """Look held events up again, and make runs of them."""
        try:
            self._fetched += self._planner.held_runs(await self._waitlist.again(users))
        finally:
            self._fetching = False

    # Settling

    def _settled(self, run: Run, settled: list[Arrival]) -> None:
        """A run has been written: memory follows the store."""
        now = self._clock.monotonic()
        for each in settled:
            self._waitlist.note(each)
        for each in run.postponed:
            self._waitlist.postpone(each)
        for lane in run.lanes:
            written = of(lane, settled)
            if written:
                lane.cursor = written[-1].id
            unsent = of(lane, run.arrivals)[len(written) :]
            for each in unsent:
                each.settled = None
            lane.give_back(unsent)
            lane.busy = False
        self._planner.come_again(run.users)
        settlements = [each.settled for each in settled if each.settled is not None]
        before = self.done.accepted
        self.done.count(settlements)
        if self.done.accepted > before:
            self._accepted_at = now
        self._changed.set()
        if self._starved or any(lane.left_at is not None for lane in run.lanes):
            self._news.set()

    async def _look(self) -> None:
        """Write down how far the log is done with, and see whether somebody has changed what waits."""
        floor = self._window.floor()
        if self._window.is_empty and floor > self._known_floor and self.done.by_verdict.total() != 0:
            self._known_floor = floor
            await persistently(lambda: forwarding.raise_floor(self._database, self._name, self._token, floor), "floor")
        if await self._waitlist.look():
            self._changed.set()

    def innocent(self) -> Callable[[], Awaitable[None]] | None:
        """Who was parked since the last success, as the deed that takes them back; nothing for nobody."""
        refused = self._courier.take_refused()
        return (lambda: self._take_back(refused)) if refused else None

    async def _take_back(self, refused: list[int]) -> None:
        await self._ledger.flush()
        self.done.parked -= await persistently(lambda: lanes.redrive(self._database, self._name, refused), "unpark")
        self._ledger.look()
