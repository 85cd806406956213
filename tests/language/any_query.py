"""Any tree there can be, for tests that hold for all of them."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from sync.language import tree
from sync.model.definition import Kind

_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=6)
_names = _texts.filter(str.strip) | st.sampled_from(["price", "page.url", "it's", "a\\", "“x”", "AND"])
_wholes = st.integers(-(2**63), 2**63 - 1)
_fractions = st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: not x.is_integer() or abs(x) >= 2**63)

_literals = (
    st.builds(tree.Text, _texts) | st.builds(tree.Number, _wholes | _fractions) | st.builds(tree.Boolean, st.booleans())
)
_durations = st.builds(tree.Duration, st.integers(1, 36_500), st.sampled_from(tree.Unit))
_instants = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(lambda each: each.replace(tzinfo=UTC))  # noqa: DTZ001


@st.composite
def _betweens(draw: st.DrawFn, *, of_parent: bool) -> tree.Between:
    near, far = draw(st.tuples(st.integers(0, 100), st.integers(1, 100)))
    unit = draw(st.sampled_from(tree.Unit))
    return tree.Between(tree.Duration(near, unit), tree.Duration(near + far, unit), of_parent)


@st.composite
def _reductions(draw: st.DrawFn, deep: int, wheres: int, *, lists: bool = False) -> tree.Reduction:
    of_parent = bool(wheres) and draw(st.booleans())
    filters: list[st.SearchStrategy[tree.Filter]] = [
        st.builds(tree.ExcludeSources, st.lists(_texts, max_size=2).map(tuple)),
        st.builds(tree.Within, _durations, st.just(of_parent)),
        _betweens(of_parent=of_parent),
    ]
    if deep:
        filters.append(st.builds(tree.Where, _conditions(deep - 1, wheres + 1)))
    stream = tree.Stream(draw(_names), tuple(draw(st.lists(st.one_of(filters), max_size=2))))
    reducer = draw(st.sampled_from([each for each in tree.Reducer if lists or each is not tree.Reducer.UNIQUE]))
    if reducer is tree.Reducer.COUNT:
        return tree.Reduction(stream, reducer)
    member = draw(st.sampled_from([tree.Property, tree.Context]))(draw(_names))
    return tree.Reduction(stream, reducer, member, draw(st.integers(1, 9)) if reducer is tree.Reducer.MODE else None)


def _values(deep: int, wheres: int) -> st.SearchStrategy[tree.Value]:
    found: list[st.SearchStrategy[tree.Value]] = [st.builds(tree.Trait, _names)]
    if wheres:
        parents = st.just(value=False) if wheres == 1 else st.booleans()
        found += [st.builds(tree.Property, _names, parents), st.builds(tree.Context, _names, parents)]
    if deep:
        found.append(_reductions(deep - 1, wheres))
    return st.one_of(found)


def _conditions(deep: int, wheres: int = 0) -> st.SearchStrategy[tree.Condition]:
    left = _values(deep, wheres)
    single: list[st.SearchStrategy[tree.Condition]] = [
        st.builds(tree.Comparison, left, st.sampled_from(tree.Comparator), _literals | left),
        st.builds(tree.Presence, left, st.booleans()),
        st.builds(tree.TextMatch, left, st.sampled_from(tree.TextComparator), _texts),
        st.builds(tree.ContainsOne, left, st.lists(_texts, max_size=2).map(tuple)),
        st.builds(tree.OneOf, left, st.lists(_literals, max_size=2).map(tuple)),
        st.builds(tree.DateMatch, left, st.sampled_from(tree.DateComparator), _instants),
        st.builds(tree.RecencyMatch, left, st.sampled_from(tree.RecencyComparator), _durations),
    ]
    if deep:
        inner = st.deferred(lambda: _conditions(deep - 1, wheres))
        parts = st.lists(inner, min_size=2, max_size=3).map(tuple)
        single += [st.builds(tree.And, parts), st.builds(tree.Or, parts), st.builds(tree.Not, inner)]
    return st.one_of(single)


def queries(kind: Kind, deep: int = 2) -> st.SearchStrategy[tree.Query]:
    """Trees of what such a definition can ask."""
    if kind is Kind.AUDIENCE:
        return _conditions(deep)
    return st.builds(tree.Trait, _names) | _reductions(deep, 0, lists=True)
