"""What holds for every text and for every tree."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sync.errors import InvalidQuery
from sync.language import parse
from sync.language.checker import MOST_EXPRESSIONS
from sync.language.names import ALL
from sync.language.references import expressions
from sync.language.text import written
from sync.language.tree import Query
from sync.model.definition import Kind
from tests.language.any_query import queries

SIGNS = ["(", ")", "[", "]", "{", "}", ",", ".", ":", "=", ">=", "<>", "!", "'", "“", "\\", "\n", "-", "7 days", "true"]
WORDS = [
    *(f"{name}(" for name in ALL),
    *ALL,
    "AND",
    "or",
    "NOT",
    "any",
    "parent:",
    "exclude:",
    "'a'",
    '"b"',
    "5",
    "1.5",
]

kinds = st.sampled_from(Kind)
scraps = st.lists(st.sampled_from(SIGNS + WORDS) | st.text(max_size=2), max_size=12)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A right query with a piece taken out, or something put in."""
    text = written(draw(queries(draw(kinds), deep=1)))
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(st.sampled_from([*SIGNS, ""])) + text[at + draw(st.integers(0, 3)) :]


def query_or_fault(text: str, kind: Kind) -> Query | InvalidQuery:
    try:
        return parse(text, kind)
    except InvalidQuery as error:
        return error


@given(text=st.text() | scraps.map(" ".join) | scraps.map("".join) | damaged(), kind=kinds)
@settings(max_examples=200)
def test_any_text_is_a_query_or_is_refused_at_a_place_inside_it(text: str, kind: Kind) -> None:
    found = query_or_fault(text, kind)

    if isinstance(found, InvalidQuery):
        lines = text.split("\n")
        assert 1 <= found.line <= len(lines)
        assert 1 <= found.column <= len(lines[found.line - 1]) + 1
        assert found.sentence.isprintable()


@given(st.data())
@settings(max_examples=60)
def test_what_is_written_out_is_read_as_the_same_tree(data: st.DataObject) -> None:
    kind = data.draw(kinds)
    query = data.draw(queries(kind))

    assume(expressions(query) <= MOST_EXPRESSIONS)

    assert parse(written(query), kind) == query
