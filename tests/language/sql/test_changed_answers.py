"""Whose answer can be another one now: nobody is left out, and what is said of them is what the reference says."""

from __future__ import annotations

from contextlib import ExitStack
from random import Random

import pytest
from sqlalchemy.exc import OperationalError

from sync.source.connection import TOO_DEEP
from tests.language.compiled import compilable
from tests.language.databases import LAYOUTS
from tests.language.growing import Growing, answers, growing, grown
from tests.language.reference.cases import random_cases, same
from tests.soak import FULL, SEED

_DEFINITIONS = 10
"""Asked of one world: loading it costs more than asking."""

_WORLDS = {"sqlite": 1000, "postgresql": 300, "duckdb": 300} if FULL else {"sqlite": 20, "postgresql": 5, "duckdb": 4}


@pytest.mark.soak
@pytest.mark.parametrize("engine", ["sqlite", "postgresql", "duckdb"])
def test_whoever_has_another_answer_is_found_with_it(engine: str, postgresql_url: str) -> None:
    wrong, changed = [], 0
    with ExitStack() as stack:
        databases = [stack.enter_context(growing(engine, layout, postgresql_url)) for layout in LAYOUTS]
        for world in range(_WORLDS[engine]):
            random = Random(f"{SEED} {world}")
            found = _compared(random, databases[world % 3 // 2])
            wrong += [f"world {world}: {each}" for each in found[0]]
            changed += found[1]
    assert not wrong, "\n".join(wrong)
    assert changed > 10 * _WORLDS[engine]


def _compared(random: Random, database: Growing) -> tuple[list[str], int]:
    """Where definitions over one world go wrong, and how many answers have changed."""
    cases = random_cases(random, _DEFINITIONS)
    found = database.load(grown(cases, random, exact=random.random() < 0.5))
    wrong, changed = [], 0
    for case, asked in compilable(cases):
        if database.in_full(asked) is not None:
            continue
        before, now = answers(case, found.before, found.since), answers(case, found.now, found.as_of)
        overlap = random.choice((0, 0, 2))
        try:
            got = database.changes(asked, found, overlap=overlap)
        except OperationalError as error:
            if str(error.orig) != TOO_DEEP:
                raise
            continue  # a run refreshes this one in full
        others = {user for user in before.keys() | now.keys() if not same(before.get(user), now.get(user))}
        left_out = {user: (before.get(user), now.get(user)) for user in others - got.keys()}
        untrue = {user: (answer, now.get(user)) for user, answer in got.items() if not same(answer, now.get(user))}
        changed += len(others)
        if left_out or untrue:
            told = f"{case.text}\n  { ({key: each.text for key, each in case.others.items()}) }"
            wrong.append(f"{told}\n  {found.since} to {found.as_of}\n  left out {left_out}\n  untrue {untrue}")
    return wrong, changed
