"""What must hold when daemons have been tormented and everything is quiet again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sync.destinations.sandbox.state import Request
from tests.daemon.churn import NUMBERED
from tests.daemon.fleet import Daemon, Spell
from tests.proofs import Road

_RECORDED = """SELECT key, tick FROM run JOIN definition ON definition.id = run.definition_id
WHERE status IN ('succeeded', 'held') AND tick IS NOT NULL"""

_OVERLAPPING = """SELECT key, former.id, later.id FROM run former JOIN run later
ON later.definition_id = former.definition_id AND later.id > former.id AND later.started_at < former.finished_at
JOIN definition ON definition.id = former.definition_id"""

_TICKS = """SELECT key, extract(epoch FROM instant)::float, extract(epoch FROM created_at)::float,
extract(epoch FROM finished_at)::float FROM tick ORDER BY key, instant"""

_FOLLOWED_NOTHING = """SELECT tick.instant FROM tick WHERE key = '{follower}' AND NOT EXISTS (
    SELECT 1 FROM run JOIN definition ON definition.id = run.definition_id
    WHERE definition.key = '{leader}' AND status = 'succeeded' AND finished_at = tick.instant)"""


def each_tick_has_its_run(road: Road) -> None:
    """A tick that is done has one recorded run, a recorded run has its tick, and no definition had two runs at once."""
    done = Counter(road.rows("SELECT key, instant FROM tick WHERE state = 'done'"))
    assert done == Counter(road.rows(_RECORDED))
    assert set(done.values()) == {1}
    assert not road.rows(_OVERLAPPING)


def each_tick_followed_a_run(road: Road, follower: str, leader: str) -> None:
    """No tick of a follower is without a run of its leader."""
    assert not road.rows(_FOLLOWED_NOTHING.format(follower=follower, leader=leader))


@dataclass(frozen=True)
class Tick:
    """A row of the store, in seconds. ``finished`` is infinite when it has not been."""

    instant: float
    created: float
    finished: float


@dataclass
class Instants:
    """What became of a schedule's instants: they have a tick, or there is a reason why not.

    ``in_the_way``: a tick before it had not ended, so that the two became one. ``nobody``: no daemon could work then,
    and who came later took the latest. ``late``: somebody could, but the store or the host kept him from looking in time;
    the seconds until there was a tick. ``lost``: none of these.
    """

    ticked: int = 0
    in_the_way: int = 0
    nobody: int = 0
    late: list[float] = field(default_factory=list)
    lost: list[float] = field(default_factory=list)


def instants(road: Road, key: str, every: int, daemons: Sequence[Daemon], between: Spell) -> Instants:
    """Look for each instant of ``every N seconds`` in the store."""
    ticks = _ticks(road, key)
    taken = {tick.instant for tick in ticks}
    able = [spell for daemon in daemons for spell in daemon.awake]
    found = Instants()
    first = int(between.since // every + 1) * every
    for instant in range(first, int(between.until), every):
        if instant in taken:
            found.ticked += 1
        elif any(tick.instant < instant <= tick.finished for tick in ticks):
            found.in_the_way += 1
        elif not any(spell.since <= instant and spell.until >= instant + 1 for spell in able):
            found.nobody += 1
        elif later := [tick.created - instant for tick in ticks if tick.instant > instant]:
            found.late.append(min(later))
        else:
            found.lost.append(instant)
    return found


def _ticks(road: Road, key: str) -> list[Tick]:
    rows = [row[1:] for row in road.rows(_TICKS) if row[0] == key]
    return [Tick(instant, created, finished or float("inf")) for instant, created, finished in rows]  # type: ignore[arg-type]


@dataclass(frozen=True)
class Overtaking:
    """A value that arrived after a newer one: when, from whom, and whether that one is excused."""

    user_id: str
    key: str
    at: float
    sender: str
    excused: bool


def overtakings(
    log: Sequence[Request],
    senders: Mapping[int, str],
    histories: Mapping[tuple[str, str], Sequence[object]],
    daemons: Sequence[Daemon],
    deadline: float,
) -> list[Overtaking]:
    """Every value that arrived after a newer one of that user and key.

    The values of a numbered trait never come back, so what the customer's database said one after another is the order
    of versions: what arrives may be passed over or repeated, but never go back. Only ``None`` does come back: one that
    may be of before or of later says nothing. A sender is excused that was paused after its last look at the leases,
    before the socket: at whatever step that was, this may have been one of its other tasks, and what it then writes
    arrives as soon as it goes on. So is one that was killed since: what had left it by then is read when the busy
    destination comes to it, and whoever takes over need not wait for the dead.
    """
    reached: Counter[tuple[str, str]] = Counter()
    by_name = {daemon.name: daemon for daemon in daemons}
    found = []
    for request in log:
        attributes = request.body.get("attributes") if request.body else None
        if request.user_id is None or not isinstance(attributes, dict):
            continue
        for key in NUMBERED:
            if key not in attributes:
                continue
            place = (request.user_id, key)
            history, here = histories[place], reached[place]
            if attributes[key] is None and None in history[:here] and None in history[here:]:
                continue
            at = request.time.timestamp()
            try:
                reached[place] = history.index(attributes[key], here)
            except ValueError:
                sender = senders[request.seq]
                excused = _was_stopped_over_it(by_name[sender], request.user_id, at, deadline)
                found.append(Overtaking(request.user_id, key, at, sender, excused))
    return found


def _was_stopped_over_it(sender: Daemon, user_id: str, at: float, deadline: float) -> bool:
    """Whether it was paused or killed between its last look before a user's request that arrived then, and that."""
    looked = max((look for look in sender.looks.get(user_id, ()) if look <= at), default=float("inf"))
    stops = [*sender.paused, *(Spell(instant, instant) for instant in sender.killed)]
    return any(looked <= spell.since <= at <= spell.until + deadline for spell in stops)


def differences(truth: Mapping[str, Mapping[str, object]], users: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Where a destination has something else than the customer: nothing and ``None`` are the same, so are nothing and ``False``."""
    found = []
    for key, wanted in truth.items():
        for user_id in users.keys() | wanted.keys():
            held = users.get(user_id, {}).get("attributes", {}).get(key)  # type: ignore[attr-defined]
            if (held or None) != wanted.get(user_id):
                found.append(f"{user_id} {key}: {held!r} instead of {wanted.get(user_id)!r}")
    return sorted(found)
