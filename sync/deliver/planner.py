"""Which events go next, and with which others.

Events that share a request are gathered from several lanes: they go when there are enough for a request, or when the
first has waited long enough. Events with requests of their own go at once, a lane's one after another. What needs no
request goes with what stands beside it. Of a lane, and of a user, one run is under way at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

from sync.deliver.arrival import Arrival, Kind
from sync.deliver.courier import BEHIND, Run
from sync.deliver.holds import Holds, Waiting
from sync.deliver.window import Lane, Window
from sync.model.delivery import DeliverySettings
from sync.store.lanes import HoldState

OWN_MOST = 25
"""Events with requests of their own in one run: they are settled together, and so many may be sent twice by a death."""

_MOST = 1_000
"""Events in one run, with those that need no request."""


class Planner:
    """Takes runs out of the window. Nothing up to ``horizon`` goes before ``resume_at``, a monotonic instant.

    ``nothing_more_comes``: what is there need not wait for others to share a request with.
    """

    def __init__(
        self, window: Window, holds: Holds, settings: DeliverySettings, *, horizon: int, resume_at: float
    ) -> None:
        self._window = window
        self._holds = holds
        self._settings = settings
        self._horizon = horizon
        self._resume_at = resume_at
        self._turn = 0
        self.nothing_more_comes = False
        self.busy: set[str] = set()

    def next_run(self, now: float, *, may_send: bool) -> Run | None:
        """The next run, or the next that needs no request; its lanes and users are busy from now on."""
        sharing: list[Lane] = []
        lanes = self._window.lanes
        for place in range(len(lanes)):
            lane = lanes[(self._turn + place) % len(lanes)]
            if lane.busy or not lane.queue or self._is_early(lane.queue[0].id, now):
                continue
            kind = self._first_kind(lane)
            if kind is Kind.OWN and may_send:
                self._turn = (lane.number + 1) % len(lanes)
                return self._begun(Run(kind, self._take(lane, kind, OWN_MOST)[0], [lane]))
            if self._needs_nothing(lane.queue[0]):
                return self._begun(Run(Kind.NOTHING, self._take(lane, Kind.NOTHING, 0)[0], [lane]))
            if kind is Kind.SHARED:
                sharing.append(lane)
        return self._shared(sharing, now) if may_send else None

    def _shared(self, lanes: list[Lane], now: float) -> Run | None:
        most = self._settings.batch_events
        lanes.sort(key=lambda lane: lane.queue[0].at)
        if not lanes or not (self._is_ripe(lanes[0], now) or sum(len(lane.queue) for lane in lanes) >= most):
            return None
        run = Run(Kind.SHARED, [])
        for lane in lanes:
            taken, parts = self._take(lane, Kind.SHARED, most, full=bool(run.arrivals))
            if taken:
                run.lanes.append(lane)
                run.arrivals += taken
            most -= parts
            if most <= 0:
                break
        return self._begun(run)

    def _take(self, lane: Lane, kind: Kind, most: int, *, full: bool = True) -> tuple[list[Arrival], int]:
        """The front of a lane's queue: events of one kind, ``most`` parts in all, and those between that need no
        request. Unless it is to be ``full``, the first one goes however many parts it has."""
        taken: list[Arrival] = []
        parts = 0
        while lane.queue and len(taken) < _MOST:
            first = lane.queue[0]
            if not self._needs_nothing(first):
                weight = len(first.parts) if kind is Kind.SHARED else 1
                if first.kind is not kind or (parts + weight > most and (full or parts)):
                    break
                parts += weight
            taken.append(self._prepared(lane.pop()))
        return taken, parts

    def _prepared(self, arrival: Arrival) -> Arrival:
        if arrival.kind is Kind.NOTHING:
            arrival.settle_without_request()
        elif arrival.user_key in self._holds:
            arrival.hold(HoldState.WAITING, None, BEHIND, tried=False)
        return arrival

    def _needs_nothing(self, arrival: Arrival) -> bool:
        return arrival.kind is Kind.NOTHING or arrival.user_key in self._holds

    def _first_kind(self, lane: Lane) -> Kind | None:
        for each in lane.queue:
            if not self._needs_nothing(each):
                return each.kind
        return None

    def _begun(self, run: Run) -> Run:
        for lane in run.lanes:
            lane.busy = True
        run.users = {each.user_key for each in run.arrivals if each.settled is None}
        self.busy |= run.users
        return run

    def _is_early(self, number: int, now: float) -> bool:
        return number <= self._horizon and now < self._resume_at

    def _is_ripe(self, lane: Lane, now: float) -> bool:
        return self.nothing_more_comes or now - lane.queue[0].at >= self._settings.linger

    def due(self, now: float) -> list[list[Waiting]]:
        """Held events to be tried again, for each user in order; their users are busy from now on."""
        if self._horizon and now < self._resume_at:
            return []
        found = self._holds.due(now, self._settings.batch_events, self.busy)
        self.busy.update(each[0].user_key for each in found)
        return found

    def held_runs(self, users: Sequence[Sequence[Arrival]]) -> list[Run]:
        """What held events, looked up again, make: one run of all that share a request, and one for each other user.
        What finds no room comes again."""
        together = Run(Kind.SHARED, [])
        runs = [together]
        most = self._settings.batch_events
        for arrivals in users:
            kind = next((each.kind for each in arrivals if each.kind is not Kind.NOTHING), Kind.SHARED)
            some: list[Arrival] = []
            for each in arrivals:
                if each.kind not in (kind, Kind.NOTHING):
                    break
                some.append(self._held(each))
            if kind is Kind.OWN:
                runs.append(Run(kind, some))
                continue
            parts = sum(len(each.parts) for each in some)
            if parts > most and together.arrivals:
                self.come_again([arrivals[0].user_key])
                continue
            together.arrivals += some
            most -= parts
        for run in runs:
            run.users = {each.user_key for each in run.arrivals}
        return [run for run in runs if run.arrivals]

    @staticmethod
    def _held(arrival: Arrival) -> Arrival:
        if arrival.kind is Kind.NOTHING and arrival.settled is None:
            arrival.settle_without_request()
        return arrival

    def come_again(self, user_keys: Sequence[str] | set[str]) -> None:
        """These users are not busy any more."""
        self.busy.difference_update(user_keys)
        for each in user_keys:
            self._holds.look_at(each)

    def seconds_until_next(self, now: float) -> float:
        """When something may go that may not now, if nothing else happens."""
        waits = [60.0]
        if now < self._resume_at:
            waits.append(self._resume_at - now)
        due = self._holds.next_due()
        if due is not None:
            waits.append(due - now)
        waits += [
            lane.queue[0].at + self._settings.linger - now
            for lane in self._window.lanes
            if lane.queue and not lane.busy and not self._is_early(lane.queue[0].id, now)
        ]
        return max(0.0, min(waits))
