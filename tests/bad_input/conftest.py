"""A project that has been synced once, on each engine in turn; and what must be so after bad input."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect, text

from tests.command import API_KEY, Project, Said, serving
from tests.conftest import ENGINES, Place
from tests.shop import Shop

MEMBERS = [f"u{number:02}" for number in range(30)]

# A failed run leaves its own row (and a definition's, before anything was recorded of it), and whoever delivers a lease.
_BOOKKEEPING = {"run": "WHERE status <> 'failed'", "definition": "WHERE recorded_at IS NOT NULL"}
# A version is drawn before it is used; one that never is leaves a gap that means nothing.
_NOT_COMPARED = {"lease", "destination", "counter"}


@dataclass
class Synced:
    """A shop whose table ``answer`` is the audience ``Members`` and, where it has a value, the trait ``Spend``."""

    project: Project
    shop: Shop
    place: Place

    def run(self, *arguments: str) -> Said:
        return self.project(*arguments)

    def asks(self, sql: str) -> None:
        """Let the audience run this SQL."""
        self.project.write(audiences=[{"name": "Members", "sql": sql}])


def store_of(place: Place) -> dict[str, str]:
    """``store:`` for a place."""
    return {"url": place.url} | ({"schema": place.schema} if place.schema else {})


def definitions() -> dict[str, Any]:
    """An audience and a trait over the table ``answer``."""
    return {
        "audiences": [{"name": "Members", "sql": "select user_id from answer"}],
        "traits": [{"name": "Spend", "sql": "select user_id, value from answer where value is not null"}],
    }


@pytest.fixture(params=ENGINES)
def synced(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Synced]:
    """Thirty members, all delivered; source and store on the same engine."""
    shop: Shop = request.getfixturevalue(f"{request.param}_shop")
    place: Place = request.getfixturevalue(f"{request.param}_store_place")
    shop.members(*MEMBERS)
    with serving(tmp_path, store_of(place), shop.url, **definitions()) as project:
        project.done("backfill", "--as-of", "2026-01-01")
        yield Synced(project, shop, place)


def contents(place: Place) -> dict[str, list[tuple[object, ...]]] | None:
    """Every row of the store but bookkeeping; ``None`` where there is no store."""
    if place.url.startswith("sqlite") and not Path(place.url.removeprefix("sqlite:///")).exists():
        return None
    engine = create_engine(place.url.replace("postgresql:", "postgresql+psycopg:"))
    prefix = f"{place.schema}." if place.schema else ""
    with engine.connect() as connection:
        found = {
            name: sorted(
                (tuple(map(repr, row)) for row in connection.execute(text(f"SELECT * FROM {prefix}{name} {where}"))),
            )
            for name in inspect(connection).get_table_names(schema=place.schema)
            if name not in _NOT_COMPARED
            for where in [_BOOKKEEPING.get(name, "")]
        }
    engine.dispose()
    return found


@pytest.fixture
def unchanged() -> Callable[[Synced], AbstractContextManager[None]]:
    """``with unchanged(synced): …``: the store holds what it held, and the destination got nothing."""

    @contextmanager
    def watch(synced: Synced) -> Iterator[None]:
        before, requests = contents(synced.place), synced.project.sandbox.requests
        yield
        assert contents(synced.place) == before
        assert synced.project.sandbox.requests == requests

    return watch


def is_one_sentence(said: Said, code: int, *words: str) -> None:
    """The command ended with ``code`` and one line on stderr, which holds all of ``words``."""
    assert said.code == code, said
    lines = said.err.splitlines()
    assert len(lines) == 1, said.err
    assert lines[0].startswith("error: "), said.err
    for word in words:
        assert word in lines[0], said.err
    for never in ("Traceback", "unexpected", API_KEY):
        assert never not in said.out + said.err
