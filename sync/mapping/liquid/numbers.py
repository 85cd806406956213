"""Liquid's filters on numbers, as liquidjs has them: every number is a double, and what is no number is 0."""

from __future__ import annotations

import math

from sync.mapping.values import MISSING, double, number_from_text, number_text, text_of

_LARGEST_EXACT = 2**53 - 1


def number(value: object) -> float:
    """JavaScript's number for any value, NaN where it has none."""
    if value is None:
        return 0
    if isinstance(value, (bool, int, float)):
        return double(value)
    if value is MISSING or isinstance(value, dict):
        return math.nan
    return float(number_from_text(text_of(value)))


def to_number(value: object) -> float:
    """The number a filter works with."""
    found = number(value)
    return 0.0 if math.isnan(found) else found


def to_integer(value: object) -> float:
    return number(value)


def absolute(value: object) -> float:
    return abs(to_number(value))


def at_least(value: object, other: object) -> float:
    return max(to_number(value), to_number(other))


def at_most(value: object, other: object) -> float:
    return min(to_number(value), to_number(other))


def plus(value: object, other: object) -> float:
    return to_number(value) + to_number(other)


def minus(value: object, other: object) -> float:
    return to_number(value) - to_number(other)


def times(value: object, other: object) -> float:
    return to_number(value) * to_number(other)


def divided_by(value: object, other: object, whole: object = False) -> float:
    above, below = to_number(value), to_number(other)
    if not below:
        return math.copysign(math.inf, above) if above else math.nan
    return _whole(above / below) if to_number(whole) else above / below


def modulo(value: object, other: object) -> float:
    above, below = to_number(value), to_number(other)
    if not below or math.isinf(above):
        return math.nan
    return math.fmod(math.fmod(above, below) + below, below)


def ceil(value: object) -> float:
    found = to_number(value)
    return float(math.ceil(found)) if math.isfinite(found) else found


def floor(value: object) -> float:
    return _whole(to_number(value))


def rounded(value: object, digits: object = 0) -> float:
    """To so many digits after the point, halves away from zero."""
    found, places = to_number(value), to_number(digits)
    scaled = _shifted(abs(found), places)
    if not scaled <= _LARGEST_EXACT:
        return found
    return math.copysign(_shifted(_whole(scaled + 0.5), -places), found)


def _whole(found: float) -> float:
    return float(math.floor(found)) if math.isfinite(found) else found


def _shifted(found: float, places: float) -> float:
    """With the point moved in its decimal digits, which multiplying would spoil."""
    mantissa, _, power = number_text(found).partition("e")
    return float(number_from_text(f"{mantissa}e{number_text(int(power or 0) + places)}"))
