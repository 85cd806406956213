from __future__ import annotations

import pytest

from sync.errors import InvalidQuery
from sync.language import parse
from sync.language.references import circles, expand, referenced
from sync.language.text import written
from sync.language.tree import Comparison, Query, Reference, Trait
from sync.model.definition import Kind

TOTAL = parse("event('A').sum(property('total'))", Kind.TRAIT)
BIG = parse("trait('total') > 100", Kind.AUDIENCE)
BOTH = parse("trait('big') = true AND trait('big') = trait('country')", Kind.AUDIENCE)


def refers(**keys: str) -> dict[str, Query]:
    """Audiences that refer to others: ``a="b c"``."""
    texts = {key: " AND ".join(f"trait('{name}') = 1" for name in names.split()) for key, names in keys.items()}
    return {key: parse(text, Kind.AUDIENCE) for key, text in texts.items()}


def test_every_trait_that_a_query_reads_is_known() -> None:
    query = parse(
        "event('A').where(property('p') > trait('a.b')).within(1 day).max(property('trait')) > trait('c')",
        Kind.AUDIENCE,
    )

    assert referenced(query) == {"a.b", "c"}


def test_a_key_is_put_in_place_and_a_profile_trait_stays() -> None:
    big = expand("big", {"total": TOTAL, "big": BIG})

    assert isinstance(big, Comparison)
    assert big.left == Reference("total", TOTAL)
    assert expand("big", {"big": BIG}) == BIG


def test_what_is_referred_to_is_expanded_itself_and_only_once() -> None:
    both = expand("both", {"total": TOTAL, "big": BIG, "both": BOTH})

    found = [part.left for part in both.parts]  # type: ignore[union-attr]
    assert found == [Reference("big", expand("big", {"total": TOTAL, "big": BIG}))] * 2
    assert found[0] is found[1]
    assert both.parts[1].right == Trait("country")  # type: ignore[union-attr]


def test_an_expanded_query_is_still_written_as_it_was() -> None:
    assert written(expand("both", {"total": TOTAL, "big": BIG, "both": BOTH})) == written(BOTH)


def test_a_definition_that_reads_its_own_key_goes_in_a_circle() -> None:
    queries = refers(vip="vip")

    assert circles(queries) == [("vip", "vip")]
    with pytest.raises(InvalidQuery, match=r"goes in a circle \(vip → vip\)"):
        expand("vip", queries)


def test_a_circle_is_named_whole_and_once() -> None:
    queries = refers(outside="a", a="x b", b="c", c="y a", alone="z")

    assert circles(queries) == [("a", "b", "c", "a")]
    with pytest.raises(InvalidQuery, match=r"\(a → b → c → a\)") as refused:
        expand("a", queries)
    assert (refused.value.line, refused.value.column) == (1, 20)
    with pytest.raises(InvalidQuery, match=r"\(outside → a → b → c → a\)"):
        expand("outside", queries)


def test_two_circles_through_one_definition_are_both_left_in_one_go() -> None:
    assert circles(refers(a="b", b="a", c="d", d="c")) == [("a", "b", "a"), ("c", "d", "c")]


def test_a_list_of_another_definition_cannot_be_compared() -> None:
    brands = parse("event('A').unique(property('brand'))", Kind.TRAIT)

    with pytest.raises(InvalidQuery, match="is a list"):
        expand("big", {"total": brands, "big": BIG})


def test_references_that_multiply_beyond_measure_are_refused() -> None:
    queries = refers(**{f"d{number}": f"d{number + 1} d{number + 1}" for number in range(12)})
    queries["d12"] = TOTAL

    with pytest.raises(InvalidQuery, match="more than 500 expressions"):
        expand("d0", queries)


def test_a_chain_without_end_is_refused() -> None:
    queries = refers(**{f"d{number}": f"d{number + 1}" for number in range(500)})

    with pytest.raises(InvalidQuery, match="a chain of more than 20 definitions"):
        expand("d0", queries)
    assert circles(queries) == []
