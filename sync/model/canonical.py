"""One text form for a user id and for a value, so that equal things compare equal whatever database they came from.

User ids: integers without exponent, decimals and floats as the shortest JSON number (``12.00`` is ``12``), UUIDs
lower-case, dates RFC 3339, booleans ``true``/``false``, text as it is. Values: the same, as JSON text; lists keep their
order; ``None`` means *no row*. Whatever has no such form raises ``ValueError`` with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from uuid import UUID

import orjson

LONGEST_USER_ID = 1000
"""Bytes in UTF-8; a longer key would not fit a PostgreSQL index entry."""

LONGEST_VALUE = 65_536
"""Bytes of a value's JSON text; what is longer belongs into no profile, and many of them into no statement."""

DEEPEST_LIST = 16

_CERTAINLY_A_NUMBER = 300
"""Digits that every double can hold the size of."""

_CERTAINLY_HELD = 900
"""Bits of a whole number that has fewer digits than these."""


def is_short(value: int) -> bool:
    """Whether a whole number is certainly no longer than what JSON readers can hold; a longer one comes out of JSON."""
    return value.bit_length() < _CERTAINLY_HELD


def user_id_text(value: object) -> str:
    """The canonical text of a user id; ``ValueError`` says why there is none (never quotes the value)."""
    text = value if type(value) is str else _scalar_text(value)
    if not text:
        raise ValueError("is empty")
    if "\0" in text:
        raise ValueError("contains a NUL character")
    if not encodable(text):
        raise ValueError("is not valid Unicode text")
    if len(text) > LONGEST_USER_ID // 4 and len(text.encode()) > LONGEST_USER_ID:
        raise ValueError(f"is longer than {LONGEST_USER_ID} bytes")
    return text


def value_text(value: object) -> str | None:
    """The canonical JSON text of a trait's value, ``None`` for "no row"; ``ValueError`` says why there is none."""
    if value is None:
        return None
    text = _value_text(value, DEEPEST_LIST)
    if len(text) > LONGEST_VALUE // 4 and len(text.encode()) > LONGEST_VALUE:
        raise ValueError(f"is longer than {LONGEST_VALUE} bytes")
    return text


def _value_text(value: object, depth: int) -> str:
    if value is None:
        return "null"
    if type(value) is str:
        return json_string(value)
    if isinstance(value, list | tuple):
        if not depth:
            raise ValueError(f"is a list nested deeper than {DEEPEST_LIST} levels")
        return "[" + ",".join(_value_text(item, depth - 1) for item in value) + "]"
    if isinstance(value, bool | int | float | Decimal):
        text = _scalar_text(value)
        if len(text) > _CERTAINLY_A_NUMBER and math.isinf(float(text)):
            raise ValueError("is a number beyond what JSON readers can hold")
        return text
    return json_string(_scalar_text(value))


def json_string(text: str) -> str:
    """``text`` as JSON; ``ValueError`` for what a store or a destination could not carry."""
    if "\0" in text:
        raise ValueError("contains a NUL character")
    try:
        return orjson.dumps(text).decode()
    except orjson.JSONEncodeError:
        raise ValueError("is not valid Unicode text") from None


def encodable(text: str) -> bool:
    """Whether ``text`` is valid Unicode: a lone half of a surrogate pair has no UTF-8 form."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _scalar_text(value: object) -> str:
    if value is None:
        raise ValueError("is NULL")
    form = _FORMS.get(type(value))
    if form is not None:
        return form(value)
    for kind, form in _FORMS.items():
        if isinstance(value, kind):
            return form(value)
    raise ValueError(f"has type {type(value).__name__}, which has no text form: cast it in the query")


def _decimal_text(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError(f"is {value}, which JSON cannot carry")
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _float_text(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"is {value}, which JSON cannot carry")
    return _decimal_text(Decimal(repr(value)))


def _fraction(value: datetime | time) -> str:
    return f".{value.microsecond:06d}".rstrip("0") if value.microsecond else ""


def _datetime_text(value: datetime) -> str:
    utc = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return f"{utc.replace(microsecond=0, tzinfo=None).isoformat()}{_fraction(utc)}Z"


def _time_text(value: time) -> str:
    return f"{value:%H:%M:%S}{_fraction(value)}"


# Order matters where one type is another's subclass: bool before int, datetime before date.
_FORMS: dict[type, Callable[..., str]] = {
    str: str,
    bool: lambda value: "true" if value else "false",
    int: lambda value: str(int(value)),
    float: _float_text,
    Decimal: _decimal_text,
    UUID: str,
    datetime: _datetime_text,
    date: date.isoformat,
    time: _time_text,
}
