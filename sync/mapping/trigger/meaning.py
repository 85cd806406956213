"""What a comparison asks, from how it is written.

It depends on the field: ``= null`` asks whether there is anything for a name, a user id and all members of objects, but
compares with the text "null" for ``type`` and ``event``; ``= 5`` compares numbers only for members of objects.
"""

from __future__ import annotations

import math

from sync.mapping.trigger.names import OBJECTS
from sync.mapping.trigger.tokens import Kind, Token
from sync.mapping.trigger.tree import Comparison, Operator
from sync.mapping.values import number_from_text, number_text

_EXISTENCE = {("=", "null"): Operator.NOT_EXISTS, ("!=", "null"): Operator.EXISTS}
_TRUTH = {("=", "true"): Operator.IS_TRUE, ("=", "false"): Operator.IS_FALSE}
_EQUALITY = {"=": Operator.NUMBER_EQUALS, "!=": Operator.NUMBER_NOT_EQUALS}
_NUMERIC = frozenset(
    {
        Operator.NUMBER_EQUALS,
        Operator.NUMBER_NOT_EQUALS,
        Operator.LESS,
        Operator.AT_MOST,
        Operator.MORE,
        Operator.AT_LEAST,
    }
)


def compared(path: tuple[str, ...], operator: str, value: Token) -> Comparison:
    """The comparison written as a field, an operator and a value."""
    field = path[0]
    written = (operator, "" if value.kind is Kind.STRING else value.text)
    if written in _EXISTENCE and field not in ("type", "event"):
        return Comparison(path, _EXISTENCE[written])
    if written in _TRUTH and field not in ("type", "event", "name"):
        return Comparison(path, _TRUTH[written])
    if field in OBJECTS and value.kind is Kind.NUMBER and operator in _EQUALITY:
        return Comparison(path, _EQUALITY[operator], number(value))
    asked = Operator(operator)
    if asked not in _NUMERIC:
        return Comparison(path, asked, text(value))
    if field in OBJECTS and written[1] in ("true", "false"):
        return Comparison(path, asked, float(written[1] == "true"))
    return Comparison(path, asked, float(number_from_text(text(value))))


def contained(path: tuple[str, ...], value: Token, *, negated: bool) -> Comparison:
    """``contains(…)``."""
    return Comparison(path, Operator.NOT_CONTAINS if negated else Operator.CONTAINS, text(value))


def matched(path: tuple[str, ...], value: Token, *, negated: bool) -> Comparison:
    """``match(…)``: a text that ends in ``*`` asks for a start; any other for an end, without its first character."""
    pattern = text(value)
    if value.kind is Kind.STRING and pattern.endswith("*"):
        return Comparison(path, Operator.NOT_STARTS_WITH if negated else Operator.STARTS_WITH, pattern[:-1])
    return Comparison(path, Operator.NOT_ENDS_WITH if negated else Operator.ENDS_WITH, _without_first(pattern))


def _without_first(pattern: str) -> str:
    """All but the first UTF-16 unit, which may leave half of a character standing."""
    if pattern[:1] <= "\uffff":
        return pattern[1:]
    return pattern.encode("utf-16-le")[2:].decode("utf-16-le", "surrogatepass")


def number(value: Token) -> float:
    """The number that a number token stands for; a sign alone is none."""
    return float(value.text) if any(character.isdigit() for character in value.text) else math.nan


def text(value: Token) -> str:
    """The text that a value stands for: a number is first read, ``1.50`` is ``1.5``."""
    return number_text(number(value)) if value.kind is Kind.NUMBER else value.text
