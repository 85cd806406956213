"""From the text of a definition to its tree."""

from __future__ import annotations

import re

from sync.errors import InvalidQuery
from sync.language.checker import Checker
from sync.language.syntax import read
from sync.language.tree import Query
from sync.model.definition import Kind

LONGEST = 100_000
"""Characters in a query."""

_NO_TEXT = re.compile("[\0\ud800-\udfff]")


def parse(text: str, kind: Kind) -> Query:
    """What ``text`` asks, as the definition of an audience or of a computed trait.

    Raises:
        InvalidQuery: the first thing that is wrong, with its line and column from 1.
    """
    if len(text) > LONGEST:
        raise InvalidQuery(f"the query is longer than {LONGEST:,} characters", 1, 1)
    if wrong := _NO_TEXT.search(text):
        before = text[: wrong.start()]
        column = wrong.start() - before.rfind("\n")
        raise InvalidQuery("this character belongs to no text: take it out", before.count("\n") + 1, column)
    return Checker(read(text)).query(kind)
