"""Random definitions over random dirty data: what the compiled SQL says, held against the reference.

A *world* is some data, loaded once, with definitions that are asked about it. Its seed and its number say all about it:
the data, the definitions, the engine on which they are asked, and whether that has documents or columns. As a command
it compares as many cases as are wanted, and shows the first disagreement as small as it can be::

    make differential ARGS="--cases 100000 --seed 7"
    make differential ARGS="--seed 7 --world 1234"        # that world again
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import click
import orjson

from sync.errors import InvalidQuery
from sync.language.tree import Query
from tests.language import databases
from tests.language.compiled import query
from tests.language.reference.cases import random_cases, same
from tests.language.reference.evaluate import Data, evaluate
from tests.language.reference.spelling import Speller
from tests.language.reference.tree import Definition
from tests.language.smaller import Asked, smallest
from tests.postgresql import serving

DEFINITIONS = 26
"""Asked of one world: loading it costs more than asking."""

WORLDS = 4
"""One after another on one engine."""

_ENGINES = (*("sqlite", "postgresql") * 7, "duckdb")
"""Whose turn it is. DuckDB has fewer: it takes its time over every statement."""


_TOO_DEEP = "nests deeper than"
"""What is said of a query that SQLite's parser cannot follow."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a world is asked about."""

    engine: str
    layout: str


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A definition of which the SQL says something else than the reference, or nothing at all."""

    seed: int
    world: int
    place: Place
    asked: Asked
    texts: Mapping[str, str]
    """Of the definition, which has no key, and of the others."""
    as_of: str
    got: str
    expected: object

    def __str__(self) -> str:
        told = {"query": self.texts[""], "as_of": self.as_of}
        told |= {"profiles": self.asked.data.profiles, "events": self.asked.data.events}  # type: ignore[dict-item]
        others = "".join(f"\n  where {key!r} is {text!r}" for key, text in self.texts.items() if key)
        return (
            f"on {self.place.engine} ({self.place.layout}), `--seed {self.seed} --world {self.world}`:\n"
            f"  {self.texts['']}{others}\n  the SQL says       {self.got}\n  the reference says {self.expected}\n"
            f"  {orjson.dumps(told, default=list).decode()}"
        )


def place(world: int) -> Place:
    """Every third world is asked about in columns."""
    return Place(_ENGINES[world // WORLDS % len(_ENGINES)], databases.LAYOUTS[world % 3 // 2])


def compare(seed: int, worlds: Iterable[int], postgresql: str) -> tuple[int, list[Disagreement]]:
    """How many definitions were compared, and the disagreements."""
    compared, wrong = 0, []
    with ExitStack() as stack:
        opened: dict[Place, databases.Asked] = {}
        for world in worlds:
            where = place(world)
            if where not in opened:
                opened[where] = stack.enter_context(databases.holding(where.engine, where.layout, postgresql))
            for found in _world(seed, world, opened[where]):
                compared += 1
                wrong += [] if found is None else [found]
    return compared, wrong


def _world(seed: int, world: int, database: databases.Asked) -> Iterator[Disagreement | None]:
    """Each definition of a world that can be asked; ``None``: both agree."""
    cases = random_cases(Random(f"{seed} {world}"), DEFINITIONS)
    data = Data(cases[0].profiles, cases[0].events)
    held = database.load(data)
    for case in cases:
        texts = {"": case.text, **{key: other.text for key, other in case.others.items()}}
        others = {key: other.definition for key, other in case.others.items()}
        if (asked := _query(texts)) is None:
            continue
        expected = case.expected if held is data else evaluate(case.definition, held, case.as_of, others)
        got = _answer(database, asked, case.as_of)
        if same(got, expected):
            yield None
            continue
        database.load(data)  # an error takes it away
        if _TOO_DEEP in str(got) and place(world).engine == "sqlite":
            continue  # a funnel in a funnel in a funnel: SQLite says so, and is asked no more
        asked_about = Asked(case.definition, others, data)
        yield Disagreement(seed, world, place(world), asked_about, texts, case.as_of, str(got), expected)


def _query(texts: Mapping[str, str]) -> Query | None:
    """To refer to a list is refused, where the reference takes it for something nested; no other refusal is right."""
    try:
        return query(texts[""], {key: text for key, text in texts.items() if key})
    except InvalidQuery as error:
        if "is a list" in error.sentence:
            return None
        raise


def _answer(database: databases.Asked, asked: Query, as_of: str) -> object:
    try:
        return database.answer(asked, as_of)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is no answer
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"


def small(found: Disagreement, postgresql: str) -> Disagreement:
    """The same disagreement with as little as it takes."""
    with databases.holding(found.place.engine, found.place.layout, postgresql) as database:

        def again(asked: Asked) -> Disagreement | None:
            texts = {key: _plain(each) for key, each in {"": asked.definition, **asked.others}.items()}
            held = database.load(asked.data)
            try:
                compiled = _query(texts)
            except InvalidQuery:
                return None
            if compiled is None:
                return None
            expected = evaluate(asked.definition, held, found.as_of, asked.others)
            got = _answer(database, compiled, found.as_of)
            return (
                None
                if same(got, expected)
                else replace(found, texts=texts, asked=asked, got=str(got), expected=expected)
            )

        return again(smallest(found.asked, lambda asked: again(asked) is not None)) or found


def _plain(definition: Definition) -> str:
    return Speller(Random(0), odd=0).text(definition)


@click.command(help=(__doc__ or "").split("\n")[0])
@click.option("--cases", default=3_000, show_default=True, help="How many definitions to compare.")
@click.option("--seed", default=1, show_default=True, help="What they are made from.")
@click.option("--world", type=int, help="Only this one of the seed's worlds.")
@click.option("--most", default=1, show_default=True, help="How many disagreements to look for.")
@click.option("--processes", default=2, show_default=True, help="How many to compare at a time.")
def main(cases: int, seed: int, world: int | None, most: int, processes: int) -> None:
    """Compare, tell how far it is, and end with 1 where there is a disagreement."""
    with TemporaryDirectory() as folder, serving(Path(folder) / "postgresql") as server:
        if world is not None:
            total, wrong = compare(seed, [world], server)
        else:
            total, wrong = _compare_many(seed, cases, most, processes, server)
        for found in wrong[:most]:
            click.echo(f"\n{small(found, server)}")
    click.echo(f"{total:,} compared, {len(wrong)} disagreements")
    raise SystemExit(1 if wrong else 0)


def _compare_many(seed: int, cases: int, most: int, processes: int, server: str) -> tuple[int, list[Disagreement]]:
    chunks = [range(first, first + WORLDS) for first in range(0, -(-cases // DEFINITIONS), WORLDS)]
    total, wrong, began = 0, [], time.monotonic()
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        waiting = [pool.submit(compare, seed, chunk, server) for chunk in chunks]
        for number, each in enumerate(waiting, start=1):
            compared, found = each.result()
            total, wrong = total + compared, wrong + found
            if number % 10 == 0:
                click.echo(f"{total:,} of {cases:,}, {len(wrong)} disagreements, {time.monotonic() - began:.0f} s")
            if len(wrong) >= most:
                pool.shutdown(cancel_futures=True)
                break
    return total, wrong


if __name__ == "__main__":
    main()
