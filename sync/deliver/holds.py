"""The events that wait in the store, as far as memory needs them: whose they are, and when they are due.

Of a user the lowest number goes first, and the others after it.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from heapq import heappop, heappush


@dataclass(slots=True, order=True)
class Waiting:
    """One event. ``due``: a monotonic instant. ``profile``: the user whose profile it changes, if any."""

    id: int
    user_key: str
    due: float
    attempts: int
    failing_since: datetime | None
    profile: str | None


class Holds:
    """All that wait. ``count`` and ``total`` (of their numbers) are as the store's own, unless somebody changed those."""

    def __init__(self) -> None:
        self._of_user: dict[str, list[Waiting]] = {}
        self._by_id: dict[int, Waiting] = {}
        self._heads: list[tuple[float, int, str]] = []
        self.total = 0

    @property
    def count(self) -> int:
        return len(self._by_id)

    def __contains__(self, user_key: str) -> bool:
        return user_key in self._of_user

    def __iter__(self) -> Iterator[Waiting]:
        return iter(list(self._by_id.values()))

    def get(self, number: int) -> Waiting | None:
        """An event that waits, by its number."""
        return self._by_id.get(number)

    def add(self, waiting: Waiting) -> None:
        """It waits; known already, it waits as it is said now."""
        self.remove(waiting.id)
        self._by_id[waiting.id] = waiting
        self.total += waiting.id
        insort(self._of_user.setdefault(waiting.user_key, []), waiting)
        self.look_at(waiting.user_key)

    def remove(self, number: int) -> None:
        """It waits no longer."""
        waiting = self._by_id.pop(number, None)
        if waiting is None:
            return
        self.total -= number
        others = self._of_user[waiting.user_key]
        others.remove(waiting)
        if others:
            self.look_at(waiting.user_key)
        else:
            del self._of_user[waiting.user_key]

    def look_at(self, user_key: str) -> None:
        """A user may be sent something again."""
        if user_key in self._of_user:
            first = self._of_user[user_key][0]
            heappush(self._heads, (first.due, first.id, user_key))

    def due(self, now: float, most: int, busy: Collection[str]) -> list[list[Waiting]]:
        """Up to ``most`` events that are due, for each user in order, those that are due longest first.

        Whoever is given here, or is busy, comes again only after `look_at`.
        """
        found: list[list[Waiting]] = []
        given: set[str] = set()
        while self._heads and self._heads[0][0] <= now and most > 0:
            due, number, user_key = heappop(self._heads)
            waiting = self._of_user.get(user_key)
            if waiting is None or user_key in busy or user_key in given:
                continue
            if (waiting[0].due, waiting[0].id) != (due, number):
                continue
            some = []
            for each in waiting[:most]:
                if each.due > now:
                    break
                some.append(each)
            given.add(user_key)
            found.append(some)
            most -= len(some)
        return found

    def next_due(self) -> float | None:
        """When somebody is due, at the earliest."""
        return self._heads[0][0] if self._heads else None
