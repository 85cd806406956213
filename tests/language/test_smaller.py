"""A case that goes wrong is shown with nothing in it that does not matter."""

from __future__ import annotations

from random import Random

import pytest

from tests.language import differential
from tests.language.reference.cases import random_cases
from tests.language.reference.evaluate import Data
from tests.language.reference.tree import Property, Reduced, Trait, inside
from tests.language.smaller import Asked, smallest


def test_only_what_matters_is_left() -> None:
    cases = random_cases(Random(3), 30)
    others = {key: other.definition for key, other in cases[0].others.items()}
    case = next(each for each in cases if any(isinstance(part, Trait) for part in inside(each.definition)))
    data = Data(case.profiles, case.events)

    def goes_wrong(asked: Asked) -> bool:
        names_a_trait = any(isinstance(part, Trait) for part in inside(asked.definition))
        documents = [each.get("properties") for each in asked.data.events]
        return names_a_trait and any(isinstance(each, dict) and "brand" in each for each in documents)

    found = smallest(Asked(case.definition, others, data), goes_wrong)

    assert found.others == {}
    assert found.data.profiles == []
    assert [list(event) for event in found.data.events] == [["properties"]]
    assert [list(event["properties"]) for event in found.data.events] == [["brand"]]  # type: ignore[call-overload]
    assert len(list(inside(found.definition))) <= 3
    assert not any(isinstance(part, Reduced | Property) for part in inside(found.definition))


def test_a_disagreement_is_shown_small_and_with_what_repeats_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differential, "same", lambda got, expected: False)

    compared, wrong = differential.compare(5, [0], "")
    shown = str(differential.small(wrong[0], ""))

    assert compared == len(wrong)
    assert "on sqlite (documents), `--seed 5 --world 0`:" in shown
    assert shown.endswith('"profiles":[],"events":[]}')
    assert len(shown) < 600
