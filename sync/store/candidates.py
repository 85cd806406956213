"""Users who can have changed, held in memory while they are few.

They are compared with the snapshot by their ids, which are bound to the statement that looks them up, and so is what has
changed to those that write it down: no table need be made for them, which would cost more than to look them up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import repeat
from typing import TypeAlias

from sync.model.chunk import Chunk

MOST = 10_000
"""Users who are few."""

ROOM = 4_000_000
"""Characters of all that is known of them, up to which they are held."""

LONGEST = 2_000
"""Characters of a value that each of them may have had before."""

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Few:
    """Each user once, in the order of their ids. ``values`` are ``None`` for who is not in the answer; ``doubled`` are up
    to five who stand there twice."""

    user_ids: list[str]
    values: list[str | None]
    extras: list[str | None]
    doubled: list[str]

    @property
    def present(self) -> int:
        """How many are in the answer."""
        return len(self.values) - self.values.count(None)


def size(chunk: Chunk) -> int:
    """How many characters are in it."""
    columns = (chunk.user_ids, chunk.values or (), chunk.extras or ())
    return sum(len(text) for column in columns for text in column if text is not None)


def few(chunks: Iterable[Chunk]) -> Few:
    """The users of some chunks. Who is in the answer and also is not, under an id that reads the same, is in it."""
    found: dict[str, tuple[str | None, str | None]] = {}
    doubled: set[str] = set()
    for chunk in chunks:
        values = repeat("true") if chunk.values is None else chunk.values
        for user_id, value, extra in zip(chunk.user_ids, values, chunk.extras or repeat(None), strict=False):
            if value is None:
                found.setdefault(user_id, (None, None))
                continue
            if found.get(user_id, (None,))[0] is not None:
                doubled.add(user_id)
            found[user_id] = (value, extra)
    user_ids = sorted(found)
    values, extras = [found[each][0] for each in user_ids], [found[each][1] for each in user_ids]
    return Few(user_ids, values, extras, sorted(doubled)[:_NAMED])


class NotFew(Exception):
    """More is needed than what is held of few users: a destination gets everybody, for it has joined since the run began, or
    values were long before."""


Changed: TypeAlias = tuple[str, str | None, str | None, str | None]
"""A user id, the value before, the value after and what comes along; ``None`` before: never recorded, after: not there."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What has changed of few users, in the order of their ids: what the TEMP table ``change`` is of many."""

    rows: list[Changed]

    @property
    def is_short(self) -> bool:
        """Whether each value before is there as it was: of longer ones there is one character more than `LONGEST`."""
        return all(before is None or len(before) <= LONGEST for _, before, _, _ in self.rows)

    def counted(self, absent: str) -> tuple[int, int, int]:
        """How many entered, exited, and have another value; ``absent`` is the value of who is not there."""
        exited = sum(after is None for _, _, after, _ in self.rows)
        entered = sum(after is not None and before in (None, absent) for _, before, after, _ in self.rows)
        return entered, exited, len(self.rows) - entered - exited

    def without_exits(self) -> Difference:
        """The same, but for those who left."""
        return Difference([row for row in self.rows if row[2] is not None])
