"""The SQL of a definition as a derived table, which can be nothing but a query; and its one parameter."""

from __future__ import annotations

import re

# What may hold a colon that is none of ours (strings, names, comments, dollar quotes), or else our bind.
_BIND_OR_OPAQUE = re.compile(
    r"""(?<!\w)[eE]'(?:[^'\\]|\\.|'')*' | '[^']*' | "[^"]*" | --[^\n]* | /\*.*?\*/ | \$(\w*)\$.*?\$\1\$
        | (?<![:\w]):as_of\b""",
    re.DOTALL | re.VERBOSE,
)


def derived(sql: str) -> str:
    """A query for the rows of a query. A comment at its end stays one, and a semicolon goes."""
    return f"SELECT * FROM (\n{sql.strip().removesuffix(';')}\n) AS answer"


def bound(sql: str, place: str, pattern: re.Pattern[str] = _BIND_OR_OPAQUE) -> tuple[str, bool]:
    """The query with ``place`` for its ``:as_of``, and whether there was any; any other colon stays what it is."""
    used = False

    def replaced(match: re.Match[str]) -> str:
        nonlocal used
        used = used or match.group() == ":as_of"
        return place if match.group() == ":as_of" else match.group()

    return pattern.sub(replaced, sql), used
