"""Random cases, most of them with an answer that says something: neither nobody nor everybody, not one value for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose
from random import Random

from tests.language.reference.definitions import Definer
from tests.language.reference.evaluate import Object, evaluate, known_users
from tests.language.reference.spelling import spell
from tests.language.reference.tree import Definition
from tests.language.reference.values import sort_of
from tests.language.reference.world import World, random_world

_TRIES = 4
_KEYS = ("big_spenders", "avg_spend", "email", "brands", "returned_last_week")
"""Of other definitions; some are names of profile traits as well, and hide those."""


@dataclass(frozen=True, slots=True)
class Other:
    """A definition that ``trait('key')`` means."""

    text: str
    definition: Definition


@dataclass(frozen=True, slots=True)
class Case:
    """One definition, what it is asked about, and what the reference says."""

    kind: str
    """``audience`` or ``trait``."""
    text: str
    definition: Definition
    as_of: str
    profiles: Sequence[Object]
    events: Sequence[Object]
    others: dict[str, Other]
    expected: Object

    telling: bool
    """Whether a wrong answer would be likely to differ from the right one."""


def random_case(random: Random) -> Case:
    """A case with data of its own."""
    return random_cases(random, 1)[0]


def random_cases(random: Random, count: int) -> list[Case]:
    """So many cases that share their data, their ``as_of`` and their other definitions: load once, ask often."""
    world = random_world(random)
    others = _others(random, world)
    trees = {key: other.definition for key, other in others.items()}
    as_of = world.as_of.isoformat().replace("+00:00", "Z")
    cases = []
    for _ in range(count):
        definition, expected, telling = _asked(random, world, trees)
        text, kind = spell(definition, random), str(expected["kind"])
        profiles, events = world.data.profiles, world.data.events
        cases.append(Case(kind, text, definition, as_of, profiles, events, others, expected, telling))
    return cases


def _others(random: Random, world: World) -> dict[str, Other]:
    """Up to three, each of which may refer to those before it."""
    others: dict[str, Definition] = {}
    keys = random.sample(_KEYS, random.randrange(4))
    for place, key in enumerate(keys):
        others[key], *_ = _asked(random, world, dict(others), unnamed=keys[place:])
    return {key: Other(spell(definition, random), definition) for key, definition in others.items()}


def _asked(
    random: Random, world: World, others: dict[str, Definition], unnamed: Sequence[str] = ()
) -> tuple[Definition, Object, bool]:
    """A definition with its answer; one that tells nothing only when the last try did no better."""
    definer = Definer(random, world, others, unnamed)
    make = definer.audience if random.random() < 0.65 else definer.trait
    users = len(known_users(world.data, world.as_of, others))
    for _ in range(_TRIES):
        definition = make()
        expected = evaluate(definition, world.data, world.as_of, others)
        telling = _is_telling(expected, users)
        if telling:
            break
    return definition, expected, telling


def _is_telling(expected: Object, users: int) -> bool:
    """Some are members and some are not; or not all users have the same value."""
    match expected:
        case {"members": list(members)}:
            return 0 < len(members) < users
        case {"values": dict(values)}:
            kinds = {repr(value) for value in values.values()}
            return len(kinds) > 1 or 0 < len(values) < users
    raise TypeError(expected)


def same(got: object, expected: object) -> bool:
    """Whether two answers agree, sort by sort; of two numbers the last digits may differ, as engines divide differently."""
    if isinstance(expected, dict) and isinstance(got, dict):
        return got.keys() == expected.keys() and all(same(got[key], expected[key]) for key in expected)
    if isinstance(expected, list) and isinstance(got, list):
        return len(got) == len(expected) and all(map(same, got, expected))
    if sort_of(got) == sort_of(expected) == "number":
        return isclose(got, expected, rel_tol=1e-12)  # type: ignore[arg-type]
    return sort_of(got) == sort_of(expected) and got == expected
