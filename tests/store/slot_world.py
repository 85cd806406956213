"""Everything that can happen to one user's slot, one step at a time: two workers, their deaths and pauses, a network.

Time is left out but for its order: a lease runs out or it does not, a wait is over or it is not. Versions are told apart
by their order only. That is what makes the number of situations finite.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.store.slot_transitions import Claim, Pairs, Row, Transitions

VALUES = (1, 2)
WORKERS = 2


class Worker(NamedTuple):
    """Somebody who has claimed the slot. ``ours``: nobody has taken it from them since.

    ``how`` is what their send became, once they have sent. ``late`` is what they sent and what has not arrived yet;
    ``in_time``: it was sent while the slot was theirs.
    """

    claim: Claim
    ours: bool = True
    how: str = ""
    accepted: Pairs = ()
    late: Pairs = ()
    in_time: bool = True


class World(NamedTuple):
    """One situation. ``under_way``: sent by somebody who knows no more of it, and not arrived yet.

    ``newest`` is the newest version of each key that somebody has begun to send. ``changes`` and ``faults`` are how
    many more of each there may be.
    """

    row: Row | None
    wanted: Pairs
    holds: Pairs
    workers: tuple[Worker, ...]
    under_way: tuple[Pairs, ...]
    newest: Pairs
    changes: int
    faults: int

    @property
    def quiet(self) -> bool:
        """Nobody is doing anything, and nothing is to be done."""
        return self.row is None and not self.workers and not self.under_way


Step = tuple[str, World]


class BrokenError(AssertionError):
    """Something happened that must not."""


def beginning(keys: tuple[str, ...], changes: int, faults: int) -> World:
    """The destination has what it should have."""
    has = tuple((key, VALUES[0]) for key in keys)
    return World(None, has, has, (), (), tuple((key, 0) for key in keys), changes, faults)


def steps(store: Transitions, world: World) -> Iterator[Step]:
    """All that may happen next."""
    yield from _changes(store, world)
    yield from _store_steps(store, world)
    for index, worker in enumerate(world.workers):
        others = world.workers[:index] + world.workers[index + 1 :]
        yield from _worker_steps(store, world, worker, others)
    for content in set(world.under_way):
        yield "what was under way arrives", _arrived(world, content)


def _changes(store: Transitions, world: World) -> Iterator[Step]:
    if world.changes:
        for key, value in world.wanted:
            other = VALUES[1 - VALUES.index(value)]
            row = store.change(world.row, world.wanted, key, other)
            wanted = _put(world.wanted, ((key, other),))
            yield f"{key} becomes {other}", world._replace(row=row, wanted=wanted, changes=world.changes - 1)


def _store_steps(store: Transitions, world: World) -> Iterator[Step]:
    row = world.row
    if row is None:
        return
    if row.state == "parked":
        yield "unparked", world._replace(row=store.unpark(row))
    elif row.state == "sending":
        if not any(worker.ours for worker in world.workers):
            yield "the lease of a dead one runs out", world._replace(row=store.rescue(row))
        elif world.faults:
            workers = tuple(worker._replace(ours=False) for worker in world.workers)
            frozen = world._replace(row=store.rescue(row), workers=workers, faults=world.faults - 1)
            yield "one who is paused loses it", frozen
    elif not row.due:
        # The quiet period lasts until whatever was on its way then has arrived: that is how long it is.
        if row.state != "confirm" or not _on_its_way(world):
            yield "the wait is over", world._replace(row=row._replace(due=True))
    elif len(world.workers) < WORKERS:
        taken, claim = store.claim(row)
        if claim.values != tuple(pair for pair in world.wanted if pair[0] in dict(claim.values)):
            raise BrokenError("claimed is not what is wanted")
        yield "claimed", world._replace(row=taken, workers=(*world.workers, Worker(claim)))


def _on_its_way(world: World) -> bool:
    return bool(world.under_way) or any(worker.late and worker.in_time for worker in world.workers)


def _worker_steps(store: Transitions, world: World, worker: Worker, others: tuple[Worker, ...]) -> Iterator[Step]:
    rest = world._replace(workers=others)
    if worker.how:
        if worker.late:
            arrived = rest._replace(holds=_put(world.holds, worker.late), workers=(*others, worker._replace(late=())))
            yield "what is late arrives", arrived
        yield f"settled: {worker.how}", _settled(store, rest, worker)
    else:
        yield from _sends(rest, worker)
        # Whoever looks at the lease before sending sees that it is not long enough any more (R2).
        yield "given back", _settled(store, rest, worker._replace(how="unsent"))
    # Nobody can repair what one does who was paused after a look at the lease, sent, and died before settling.
    if world.faults and (worker.in_time or not worker.how):
        late = (worker.late,) if worker.late else ()
        yield "dies", rest._replace(under_way=(*world.under_way, *late), faults=world.faults - 1)


def _sends(world: World, worker: Worker) -> Iterator[Step]:
    """Begin to send; what becomes of it is decided at once, and told when it is settled."""
    claim = worker.claim
    sent = worker._replace(in_time=worker.ours)
    before = dict(world.newest)
    if worker.ours and any(version < before[key] for key, version in claim.versions):
        raise BrokenError("an older version is sent after a newer one")
    newest = _put(world.newest, tuple((key, max(before[key], version)) for key, version in claim.versions))
    world = world._replace(newest=newest)
    yield "sent, accepted", _sent(world, sent._replace(how="accepted"), claim.values)
    if not world.faults:
        return
    world = world._replace(faults=world.faults - 1)
    yield from _fails(world, sent, (), claim.values)
    if len(claim.values) > 1:
        for (key, value), version in zip(claim.values, claim.versions, strict=True):
            alone = tuple(pair for pair in claim.values if pair[0] != key)
            yield from _fails(world, sent._replace(accepted=(version,)), ((key, value),), alone)


def _fails(world: World, sent: Worker, accepted: Pairs, rest: Pairs) -> Iterator[Step]:
    """``accepted`` arrives, and ``rest`` is not accepted, or nobody knows."""
    also = f" beside {accepted[0][0]}" if accepted else ""
    for how in ("refused", "waits", *(("unsent",) if accepted else ())):
        yield f"sent, {how}{also}", _sent(world, sent._replace(how=how), accepted)
    unknown = sent._replace(how="unknown")
    yield f"sent, lost{also}", _sent(world, unknown, accepted)
    yield f"sent, arrives unheard{also}", _sent(world, unknown, (*accepted, *rest))
    yield f"sent, is late{also}", _sent(world, unknown._replace(late=rest), accepted)


def _sent(world: World, worker: Worker, arrives: Pairs) -> World:
    return world._replace(holds=_put(world.holds, arrives), workers=(*world.workers, worker))


def _settled(store: Transitions, world: World, worker: Worker) -> World:
    row = store.settle(world.row, world.wanted, worker.claim, worker.how, worker.accepted, ours=worker.ours)
    return world._replace(row=row, under_way=(*world.under_way, *((worker.late,) if worker.late else ())))


def _arrived(world: World, content: Pairs) -> World:
    left = list(world.under_way)
    left.remove(content)
    return world._replace(holds=_put(world.holds, content), under_way=tuple(left))


def _put(pairs: Pairs, new: Pairs) -> Pairs:
    changed = dict(new)
    return tuple((key, changed.get(key, value)) for key, value in pairs)


def normal(world: World) -> World:
    """The same situation in its simplest form: versions are 1, 2, 3 …, workers and what is under way are sorted."""
    live = [worker.claim for worker in world.workers]
    present = {version for claim in live for _, version in claim.versions} | {claim.version for claim in live}
    if world.row is not None:
        present |= {version for _, version in world.row.versions} | {world.row.version}
    # A version that began to be sent matters as long as there is an older one that might be sent after it.
    oldest = min(present, default=0)
    newest = tuple((key, version if oldest < version else 0) for key, version in world.newest)
    present |= {version for _, version in newest}
    rank = {version: number for number, version in enumerate(sorted(present | {0}))}

    def ranked(pairs: Pairs) -> Pairs:
        return tuple((key, rank[version]) for key, version in pairs)

    row = world.row and world.row._replace(version=rank[world.row.version], versions=ranked(world.row.versions))
    workers = (
        worker._replace(
            claim=worker.claim._replace(version=rank[worker.claim.version], versions=ranked(worker.claim.versions)),
            accepted=ranked(worker.accepted),
        )
        for worker in world.workers
    )
    return world._replace(
        row=row, newest=ranked(newest), workers=tuple(sorted(workers)), under_way=tuple(sorted(world.under_way))
    )
