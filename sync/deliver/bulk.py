"""Send many users in one request, where a destination takes that: claim → map → submit → ask how far it is → settle.

Used when more than `FEWEST` users are due. Who cannot go in bulk goes as ever, in a request of one's own: whoever has more
to tell than one request, must wait for an event, or was refused in bulk.

Invariants, besides those of `sync.store.bulks`:

* The id of a request is stored before the first question about it. What was submitted by somebody who died is asked for by
  whoever delivers next.
* What nobody knows the end of is in doubt (R4), and goes singly: a destination that never says how it ended costs each
  value a wait, and not one wait after another.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from sync import telemetry
from sync.deliver import breaker
from sync.deliver.bulk_answers import Answers, Heard, is_about_bulk
from sync.deliver.delivered import Delivered
from sync.deliver.order import Order
from sync.deliver.passengers import Passenger, Passengers
from sync.deliver.persistence import InTurn, persistently
from sync.deliver.served import Served
from sync.deliver.turn import described
from sync.model.outcome import DEFERRED, Outcome, Verdict
from sync.model.retry import next_delay
from sync.model.slot import Alike, ClaimedSlot
from sync.store import bulk_claims, bulks, slots
from sync.store.bulk_claims import FRONT, Queues, Taken, Wanted
from sync.store.bulks import Bulk
from sync.store.engine import Database
from sync.store.slots import Attempt, Settlement, Transition

FEWEST = 51
"""Users for whom a bulk request is worth its while: it is known late how it ended."""

PATIENCE = 15 * 60.0
"""Seconds after which nobody asks any more how a request has ended."""

MOST_UNDER_WAY = 100
"""Requests that were submitted and have not ended."""

SENDERS = 8
"""Requests that are prepared or submitted at the same time: most of them wait for their id to be stored."""

AT_ONCE = 4
"""Requests that are claimed in one transaction. A commit costs about as much as half a request's claim."""

ASK_AGAIN = 0.5
"""Seconds between two claims where nothing more is due: what ends meanwhile is hardly ever due again, and a claim that
finds nobody passes all slots that are held."""

TAKE_UP_EVERY = 30.0
"""Seconds between two looks for requests that were submitted and that nobody here asks after."""

REST = 60.0
"""Seconds for which everybody goes singly, when hardly anybody could go in bulk."""

FRONT_EVERY = 30.0
"""Seconds after which a claim begins at the front of the queues again, where held slots are passed one by one."""

_SHORT_REST = 5.0
"""The same when those who must are so many that one meets nobody else."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What was claimed. ``since``: when that began, as R2 counts; ``full``: there may be more."""

    bulk: Bulk | None
    together: list[Alike]
    alone: list[ClaimedSlot]
    since: float
    full: bool

    def __len__(self) -> int:
        return sum(map(len, self.together)) + len(self.alone)


@dataclass(frozen=True, slots=True)
class _Load:
    """A request to be: its users, each with the slot that they are from. ``part``: of one that was refused."""

    bulk: Bulk
    users: list[Passenger]
    since: float
    part: bool = False


