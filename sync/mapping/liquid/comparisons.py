"""``<``, ``<=``, ``>``, ``>=`` and ``contains`` in Liquid's conditions, as JavaScript has them.

Two texts are compared as texts, all else as numbers; what is no list and no text contains nothing.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

from liquid import RenderContext
from liquid.builtin.expressions.logical import (
    ContainsExpression,
    GeExpression,
    GtExpression,
    LeExpression,
    LtExpression,
)
from liquid.expression import Expression
from liquid.undefined import Undefined

from sync.mapping.liquid.numbers import number
from sync.mapping.values import MISSING, text_of


class _Less(LtExpression):
    __slots__ = ()

    def evaluate(self, context: RenderContext) -> bool:
        return _compared(operator.lt, self.left.evaluate(context), self.right.evaluate(context))


class _LessOrEqual(LeExpression):
    __slots__ = ()

    def evaluate(self, context: RenderContext) -> bool:
        return _compared(operator.le, self.left.evaluate(context), self.right.evaluate(context))


class _Greater(GtExpression):
    __slots__ = ()

    def evaluate(self, context: RenderContext) -> bool:
        return _compared(operator.gt, self.left.evaluate(context), self.right.evaluate(context))


class _GreaterOrEqual(GeExpression):
    __slots__ = ()

    def evaluate(self, context: RenderContext) -> bool:
        return _compared(operator.ge, self.left.evaluate(context), self.right.evaluate(context))


class _Contains(ContainsExpression):
    __slots__ = ()

    def evaluate(self, context: RenderContext) -> bool:
        left, right = self.left.evaluate(context), self.right.evaluate(context)
        if isinstance(left, list):
            return right in left
        return isinstance(left, str) and text_of(_primitive(right)) in left


COMPARISONS: Final[dict[type[Expression], type[Expression]]] = {
    LtExpression: _Less,
    LeExpression: _LessOrEqual,
    GtExpression: _Greater,
    GeExpression: _GreaterOrEqual,
    ContainsExpression: _Contains,
}
"""What stands in for python-liquid's own."""


def _compared(compare: Callable[[Any, Any], bool], left: object, right: object) -> bool:
    left, right = _primitive(left), _primitive(right)
    if isinstance(left, str) and isinstance(right, str):
        return compare(left, right)
    return compare(number(left), number(right))


def _primitive(value: object) -> object:
    if isinstance(value, Undefined):
        return MISSING
    return text_of(value) if isinstance(value, (list, dict)) else value
