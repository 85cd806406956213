"""``query:`` of audiences and traits: read and checked, alone and together with what they refer to.

Works on the plain data, like ``references``, so that every fault is found although others exist; whatever has the wrong
type is passed over here, the models have reported it. A disabled definition is checked like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sync.config.problems import Problems, listed
from sync.config.references import Draft, drafts, mapping
from sync.errors import InvalidQuery
from sync.language import parse
from sync.language.memory import lookback
from sync.language.reads import is_sum
from sync.language.references import circles, expand, referenced, traits
from sync.language.text import written
from sync.language.tree import Position, Query
from sync.model.definition import Question, Referred


@dataclass(frozen=True, slots=True)
class _Read:
    """A definition whose query could be read."""

    draft: Draft
    query: Query
    source: object


def read(document: dict[str, object], problems: Problems) -> Mapping[str, Question]:
    """What the definitions with a ``query`` ask, by key; reports every one that cannot be asked."""
    every = list(drafts(document, problems))
    found: dict[str, _Read] = {}
    for draft in every:
        query = _parsed(draft, problems)
        if query is not None and draft.key:
            found.setdefault(draft.key, _Read(draft, query, _source(draft, document)))
    others = {draft.key: draft for draft in every if draft.key and draft.raw.get("query") is None}
    for each in found.values():
        _check_referred(each, found, others, problems)
    whole = _together(found, problems)
    return {
        key: Question(written(found[key].query), _reached(key, found), lookback(query), is_sum(query))
        for key, query in whole.items()
    }


def _parsed(draft: Draft, problems: Problems) -> Query | None:
    text = draft.raw.get("query")
    if not isinstance(text, str) or not text.strip() or problems.is_unresolved((*draft.path, "query")):
        return None
    try:
        return parse(text, draft.kind)
    except InvalidQuery as error:
        _report(draft, Position(error.line, error.column), error.sentence, problems)
        return None


def _report(draft: Draft, at: Position, sentence: str, problems: Problems) -> None:
    """The sentence may repeat a piece of the query, which is for nobody's eyes when it came from outside the file."""
    path = (*draft.path, "query")
    said = sentence if problems.may_show(path) else "look at what is filled in there"
    problems.add(path, f"goes wrong in its line {at.line}, column {at.column}: {said}")


def _source(draft: Draft, document: dict[str, object]) -> object:
    """The name of the source that is asked, as far as it can be told."""
    sources = list(mapping(document.get("sources")))
    only = sources[0] if len(sources) == 1 else None
    return draft.raw.get("source") or mapping(document.get("defaults")).get("source") or only


def _check_referred(each: _Read, queries: Mapping[str, _Read], others: Mapping[str, Draft], problems: Problems) -> None:
    """One statement asks all: what is referred to must be a query, and of the same source."""
    for trait in traits(each.query):
        sentence = None
        if trait.name in queries and queries[trait.name].source != each.source:
            sentence = f"{listed([trait.name])} is asked of another source: a query refers to those of its own"
        elif trait.name in others:
            given = "table" if others[trait.name].raw.get("table") is not None else "sql"
            sentence = f"{listed([trait.name])} is written as `{given}:`: a query refers to those written as `query:`"
        if sentence is not None:
            _report(each.draft, trait.position, sentence, problems)


def _together(found: Mapping[str, _Read], problems: Problems) -> Mapping[str, Query]:
    """Each with all that it refers to in its place, but for those that go in circles or come to too much."""
    queries = {key: each.query for key, each in found.items()}
    circular: set[str] = set()
    for circle in circles(queries):
        circular.update(circle)
        chain = " → ".join(circle)
        at = next(trait.position for trait in traits(queries[circle[0]]) if trait.name == circle[1])
        sentence = (
            f"refers to itself ({chain}): take one of these references out, or give the definition another `key:`"
        )
        _report(found[circle[0]].draft, at, sentence, problems)
    sound = {key: query for key, query in queries.items() if key not in circular}
    whole: dict[str, Query] = {}
    for key in sound:
        try:
            whole[key] = expand(key, sound)
        except InvalidQuery as error:
            _report(found[key].draft, Position(error.line, error.column), error.sentence, problems)
    return whole


def _reached(key: str, found: Mapping[str, _Read]) -> tuple[Referred, ...]:
    """Every other definition that ``key`` needs, in the order of the keys."""
    reached: set[str] = {key}
    waiting = [key]
    for each in waiting:
        following = referenced(found[each].query) & found.keys() - reached
        reached |= following
        waiting += following
    return tuple(Referred(found[each].draft.kind, each, written(found[each].query)) for each in sorted(reached - {key}))
