"""What the compiled SQL says, to be held against the reference and against what was worked out by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
import pytest

from sync.errors import InvalidQuery
from sync.language import parse
from sync.language.references import expand
from sync.language.tree import Query
from sync.model.definition import Kind
from sync.source.scratch import Scratch, scratch
from tests.language.reference.cases import Case

Object = dict[str, Any]


def opened(engine: str, request: pytest.FixtureRequest) -> AbstractContextManager[Scratch]:
    """A database of that kind to put profiles and events into."""
    if engine == "postgresql":
        return scratch(request.getfixturevalue("postgresql_url"))
    return scratch({"sqlite": "sqlite://", "duckdb": "duckdb:///:memory:"}[engine])


@lru_cache(maxsize=64)
def parsed(text: str) -> Query:
    """An audience's query or a trait's."""
    try:
        return parse(text, Kind.AUDIENCE)
    except InvalidQuery:
        return parse(text, Kind.TRAIT)


def query(text: str, others: Mapping[str, str]) -> Query:
    """A query with the others that it refers to in place."""
    return expand("", {**{key: parsed(other) for key, other in others.items()}, "": parsed(text)})


def said(database: Scratch, asked: Query, as_of: str) -> Object:
    """The answer as JSON has it."""
    answer: Object = orjson.loads(orjson.dumps(database.answer(asked, datetime.fromisoformat(as_of))))
    return answer


def compilable(cases: Iterable[Case]) -> list[tuple[Case, Query]]:
    """The cases with their queries. To refer to a list is refused, where the reference takes it for something nested."""
    found = []
    for case in cases:
        try:
            found.append((case, query(case.text, {key: other.text for key, other in case.others.items()})))
        except InvalidQuery as error:
            assert "is a list" in error.sentence, case.text  # noqa: PT017 - any other refusal is wrong
    return found
