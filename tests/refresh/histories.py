"""Random histories of a source: what is written when, when it can be seen, and what is asked meanwhile.

Rows come late (seen after such with a higher cursor, though no later than was promised), early (their time has not come)
and out of order; profiles change; windows pass over events to the microsecond; the definition is edited.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from sync.language.text import written
from sync.model.definition import Definition, Kind, Question, Referred
from tests.language.compiled import compilable, parsed
from tests.language.growing import spans_of
from tests.language.reference.cases import Case, Other, random_cases
from tests.language.reference.evaluate import Data, Object
from tests.language.reference.tree import A_SPAN_GIVEN, Check, inside, is_comparison
from tests.language.reference.values import instant
from tests.language.typed import cleaned, rows_of
from tests.recorder import PUSH

Rows = dict[str, list[list[Any]]]
"""By table: of events the first value is the cursor, of profiles the last one, and the first one the user."""

_NEAR = (timedelta(microseconds=-1), timedelta(0), timedelta(0), timedelta(microseconds=1))
_NEVER = 1e9
_LATENESS = (0.0, 3_600.0, 86_400.0, 259_200.0)


@dataclass(frozen=True, slots=True)
class Step:
    """What has been written since the step before, who has another profile, and what is asked then, as of which instant."""

    clock: datetime
    as_of: datetime
    rows: Rows
    profiles: dict[str, list[Any]]
    definition: Definition
    chances: list[float]
    """For whatever else may happen."""


@dataclass(frozen=True, slots=True)
class History:
    """``lateness`` in seconds is what the tables promise."""

    steps: list[Step]
    lateness: float


def random_history(random: Random, key: str, steps: int, *, collected: bool = False) -> History:
    """One about an audience or a trait of this key, in typed tables or in what our API has ``collected``."""
    cases, crowd = _asked(random), random.choice((1, 1, 6))
    data = _crowd(Data(cases[0].profiles, cases[0].events), crowd)
    times = _times(data, cases, random, steps)
    lateness = 0.0 if collected else random.choice(_LATENESS)
    guard, edits = (1.0, 0.07) if crowd == 1 else (random.choice((0.0, 0.1)), 0.25)
    along = random.choice(((), (), ("email",), ("vip", "address.city")))
    definitions = [_definition(case, key, guard, along) for case in cases]
    # What was is gone through again in no time, or lived through.
    clocks = [times[-1] + timedelta(seconds=place) for place in range(steps)] if random.random() < 0.15 else times
    tables = _collected(data) if collected else rows_of(*cleaned(data))
    rows, profiles = _writings(tables, clocks, lateness, random, unique=collected)
    now, found = definitions[0], []
    for place, at in enumerate(times):
        now = random.choice(definitions) if random.random() < edits else now
        found.append(Step(clocks[place], at, rows[place], profiles[place], now, [random.random() for _ in range(8)]))
    return History(found, lateness)


def _asked(random: Random) -> list[Case]:
    """Definitions over one world, all audiences or all traits; with dates that move as time goes by only now and then."""
    while True:
        relative = random.random() < 0.05
        found = compilable(random_cases(random, 8))
        fitting = [
            case
            for case, _ in found
            if case.kind == found[0][0].kind and (relative or not any(map(_is_relative, _inside(case))))
        ]
        if fitting:
            simplest = sorted(fitting, key=lambda case: len(_inside(case)))
            return simplest[:4] if random.random() < 0.8 else fitting


def _inside(case: Case) -> list[object]:
    return [part for each in (case, *case.others.values()) for part in inside(each.definition)]


def _is_relative(part: object) -> bool:
    return isinstance(part, Check) and part.comparison in A_SPAN_GIVEN


def _crowd(data: Data, times: int) -> Data:
    """Each user so many times: only exits of many are held."""

    def another(row: Object, name: str, number: int) -> Object:
        user = row.get(name)
        return {**row, name: f"{user}~{number}"} if number and isinstance(user, str) and user else row

    return Data(
        [another(each, "user_id", number) for number in range(times) for each in data.profiles],
        [another(each, "userId", number) for number in range(times) for each in data.events],
    )


def _times(data: Data, cases: Sequence[Case], random: Random, steps: int) -> list[datetime]:
    """Of the steps: most such that an event stands on the edge of a window, or a microsecond beside it."""
    middle = datetime.fromisoformat(cases[0].as_of)
    first, last = middle - timedelta(days=15), middle + timedelta(days=15)
    events = [at for each in data.events if (at := instant(each.get("timestamp"))) is not None]
    spans = (timedelta(0), *spans_of(cases))
    edges = [at + span + random.choice(_NEAR) for at in events for span in spans]
    found = {each for each in edges if first < each < last}
    chosen = set(random.sample(sorted(found), min(len(found), steps * 2 // 3)))
    while len(chosen) < steps:
        chosen.add(first + (last - first) * random.random())
    return sorted(chosen)


def _definition(case: Case, key: str, guard: float, along: tuple[str, ...]) -> Definition:
    referred = [_referred(name, other) for name, other in sorted(case.others.items())]
    question = Question(written(parsed(case.text)), tuple(referred))
    asked = Definition(Kind(case.kind), key, key, "shop", (PUSH,), question, enrichment=along)
    return replace(asked, max_exits=guard, full_refresh=_NEVER)


def _referred(key: str, other: Other) -> Referred:
    kind = Kind.AUDIENCE if is_comparison(other.definition) else Kind.TRAIT
    return Referred(kind, key, written(parsed(other.text)))


def _collected(data: Data) -> Rows:
    """The events as they were received; a profile is all traits in one."""
    events = [[None, each] for each in data.events if instant(each.get("timestamp")) is not None]
    traits = {each["user_id"]: each.get("traits") for each in data.profiles if isinstance(each.get("user_id"), str)}
    profiles = [[user, found, None] for user, found in traits.items() if user and isinstance(found, dict)]
    return {"event": events, "customers": profiles}


def _writings(
    tables: Rows, clocks: Sequence[datetime], lateness: float, random: Random, *, unique: bool
) -> tuple[list[Rows], list[dict[str, list[Any]]]]:
    """The events that are first seen at each step, and the profiles that are written then.

    A cursor rises with each row or, at clocks, only with each step.
    """
    coarse, few = not unique and random.random() < 0.2, random.random() < 0.5
    profiles = _profiles(tables.pop("customers"), len(clocks), random, coarse=coarse)
    seen: list[Rows] = [{name: [] for name in tables} for _ in clocks]
    for name, rows in tables.items():
        begins = sorted(0 if few and random.random() < 0.6 else random.randrange(len(clocks)) for _ in rows)
        for place, (step, row) in enumerate(zip(begins, random.sample(rows, len(rows)), strict=True)):
            row[0] = step if coarse else place
            seen[_seen(step, clocks, lateness, random)][name].append(row)
    return seen, profiles


def _seen(step: int, clocks: Sequence[datetime], lateness: float, random: Random) -> int:
    """When a row of this step can be seen: whoever reads at the step before may still find it missing by the promise."""
    late = timedelta(seconds=lateness)
    possible = [each for each in range(step, len(clocks)) if each == step or clocks[each - 1] < clocks[step] + late]
    return step if random.random() < 0.7 else random.choice(possible)


def _profiles(rows: list[list[Any]], steps: int, random: Random, *, coarse: bool) -> list[dict[str, list[Any]]]:
    """By step, the rows of customers that are written, by user."""
    found: list[dict[str, list[Any]]] = [{} for _ in range(steps)]
    for user, *traits, _ in rows:
        first = 0 if random.random() < 0.6 else random.randrange(steps)
        found[first][user] = [user, *traits, None]
        for later in range(first + 1, steps):
            if random.random() < 0.08:
                _, *others, _ = random.choice(rows)
                found[later][user] = [user, *others, None]
    cursor = 0
    for step, written_now in enumerate(found):
        for row in written_now.values():
            cursor += 1
            row[-1] = step if coarse else cursor
    return found
