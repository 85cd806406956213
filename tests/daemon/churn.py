"""A customer's database on PostgreSQL whose people come, change and go all the time; and what they were, one after another."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from itertools import count
from random import Random

import psycopg

DEFINITIONS: Mapping[str, str] = {
    "members": "select user_id, true as value from person where member",
    "score": "select user_id, score as value from person",
    "level": "select user_id, level as value from person",
    "lucky": "select user_id, true as value from person where score % 3 = 0",
    "visitors": "select user_id, true as value from person where visitor",
}
"""What each definition says of whom: ``score`` and ``level`` are traits, the others audiences."""

SLOW = "select user_id from person, (select pg_sleep({seconds})) as slow where visitor"
"""``visitors``, in a refresh that takes long enough to be killed in the middle."""

NUMBERED = ("score", "level")
"""Traits no value of which ever comes back: their values tell which of two is the newer one."""

_TABLE = "create table person (user_id text primary key, member boolean, visitor boolean, score bigint, level bigint)"
_PUT = """insert into person values (%s, %s, %s, %s, %s) on conflict (user_id) do update
set member = excluded.member, visitor = excluded.visitor, score = excluded.score, level = excluded.level"""


class Churn:
    """People change for the length of a ``with`` block, and then stay as they are.

    ``histories`` has every value that a numbered trait of a user has had, oldest first; ``None``: there
    was none.
    """

    def __init__(self, url: str, random: Random, people: int) -> None:
        self.url = url
        self.histories: dict[tuple[str, str], list[int | None]] = defaultdict(list)
        self.changes = 0
        self._random = random
        self._users = [f"u{number}" for number in range(people)]
        self._numbers = count(1)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="churn", daemon=True)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_TABLE)
            for user_id in self._users:
                self._change(connection, user_id)

    def __enter__(self) -> Churn:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def truth(self) -> dict[str, dict[str, object]]:
        """By definition and user: who has what value now."""
        with psycopg.connect(self.url) as connection:
            return {key: dict(connection.execute(sql).fetchall()) for key, sql in DEFINITIONS.items()}  # type: ignore[arg-type]

    def _run(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            while not self._over.wait(self._random.uniform(0.02, 0.2)):
                for user_id in self._random.sample(self._users, self._random.randint(1, 4)):
                    self._change(connection, user_id)

    def _change(self, connection: psycopg.Connection, user_id: str) -> None:
        """Something happens to one user: he goes, or he (comes and) is another one."""
        self.changes += 1
        score: int | None = None
        level: int | None = None
        if self._random.random() < 0.1:
            self._note(user_id, score, level)
            connection.execute("delete from person where user_id = %s", (user_id,))
            return
        score, level = next(self._numbers), next(self._numbers)
        member, visitor = self._random.random() < 0.5, self._random.random() < 0.3
        self._note(user_id, score, level)
        connection.execute(_PUT, (user_id, member, visitor, score, level))

    def _note(self, user_id: str, *values: int | None) -> None:
        """Before it is so in the database: nobody may see a value that is not known here."""
        for key, value in zip(NUMBERED, values, strict=True):
            self.histories[user_id, key].append(value)
