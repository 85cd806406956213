"""Deliver what one destination is owed: claim → send → settle, under a lease, until nothing is left or told to stop.

A command drains: it ends when nothing is owed, when nothing gets through any more, or when somebody has to mend the
destination's settings. The daemon serves: it waits for what comes, and for the destination, as long as it may.

One dispatcher holds a destination, so its rate limit, breaker and concurrency are exact. Slots are claimed in batches,
a little ahead of the senders; outcomes are settled in batches behind them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from random import Random

import httpx

from sync import telemetry
from sync.clock import Clock
from sync.deliver.bulk import FEWEST, BulkSender
from sync.deliver.channel import Channel
from sync.deliver.claims import Claims
from sync.deliver.deleter import Deleter
from sync.deliver.delivered import Delivered
from sync.deliver.destination import Destination
from sync.deliver.forwarded import Forwarded
from sync.deliver.forwarder import Forwarder
from sync.deliver.patience import wait_for
from sync.deliver.persistence import persistently
from sync.deliver.reporter import Reporter
from sync.deliver.sender import Sender
from sync.deliver.served import Served
from sync.deliver.settler import Settler
from sync.deliver.tenure import Tenure
from sync.destinations.bulk import InBulk
from sync.model.delivery import DeliverySettings
from sync.model.identify import IdentifyPer
from sync.store import bulks, enrolments, slots
from sync.store.engine import Database
from sync.store.lanes import LaneBacklog
from sync.store.outlook import outlook
from sync.store.slots import Backlog, Settlement, Transition

RESCUE_EVERY = 2.0
"""Seconds between two looks for claims whose holder is gone."""

_LOOK_EVERY = 0.5
"""Seconds between two looks at the store while nothing is due."""


class Dispatcher:
    """Drains or serves one destination's slots, once. ``on_progress`` is told after every settled batch.

    Where events are forwarded to the destination, its ``forwarder`` (see `forward_too`) works beside.
    """

    def __init__(
        self,
        database: Database,
        destination: Destination,
        settings: DeliverySettings,
        transport: httpx.AsyncBaseTransport,
        clock: Clock,
        *,
        identify_per: IdentifyPer = IdentifyPer.USER,
        random: Random | None = None,
        on_progress: Callable[[Delivered], None] | None = None,
    ) -> None:
        self._database = database
        personas: dict[str, dict[str, object]] | None = {} if identify_per is IdentifyPer.COMPUTATION else None
        self._name = destination.name
        self._settings = settings
        self._clock = clock
        self._on_progress = on_progress or (lambda _: None)
        self.done = Delivered(destination.name)
        random = random or Random()  # noqa: S311 - spreads retries, guards nothing
        self._destination = destination
        self._random = random
        self._reporter = Reporter(database, self._name, on_fault=self._faulted)
        self.channel = Channel(
            self._name, destination.read_answer, settings, transport, clock, random, on_breaker=self._reporter.moved
        )
        self.channel.on_accepted(self._reporter.accepted)
        self._reporter.add(self._innocent, self._look_again)
        self._forwarder: Forwarder | None = None
        self._deleter = Deleter(database, destination, settings, self.channel, clock, random)
        self._sender = Sender(destination, settings, self.channel, clock, random, personas=personas)
        self._settler = Settler(database, self._name, settings.quiet_period, self._settled)
        self._bulk = self._bulk_sender(sends=personas is None and settings.bulk_users >= FEWEST)
        self._claims = Claims(database, self._name, settings, self.channel, clock, personas=personas, bulk=self._bulk)
        self._stop = asyncio.Event()
        self._nudged = asyncio.Event()
        self._progress_at = clock.monotonic()
        self._serving = False
        self._slots_too = True

    def _bulk_sender(self, *, sends: bool) -> BulkSender | None:
        destination = self._destination
        requests = destination.bulk if isinstance(destination, InBulk) else None
        if not isinstance(destination, InBulk) or requests is None:
            return None
        served = Served(
            self._database,
            destination,
            requests,
            self._name,
            self._settings,
            self.channel,
            self._clock,
            self._random,
        )
        return BulkSender(served, on_done=self._settled_in_bulk, on_alive=self._progressed, sends=sends)

    async def forward_too(self, held: Tenure) -> Forwarder | None:
        """Forward events beside, if there are any for this destination; call it before anything is sent."""
        forwarder = Forwarder(
            self._database,
            self._destination,
            self._settings,
            self.channel,
            self._clock,
            self._random,
            on_lost=self.stop,
        )
        if not await forwarder.begin(held):
            return None
        self._forwarder = forwarder
        self._sender.order = forwarder.order
        self._claims.forwarder = forwarder
        if self._bulk is not None:
            self._bulk.order = forwarder.order
        self._reporter.add(forwarder.innocent, forwarder.nudge)
        return forwarder

    def stop(self, reason: str) -> None:
        """Send nothing more; what is in flight is still settled."""
        if not self._stop.is_set():
            self.done.stopped = reason
            self._stop.set()
            if self._forwarder is not None:
                self._forwarder.stop(reason)
            self._look_again()

    def nudge(self) -> None:
        """Something may be due: look now."""
        self._look_again()
        self._deleter.nudge()
        if self._forwarder is not None:
            self._forwarder.nudge()

    def _look_again(self) -> None:
        self._nudged.set()
        self._claims.room.set()

    async def drain(self, tenure: Tenure, patience: float) -> Delivered:
        """Deliver until nothing is owed, or nothing has been accepted for ``patience`` seconds, or `stop`."""
        self._progress_at = self._clock.monotonic()
        await self._deliver(tenure, lambda: self._finished(patience))
        return await self._account(tenure)

    async def serve(self, tenure: Tenure) -> Delivered:
        """Deliver whatever comes to be owed, until the destination is no longer ours, or `stop`.

        A fault does not end it: a request goes out now and then, to see whether somebody has mended the settings.
        """
        self._serving = True
        await self._deliver(tenure, lambda: self._rested(tenure))
        await self._reporter.sum_up(tenure, self.channel)
        return self.done

    async def forward(self, tenure: Tenure, patience: float) -> Forwarded:
        """Forward until the log has nothing more, or as `drain`. Slots are sent as far as events wait for them."""
        if self._forwarder is None:
            return Forwarded(self._name, backlog=LaneBacklog(0, 0, 0, None))
        forwarder, self._slots_too, self._claims.bulk = self._forwarder, False, None
        forwarder.drains, self._progress_at = True, self._clock.monotonic()
        await self._deliver(tenure, lambda: self._forwarded(forwarder, patience))
        await self._reporter.sum_up(tenure, self.channel)
        forwarder.done.backlog, forwarder.done.fault = await forwarder.left(), self.done.fault
        forwarder.done.warnings = tuple(sorted(self.channel.warnings))
        return forwarder.done

    async def _forwarded(self, forwarder: Forwarder, patience: float) -> bool:
        await wait_for(self._stop, _LOOK_EVERY / 5)
        return await forwarder.finished(patience, self._progress_at)

    async def _deliver(self, tenure: Tenure, finished: Callable[[], Awaitable[bool]]) -> None:
        workers = [asyncio.create_task(self._work(tenure)) for _ in range(self._settings.concurrency)]
        settler = asyncio.create_task(self._settler.run())
        others = [asyncio.create_task(each) for each in self._others(tenure)]
        feeder = asyncio.create_task(self._feed(tenure, finished))
        try:
            # Only the feeder ends by itself: when another one does, by a mistake of ours, it must not end in silence.
            await asyncio.wait((feeder, settler, *others, *workers), return_when=asyncio.FIRST_COMPLETED)
            self.stop(self.done.stopped)
            # A claim under way must come back to be given back.
            await asyncio.wait((feeder, settler), return_when=asyncio.FIRST_COMPLETED)
            await self._give_back(settler)
            ended_well = asyncio.create_task(self._end_well())
            await asyncio.wait((ended_well, settler, *others), return_when=asyncio.FIRST_COMPLETED)
            ended_well.cancel()
        finally:
            for task in (*workers, settler, *others, feeder):
                task.cancel()
            ended = await asyncio.gather(settler, *others, feeder, *workers, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error

    def _others(self, tenure: Tenure) -> list[Coroutine[None, None, None]]:
        """What goes on beside, until it is cancelled."""

        def allowed() -> bool:
            return tenure.holds() and not self._stop.is_set()

        found = [self._deleter.run(allowed), self._reporter.run(tenure, self.channel, summing_up=self._serving)]
        if self._bulk is not None:
            found.append(self._bulk.run(allowed))
        return found if self._forwarder is None else [*found, self._forwarder.run(tenure)]

    async def _end_well(self) -> None:
        """Everything known is written."""
        if self._forwarder is not None:
            await self._forwarder.end()
        await self._settler.flush()
        await self._reporter.told()

    async def _account(self, tenure: Tenure) -> Delivered:
        self.done.owed_anew = self._settler.owed_anew
        self.done.warnings = tuple(sorted(self.channel.warnings))
        self.done.backlog = await persistently(self._look, "look")
        if not self.done.backlog.owed:
            await persistently(self._finish_backfills, "finish")
        await self._reporter.sum_up(tenure, self.channel)
        return self.done

    async def _feed(self, tenure: Tenure, finished: Callable[[], Awaitable[bool]]) -> None:
        rescued_at, sought = -RESCUE_EVERY, False
        if self._bulk is None:
            await persistently(lambda: bulks.abandon(self._database, self._name), "bulk")
        while not self._stop.is_set() and tenure.holds():
            if self._clock.monotonic() - rescued_at >= RESCUE_EVERY:
                rescued_at = self._clock.monotonic()
                await persistently(lambda: slots.rescue(self._database, self._name), "rescue")
            most = self._most()
            if most > 0 and await self._claim(most):
                continue
            self._claims.room.clear()
            if not self._claims.idle:
                await wait_for(self._claims.room, self._until_next_look())
            elif not sought:  # hardly any slots are left to look through
                sought = True
                await persistently(lambda: bulks.release_lost(self._database, self._name), "rescue")
            elif await finished():
                return
        if not tenure.holds():
            self.stop(tenure.why_lost)

    def _most(self) -> int:
        """How many slots to claim now."""
        if not self._slots_too and self._forwarder is not None and not self._forwarder.waits_for_slots:
            return 0
        return self._claims.most()

    def _until_next_look(self) -> float:
        """Seconds until `_most` may say something else without anybody coming back."""
        wait = max(self.channel.pause.remaining, (self.channel.breaker.retry_at or 0.0) - self._clock.monotonic())
        return min(wait, RESCUE_EVERY) if wait > 0 else _LOOK_EVERY

    async def _claim(self, most: int) -> bool:
        claimed, more = await self._claims.take(most)
        if claimed and not more:
            # The rest is not due yet: do not ask again before somebody comes back or some time has passed.
            self._claims.room.clear()
            await wait_for(self._claims.room, _LOOK_EVERY)
        return bool(claimed)

    async def _finished(self, patience: float) -> bool:
        """Nothing is in flight, and nothing is due or may be sent now: is it worth waiting for what is owed?

        Slots that are due by their state may still not be claimable: locked by a recording, or due by a clock that has
        been set back since. They are waited for like the others.
        """
        await self._settler.flush()
        too_long = self._clock.monotonic() - self._progress_at >= patience
        if self._bulk is not None and self._bulk.under_way and not too_long:
            # Something is owed, so much is certain; whoever ends a request says so.
            await wait_for(self._claims.room, min(_LOOK_EVERY, self._until_next_look()))
            return False
        left = await persistently(self._look, "look")
        if not left.owed:
            return True
        if too_long:
            trouble = self.channel.breaker.reason or self.channel.trouble
            why = f" (last: {trouble})" if trouble else ""
            self.done.stopped = self.done.stopped or f"nothing was accepted for {patience:g} s{why}"
            return True
        await wait_for(self._stop, min(_LOOK_EVERY, self._until_next_look()))
        return False

    async def _rested(self, tenure: Tenure) -> bool:
        """Nothing is in flight, and nothing is due or may be sent now: wait until that changes. It never ends by itself.

        It waits before it looks: what is due may still not be claimable (see `_finished`).
        """
        await self._settler.flush()
        telemetry.step("deliver.resting", destination=self._name)
        while not self._stop.is_set() and tenure.holds():
            await wait_for(self._nudged, _LOOK_EVERY)
            self._nudged.clear()
            there = await persistently(lambda: outlook(self._database, self._name), "look")
            if there.delivered:
                await persistently(self._finish_backfills, "finish")
            if there.stuck:
                await persistently(lambda: slots.rescue(self._database, self._name), "rescue")
            if (there.due or there.stuck) and self._most() > 0:
                break
        return False

    async def _work(self, tenure: Tenure) -> None:
        while True:
            claimed = await self._claims.queue.get()
            if self._stop.is_set():
                self._settler.add(Settlement(claimed.slot, Transition.RELEASE))
                continue
            try:
                settlement = await self._sender.send(claimed, lambda: tenure.holds() and not self._stop.is_set())
            except BaseException:
                # Nobody knows how far it came: its lease runs out, and then it counts as unknown.
                self._claims.count -= 1
                raise
            self._settler.add(settlement)
            self._claims.answered()

    async def _give_back(self, settler: asyncio.Task[None]) -> None:
        """Wait for what is in flight (it has its deadline) and give unsent claims back."""
        while not self._claims.queue.empty():
            self._settler.add(Settlement(self._claims.queue.get_nowait().slot, Transition.RELEASE))
        patience = self._clock.monotonic() + self._settings.deadline + 1
        while self._claims.count and not settler.done() and self._clock.monotonic() < patience:
            self._claims.room.clear()
            await wait_for(self._claims.room, _LOOK_EVERY)
        if self._bulk is not None:
            await self._bulk.end(patience - self._clock.monotonic())

    def _settled(self, batch: list[Settlement]) -> None:
        self._claims.count -= len(batch)
        now = Delivered(self._name)
        for settlement in batch:
            now.count(settlement)
            if settlement.transition is Transition.PARK and not settlement.confirms:
                status = settlement.attempts[-1].status if settlement.attempts else None
                user = telemetry.user_hash(settlement.slot.user_id)
                telemetry.event("slot.parked", level=logging.WARNING, destination=self._name, user=user, status=status)
        self._count(now, accepted=any(settlement.accepted for settlement in batch))

    def _settled_in_bulk(self, now: Delivered) -> None:
        self._settler.owed_anew += now.owed_anew
        self._count(now, accepted=bool(now.accepted or now.settled or now.unconfirmed))

    def _count(self, now: Delivered, *, accepted: bool) -> None:
        self.done.add(now)
        now.add_to_counters()
        if accepted:
            self._progressed()
        self._claims.room.set()
        self._on_progress(self.done)

    def _progressed(self) -> None:
        self._progress_at = self._clock.monotonic()

    def _faulted(self, reason: str) -> None:
        if not self._serving:
            self.done.fault = True
            self.stop(reason)

    def _innocent(self) -> Callable[[], Awaitable[None]] | None:
        users = self._sender.take_refused()
        return (lambda: self._take_back(users)) if users else None

    async def _take_back(self, innocent: list[str]) -> None:
        """Who was parked by the destination's fault is owed again."""
        await self._settler.flush()
        self.done.parked -= await persistently(lambda: slots.unpark(self._database, self._name, innocent), "unpark")

    def _look(self) -> Backlog:
        with self._database.read() as connection:
            return slots.backlog(connection, self._name)

    def _finish_backfills(self) -> None:
        with self._database.write() as connection:
            enrolments.finish_backfills(connection, self._name, self._database.now(connection))
