"""How Segment and RudderStack name the tables and columns of the warehouses that they fill.

Segment (documentation: Connections, Storage, Warehouses, *Warehouse Schemas*): names of events, properties, traits and context
fields are snake_cased with its ``go-snakecase``, nested objects are flattened, their keys joined by ``_``; what would take
the name of a standard column is discarded. RudderStack (documentation: Warehouse destinations, *Warehouse Schema*) does the
same with lodash's words, where numbers may be words of their own, puts ``_`` before reserved words and digits, and cuts
names to what the database takes. Whoever filled a warehouse is known by what is there: every spelling is looked for.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from sync.model.naming import snake_case

_DIGIT_AND_CAPITAL = re.compile(r"^((?:[a-z0-9]|_(?=[a-z0-9]))*)(?=[0-9][A-Z])")
_ORDINAL = r"\d*(?:1st|2nd|3rd|(?![123])\dth)(?![a-z0-9])|\d*(?:1ST|2ND|3RD|(?![123])\dTH)(?![A-Z0-9])"
_WORD = rf"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|{_ORDINAL}|\d+"
_DIVIDED = re.compile(_WORD)
_WITH_NUMBERS = re.compile(rf"[A-Z]?[a-z]+\d+|[A-Z]+\d+|\d+[A-Z]?[a-z]+|\d+[A-Z]+|{_WORD}")

_LONGEST = (63, 127)
"""What PostgreSQL takes, and what RudderStack takes elsewhere."""

STANDARD_TABLES = frozenset({"tracks", "pages", "screens", "users", "identifies", "groups", "aliases", "accounts"})
"""Tables that hold no event of their name."""

_STANDARD_COLUMNS = frozenset(
    {
        "id",
        "anonymous_id",
        "user_id",
        "timestamp",
        "original_timestamp",
        "received_at",
        "sent_at",
        "uuid",
        "uuid_ts",
        "loaded_at",
        "event",
        "event_text",
    }
)


def is_standard(column: str) -> bool:
    """Whether a column is no property and no trait, whatever it is called."""
    return column in _STANDARD_COLUMNS or column.startswith("context_")


def spelled(path: Sequence[str], names: Collection[str]) -> str | None:
    """That of ``names`` which is how a name is spelled in a warehouse; the steps into nested objects are joined."""
    known = {each.casefold(): each for each in reversed(list(names))}
    return next((known[each] for each in spellings(path) if each in known), None)


def spellings(path: Sequence[str]) -> list[str]:
    """All ways to spell a name, the likeliest first."""
    found = [
        "_".join(map(snake_case, path)),
        "_".join(snake_case(_DIGIT_AND_CAPITAL.sub(r"\1_", each)) for each in path),  # its later versions
        _rudderstack("_".join(path), _WITH_NUMBERS),
        _rudderstack("_".join(path), _DIVIDED),
    ]
    found += [f"_{each}" for each in found]
    found += [each[:length] for each in found for length in _LONGEST if len(each) > length]
    return [each for each in dict.fromkeys(found) if each.strip("_")]


def _rudderstack(name: str, words: re.Pattern[str]) -> str:
    """Words as lodash finds them; underscores at the beginning stay."""
    start = name[: len(name) - len(name.lstrip("_"))]
    plain = "_".join(re.findall(r"[A-Za-z0-9]+", name))
    return start + "_".join(words.findall(plain)).lower()
