"""What the comparators of the language mean, of two numbers."""

from __future__ import annotations

import operator

COMPARED = {
    "=": operator.eq,
    "!=": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
"""``!=`` is where the values are not equal, whatever they are."""
