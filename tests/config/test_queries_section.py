"""``query:`` of audiences and traits: what is read of it, and every fault told with its place in the file and in the query."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sync.config import Settings
from sync.language import parse
from sync.language.references import asked, referenced
from sync.language.tree import Comparison, Reference
from sync.model.definition import Definition, Kind, Question, Referred

Load = Callable[..., Settings]
Problems = Callable[..., list[str]]

HEAD = "version: 1\nsources: {shop: 'sqlite:///shop.db'}\n"
TOTAL = "event('Order Completed').sum(property('total'))"
FILE = f"""\
{HEAD}audiences:
  - name: Recent Buyers
    query: event("Order Completed").within(30 days).count()>=1
  - name: Recent Big Spenders
    query: >-
      trait('total_spend') > 200
      AND trait('recent_buyers') = true
      AND trait('country') = 'NO'
traits:
  - {{name: Total Spend, query: "{TOTAL}"}}
"""


def problem(problems_of: Problems, text: str, env: dict[str, str] | None = None) -> str:
    (found,) = problems_of(HEAD + text, env)
    return found


def test_a_query_arrives_in_canonical_form_with_all_that_it_refers_to(settings_of: Load) -> None:
    recent, big, total = settings_of(FILE).definitions

    recently = "event('Order Completed').within(30 days).count() >= 1"
    assert recent.query == Question(recently)
    assert total.query == Question(TOTAL)
    assert big.query == Question(
        "trait('total_spend') > 200 AND trait('recent_buyers') = true AND trait('country') = 'NO'",
        (Referred(Kind.AUDIENCE, "recent_buyers", recently), Referred(Kind.TRAIT, "total_spend", TOTAL)),
    )


def test_a_definition_alone_is_enough_to_know_the_whole_question(settings_of: Load) -> None:
    big = settings_of(FILE).definition("recent_big_spenders")

    tree = asked(big)
    assert referenced(tree) == {"country"}
    first = tree.parts[0]  # type: ignore[union-attr]
    assert isinstance(first, Comparison)
    assert first.left == Reference("total_spend", parse(TOTAL, Kind.TRAIT))


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (("> 200", ">  200.0"), True),
        (("30 days", "31 days"), False),
        (("property('total')", "property('net')"), False),
    ],
)
def test_the_fingerprint_changes_with_what_is_asked_directly_or_not(
    settings_of: Load, change: tuple[str, str], same: bool
) -> None:
    def fingerprint(text: str) -> str:
        return settings_of(text).definition("recent_big_spenders").fingerprint

    assert (fingerprint(FILE.replace(*change)) == fingerprint(FILE)) is same


def test_definitions_in_sql_keep_the_fingerprint_that_stores_remember() -> None:
    assert Definition(Kind.AUDIENCE, "a", "A", "shop", (), sql="select 1").fingerprint == "a33a43d1d5b3e9de"


def test_a_fault_is_told_with_the_line_of_the_file_and_the_place_inside_the_query(problems_of: Problems) -> None:
    text = "audiences:\n  - name: A\n    query: |-\n      trait('x') = 1\n      AND event('B').cuont() >= 1\n"

    assert problem(problems_of, text) == (
        "sync.yaml:5: audiences[0].query: goes wrong in its line 2, column 16: "
        "there is no function `cuont`; did you mean `count()`?"
    )


def test_every_wrong_query_is_told_at_once_also_of_a_definition_that_is_switched_off(problems_of: Problems) -> None:
    text = (
        f"{HEAD}audiences:\n  - {{name: A, query: event('B').count()}}\n"
        "  - {name: C, enabled: false, query: ALL trait('x').is_set()}\n"
        "traits:\n  - {name: D, query: trait('x') = 1}\n"
    )
    found = [each.partition(" goes wrong in its line 1, ")[::2] for each in problems_of(text)]

    assert [(where, said.partition(":")[0]) for where, said in found] == [
        ("sync.yaml:4: audiences[0].query:", "column 19"),
        ("sync.yaml:5: audiences[1].query:", "column 1"),
        ("sync.yaml:7: traits[0].query:", "column 12"),
    ]


def test_what_was_filled_in_is_not_shown(problems_of: Problems) -> None:
    found = problem(problems_of, "audiences: [{name: A, query: \"trait('x') = ${X}\"}]\n", {"X": "hunter2 hunter3"})

    assert "goes wrong in its line 1, column 22: look at what is filled in there" in found
    assert "hunter" not in found


def test_a_circle_of_definitions_is_told_once_and_whole(problems_of: Problems) -> None:
    text = (
        "audiences:\n  - {name: A, query: trait('b') = true}\n  - {name: C, query: trait('a') = true}\n"
        "traits:\n  - {name: B, query: \"event('E').where(trait('c') = true).count()\"}\n"
    )
    assert problem(problems_of, text).startswith(
        "sync.yaml:4: audiences[0].query: goes wrong in its line 1, column 1: refers to itself (a → b → c → a): take one"
    )


def test_a_definition_that_reads_its_own_key_refers_to_itself(problems_of: Problems) -> None:
    assert "refers to itself (vip → vip)" in problem(
        problems_of, "audiences: [{name: Vip, query: trait('vip') = true}]\n"
    )


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ("{name: B, sql: select 1}", "`b` is written as `sql:`: a query refers to those written as `query:`"),
        ("{name: B, table: {name: t, user_id: id}}", "`b` is written as `table:`"),
        ("{name: B, source: other, query: trait('x') = 1}", "`b` is asked of another source"),
    ],
)
def test_only_a_query_of_the_same_source_can_be_referred_to(problems_of: Problems, other: str, said: str) -> None:
    (found,) = problems_of(
        "version: 1\nsources: {shop: 'sqlite:///shop.db', other: 'sqlite:///other.db'}\ndefaults: {source: shop}\n"
        f"audiences:\n  - {{name: A, query: trait('x') = 1 AND trait('b') = true}}\n  - {other}\n"
    )
    assert "audiences[0].query: goes wrong in its line 1, column 20: " in found
    assert said in found


def test_a_list_cannot_be_compared_from_elsewhere(problems_of: Problems) -> None:
    text = "traits: [{name: Brands, query: \"event('E').unique(property('brand'))\"}]\n"

    assert "`trait('brands')` is a list" in problem(
        problems_of, f"audiences: [{{name: A, query: trait('brands') = 'x'}}]\n{text}"
    )


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        ("audiences: [{name: A, query: trait('x') = 1, sql: select 1}]", "audiences[0].sql: is given beside `query`"),
        ("traits: [{name: A, query: trait('x'), sql: select 1}]", "traits[0].sql: is given beside `query`"),
        ("traits: [{name: A}]", "traits[0]: says nothing about its values: give `query` or `sql`"),
        ("audiences: [{name: A, query: ' '}]", "audiences[0].query: must not be empty"),
        ("audiences: [{name: A, query: [x]}]", "audiences[0].query: must be text"),
    ],
)
def test_a_definition_has_exactly_one_question(problems_of: Problems, definition: str, said: str) -> None:
    assert said in problem(problems_of, definition + "\n")


def test_full_refresh_is_a_day_unless_it_is_given_for_all_or_for_one(settings_of: Load) -> None:
    text = "audiences: [{name: A, query: trait('x') = 1}, {name: B, query: trait('x') = 1, full_refresh: 6 hours}]\n"
    assert [each.full_refresh for each in settings_of(HEAD + text).definitions] == [86_400.0, 21_600.0]
    given = settings_of(HEAD + text + "defaults: {full_refresh: 2 days}\n").definitions
    assert [each.full_refresh for each in given] == [172_800.0, 21_600.0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sql: select 1, full_refresh: 1 day", "goes with `query` only, for what `sql` gives is read whole each time"),
        ("table: {name: t, user_id: u}, full_refresh: 1 day", "goes with `query` only, for what `table` gives"),
        ("query: trait('x') = 1, full_refresh: often", "must be a duration with its unit"),
    ],
)
def test_a_full_refresh_that_means_nothing_is_refused(problems_of: Problems, text: str, said: str) -> None:
    assert f"audiences[0].full_refresh: {said}" in problem(problems_of, f"audiences: [{{name: A, {text}}}]")
