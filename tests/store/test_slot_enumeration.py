"""The protocol of slots, searched from end to end: whatever two workers and a network do, the destination ends right.

Every order of claims, sends, settlements, changes, deaths, pauses, lost answers and late arrivals is tried, up to a
number of changes and faults, and the store itself says what becomes of its row (`slot_transitions`). In none of them

* does a worker who has the slot begin to send an older version after a newer one (one who was paused after a look at
  its lease may; then R6 repairs it),
* is anything claimed that is not what is wanted at that moment,
* is there a way for the destination to stay wrong: as soon as faults cease, it comes to hold what is wanted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import pytest

from sync.store.engine import Database
from sync.store.sqlite import slots as statements
from tests.store import slot_transitions
from tests.store.slot_transitions import Transitions
from tests.store.slot_world import BrokenError, World, beginning, normal, steps


class Search:
    """All situations that can be reached, each with the step that led to it first: the shortest way."""

    def __init__(self, store: Transitions, start: World) -> None:
        self._store = store
        self.came_from: dict[World, tuple[str, World | None]] = {normal(start): ("", None)}
        self._ends_well: set[World] = set()

    def run(self) -> None:
        """Look at all of them. Raises `BrokenError` at the first that must not be."""
        waiting = deque(self.came_from)
        while waiting:
            world = waiting.popleft()
            self._see_that_it_ends_well(world)
            for how, after in self._next(world):
                if after not in self.came_from:
                    self.came_from[after] = (how, world)
                    waiting.append(after)

    def _next(self, world: World) -> Iterator[tuple[str, World]]:
        try:
            for how, after in steps(self._store, world):
                yield how, normal(after)
        except BrokenError as error:
            raise BrokenError(f"{error}:\n{self._way_to(world)}") from None

    def _see_that_it_ends_well(self, world: World) -> None:
        """From here on nothing goes wrong and nothing changes."""
        calm = normal(world._replace(changes=0, faults=0))
        passed = []
        while calm not in self._ends_well:
            passed.append(calm)
            if calm.quiet:
                if calm.holds != calm.wanted:
                    raise BrokenError(f"the destination stays wrong:\n{self._way_to(world)}")
                break
            if len(passed) > 50:
                raise BrokenError(f"it never comes to an end:\n{self._way_to(world)}")
            calm = self._calm_step(calm)
        self._ends_well.update(passed)

    def _calm_step(self, world: World) -> World:
        """What happens next when all goes well: who can settle does, then who can send does, then the rest."""
        found = dict(reversed(list(self._next(world))))
        order = ("what", "settled", "sent", "the lease", "unparked", "the wait", "claimed")
        return next(after for begins in order for how, after in found.items() if how.startswith(begins))

    def _way_to(self, world: World | None) -> str:
        lines = []
        while world is not None:
            how, before = self.came_from[world]
            lines.append(f"  {how or 'at first'}\n      {world}")
            world = before
        return "\n".join(reversed(lines))


def search(database: Database, keys: tuple[str, ...], changes: int, faults: int) -> Search:
    start = beginning(keys, changes, faults)
    store = Transitions(database, start.wanted)
    try:
        found = Search(store, start)
        found.run()
        return found
    finally:
        store.close()


def reached(found: Search, *how: str) -> bool:
    """Whether each of these was a step to somewhere new."""
    steps_taken = {step for step, _ in found.came_from.values()}
    return steps_taken >= set(how)


def test_whatever_happens_to_one_value_it_ends_right(sqlite_database: Database) -> None:
    found = search(sqlite_database, ("spend",), changes=2, faults=3)
    assert reached(found, "one who is paused loses it", "dies", "the lease of a dead one runs out", "given back")
    assert reached(found, "sent, is late", "what is late arrives", "what was under way arrives", "unparked")
    assert len(found.came_from) > 5_000


@pytest.mark.parametrize(("changes", "faults"), [(2, 1), (1, 2)])
def test_whatever_happens_to_two_values_that_are_sent_one_after_the_other_it_ends_right(
    sqlite_database: Database, changes: int, faults: int
) -> None:
    found = search(sqlite_database, ("spend", "visits"), changes, faults)
    if changes > 1:
        assert reached(found, "sent, is late beside spend", "sent, refused beside visits", "sent, unsent beside visits")


MISTAKES = {
    "R1: what was not sent is settled too": (
        ("ACCEPT_ALL", "(s.user_id, s.token, s.version)", "(s.user_id, s.token)"),
        ("ACCEPT_ALL", ", value ->> 'version'", ""),
    ),
    "R4: a claim that ran out is in no doubt": (("RESCUE", "doubt = 1, ", ""),),
    "R4: a lost answer is in no doubt": (("DEFER", "s.doubt OR b.unknown", "s.doubt"),),
    "R4: what was in doubt is not confirmed": (("ACCEPT_ALL", "AND NOT s.doubt", ""),),
    "R6: nothing is owed anew": (("REOWE", "WHERE true", "WHERE false"),),
    "R6: owing anew knows of no doubt": (("REOWE", "OR excluded.doubt OR s.state = 'confirm'", ""),),
    "a value that was claimed is dropped unsent": (("CLAIM", ", base = '{}'", ""),),
}
"""Rules of the protocol, and how to break each in the statements."""


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_rule_is_needed(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch, mistake: str) -> None:
    for statement, right, wrong in MISTAKES[mistake]:
        text = getattr(statements, statement)
        assert right in text
        monkeypatch.setattr(statements, statement, text.replace(right, wrong))
    with pytest.raises(BrokenError):
        search(sqlite_database, ("spend",), changes=2, faults=2)


def test_the_quiet_period_is_needed(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slot_transitions, "QUIET", -1.0)
    with pytest.raises(BrokenError, match="the destination stays wrong"):
        search(sqlite_database, ("spend",), changes=2, faults=2)