class BulkSender:
    """One destination's. ``on_done`` is told what became of users, ``on_alive`` that a request is being worked on.

    ``preparing`` are claimed and not submitted yet, in requests. ``order``, where events are forwarded too, knows who must
    wait for one. Unless it ``sends`` it only asks after what was submitted before.
    """

    def __init__(
        self,
        served: Served,
        *,
        on_done: Callable[[Delivered], None],
        on_alive: Callable[[], None],
        sends: bool,
    ) -> None:
        self._database = served.database
        self._requests = served.requests
        self._name = served.name
        self._settings = settings = served.settings
        self._channel = served.channel
        self._clock = served.clock
        self._random = served.random
        self._on_done = on_done
        self._passengers = Passengers(served)
        self._claims = InTurn(served.database)
        # A file has one writer. A server settles while it claims, and neither keeps an id from being stored.
        one_writer = served.database.dialect == "sqlite"
        self._writes = self._claims if one_writer else InTurn(served.database)
        settles = self._claims if one_writer else InTurn(served.database)
        self._lanes = {self._claims, self._writes, settles}
        self._answers = Answers(served, settles, on_done=self._ended, on_alive=on_alive)
        self._most = settings.bulk_users
        self._ahead = SENDERS + 2 * AT_ONCE
        if settings.rate is not None:
            # What cannot be sent within the lease is not claimed.
            self._ahead = max(1, min(self._ahead, int(settings.rate * (settings.lease - settings.deadline) / 2)))
        self._off = not sends
        self._rests_until = 0.0
        self._due_again_at = 0.0
        self._queues = FRONT
        self._front_at = 0.0
        self._queue: asyncio.Queue[Batch] = asyncio.Queue()
        self._nobody = asyncio.Event()
        self.order: Order | None = None
        self.preparing = 0

    @property
    def wants(self) -> bool:
        """Whether what is due goes this way, if it is enough."""
        closed = self._channel.breaker.state is breaker.State.CLOSED
        return closed and not self._off and self._clock.monotonic() >= self._rests_until

    @property
    def under_way(self) -> int:
        """Requests that were submitted and have not ended."""
        return self._answers.under_way

    @property
    def has_room(self) -> bool:
        """Whether as many more requests may be claimed as one claim takes."""
        if self.under_way and self._clock.monotonic() < self._due_again_at:
            return False
        return self.preparing <= max(self._ahead - AT_ONCE, 0) and self.preparing + self.under_way < MOST_UNDER_WAY

    async def claim(self, most_alone: int) -> list[Batch]:
        """Claim as many as some requests may carry, or ``most_alone`` if they go singly; `add` what it gives."""
        since = 0.0
        wanted = Wanted(self._most, FEWEST, self._settings.lease, PATIENCE)
        requests = max(1, min(AT_ONCE, self._ahead - self.preparing))

        def claim(store: Database) -> tuple[list[Taken], Queues]:
            nonlocal since
            since = self._clock.monotonic()
            name, queues = self._name, self._queues_now(since)
            return bulk_claims.claim(store, name, wanted, most_alone=most_alone, requests=requests, queues=queues)

        taken, self._queues = await self._claims.do(claim)
        self.preparing += sum(each.bulk is not None for each in taken)
        if not taken[-1].full:
            self._due_again_at = self._clock.monotonic() + ASK_AGAIN
        elif taken[-1].bulk is None:
            self._rests_until = self._clock.monotonic() + _SHORT_REST
        found = await asyncio.to_thread(lambda: [each.read() for each in taken])
        return [Batch(each.bulk, each.together, each.alone, since, each.full) for each in found]

    def _queues_now(self, now: float) -> Queues:
        """From where to claim: now and then from the front, for whoever came to stand before these places."""
        if now >= self._front_at:
            self._front_at = now + FRONT_EVERY
            return FRONT
        return self._queues

    def add(self, batch: Batch) -> None:
        """Send what was claimed."""
        if batch.bulk is not None:
            telemetry.step("bulk.claimed", users=batch.bulk.users)
            self._queue.put_nowait(batch)

    async def run(self, allowed: Callable[[], bool]) -> NoReturn:
        """Send what is added, and ask after what is under way, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                await self._answers.take_up(group, allowed)
                group.create_task(self._take_up_again(group, allowed))
                for _ in range(SENDERS):
                    group.create_task(self._send_all(group, allowed))
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None
        finally:
            for each in self._lanes:
                await each.end()
        raise AssertionError("senders do not end")

    async def _take_up_again(self, group: asyncio.TaskGroup, allowed: Callable[[], bool]) -> None:
        while True:
            await asyncio.sleep(TAKE_UP_EVERY)
            await self._answers.take_up(group, allowed)

    async def end(self, seconds: float) -> None:
        """Give back what is not being sent; wait for what is, as long as that."""
        while not self._queue.empty():
            batch = self._queue.get_nowait()
            if batch.bulk is not None:
                await self._put_back(batch.bulk)
        if self.preparing:
            self._nobody.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._nobody.wait()
            except TimeoutError:
                return

    async def _send_all(self, group: asyncio.TaskGroup, allowed: Callable[[], bool]) -> None:
        while True:
            batch = await self._queue.get()
            if batch.bulk is not None:
                await self._send(batch.bulk, batch, group, allowed)

    async def _send(self, bulk: Bulk, batch: Batch, group: asyncio.TaskGroup, allowed: Callable[[], bool]) -> None:
        blocked = self._passengers.blocked(batch.together, self.order)
        users, left_out = await asyncio.to_thread(self._passengers.of, batch.together, blocked)
        if len(left_out) > len(users):
            self._rests_until = self._clock.monotonic() + REST
        if not users:
            await self._put_back(bulk, singly=True)
            return
        left: Bulk | None = bulk
        if left_out:
            left = await self._writes.do(lambda store: bulks.leave_out(store, bulk, left_out))
        if left is None:
            self._done()
            return
        loads = [_Load(left, users, batch.since)]
        while loads:
            more = await self._submit(loads.pop(), group, allowed)
            self.preparing += len(more) - 1 if more else 0
            loads.extend(more)

    async def _submit(self, load: _Load, group: asyncio.TaskGroup, allowed: Callable[[], bool]) -> Sequence[_Load]:
        """Send one request; gives those that it is to be divided into."""

        def may_send() -> bool:
            left = self._settings.lease - (self._clock.monotonic() - load.since)
            return left > self._settings.deadline and allowed()

        request = await asyncio.to_thread(lambda: self._requests.request([each.user for each in load.users]))
        async with self._channel.concurrency.slot():
            if not await self._channel.may_send(may_send):
                # Parts would be put together again, and refused again.
                await self._put_back(load.bulk, singly=load.part)
                return ()
            heard = await self._answers.exchange(request)
            submission = self._requests.read_submission(heard.outcome, heard.body)
            outcome = submission.outcome
            if not is_about_bulk(outcome):
                self._channel.learn(outcome, blames=False)
            else:
                self._channel.breaker.abandon()
        self._count(Delivered(self._name), outcome)
        if submission.request_id is not None:
            await self._submitted(load, submission.request_id, heard, group, allowed)
            return ()
        if submission.untold:
            await self._give_up(load, outcome)
            return ()
        return await self._not_submitted(load, outcome)

    async def _submitted(
        self, load: _Load, request_id: str, heard: Heard, group: asyncio.TaskGroup, allowed: Callable[[], bool]
    ) -> None:
        stored = await self._writes.do(lambda store: bulks.submitted(store, load.bulk, request_id))
        if stored is None:
            await self._lost(load, heard.outcome)
        else:
            telemetry.step("bulk.submitted", users=stored.users)
            self._answers.follow(stored, PATIENCE, group, allowed)
        self._done()

    async def _give_up(self, load: _Load, outcome: Outcome) -> None:
        """Nobody can ask how it ends, nor would they of the next one."""
        self._rests_until = self._clock.monotonic() + PATIENCE
        put_back = await self._writes.do(
            lambda store: bulks.put_back(store, load.bulk, outcome, unknown=True, singly=True)
        )
        if put_back is None:
            await self._lost(load, outcome)
        telemetry.event(
            "bulk.given_up", level=logging.WARNING, destination=self._name, users=put_back or 0, request=None
        )
        self._done()

    async def _not_submitted(self, load: _Load, outcome: Outcome) -> Sequence[_Load]:
        if outcome.verdict is Verdict.REFUSED:
            return await self._refused(load, outcome)
        self._channel.trouble = described(outcome)
        if outcome.verdict in DEFERRED:
            attempts = 1 + max(each.alike.slot.attempts for each in load.users)
            seconds = next_delay(attempts, self._settings, self._random, outcome.retry_after)
            reason = described(outcome)
            put_off = await self._writes.do(lambda store: bulks.defer(store, load.bulk, outcome, seconds, reason))
            if put_off is None:
                await self._lost(load, outcome)
            self._on_done(Delivered(self._name, deferred=put_off or 0))
            self._done()
            return ()
        if is_about_bulk(outcome):
            self._off = True
            telemetry.event(
                "bulk.off",
                level=logging.WARNING,
                destination=self._name,
                reason=described(outcome),
                users=load.bulk.users,
            )
        await self._put_back(load.bulk, outcome)
        return ()

    async def _refused(self, load: _Load, outcome: Outcome) -> Sequence[_Load]:
        """Nobody knows who is wrong: it goes again in halves, and in the end each user alone."""
        users = load.users
        if outcome.status == _TOO_LARGE:
            self._most = max(FEWEST, min(self._most, len(users) // 2))
        if len(users) < FEWEST:
            await self._put_back(load.bulk, outcome, singly=True)
            return ()
        half = users[len(users) // 2 :]
        names = [each.user_id for each in half]
        other = await self._writes.do(lambda store: bulks.split(store, load.bulk, names))
        if other is None:
            self._done()
            return ()
        rest = users[: len(users) // 2]
        mine = load.bulk.without(len(half))
        return _Load(mine, rest, load.since, part=True), _Load(other, half, load.since, part=True)

    async def _lost(self, load: _Load, outcome: Outcome) -> None:
        """R6: somebody else has had these slots since; what we sent may have overtaken what they did."""
        if outcome.verdict not in (Verdict.ACCEPTED, Verdict.UNKNOWN):
            return
        batch = [
            Settlement(
                slot,
                Transition.RELEASE,
                unknown=True,
                attempts=(Attempt(outcome.verdict, outcome.status, "bulk", slot.owed),),
            )
            for slot in (each.slot for each in load.users)
        ]
        quiet = self._settings.quiet_period
        anew = await persistently(lambda: slots.settle(self._database, self._name, batch, quiet), "bulk")
        self._on_done(Delivered(self._name, owed_anew=anew))

    async def _put_back(self, bulk: Bulk, outcome: Outcome | None = None, *, singly: bool = False) -> None:
        await self._writes.do(lambda store: bulks.put_back(store, bulk, outcome, singly=singly))
        self._done()

    def _done(self) -> None:
        """A request is no longer in preparation."""
        self.preparing -= 1
        if not self.preparing:
            self._nobody.set()
        self._on_done(Delivered(self._name))

    def _ended(self, done: Delivered, *, known: bool) -> None:
        if not known:
            self._rests_until = self._clock.monotonic() + PATIENCE
        self._on_done(done)

    def _count(self, done: Delivered, outcome: Outcome) -> None:
        done.by_verdict[outcome.verdict] += 1
        self._on_done(done)


_TOO_LARGE = 413
