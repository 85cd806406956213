"""From a tree to one of the many texts that mean it: quotes, braces, capitals, white space, ``=`` or ``==`` or ``eq()``."""

# ruff: noqa: RUF001  (it is about letters and quotes that look alike)

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random

from tests.language.reference.tree import (
    A_LIST_GIVEN,
    SYMBOLS,
    Account,
    And,
    Between,
    Check,
    Compare,
    Comparison,
    Context,
    Definition,
    Filter,
    Literal,
    Not,
    Or,
    Property,
    Reduced,
    Scalar,
    Sources,
    Span,
    Trait,
    Where,
    Within,
    is_comparison,
)

_SPACES = (" ", " ", "  ", "\n", "\n    ", "\t")
_TYPOGRAPHIC = (("‘", "’"), ("“", "”"))


def spell(definition: Definition, random: Random) -> str:
    """One text that means ``definition``: three in ten as one would write it, the others however the language allows."""
    return Speller(random, odd=0 if random.random() < 0.3 else random.random() / 2).text(definition)


class Speller:
    """One text's way of writing: ``odd`` is how often it departs from the plain one."""

    def __init__(self, random: Random, odd: float) -> None:
        self._random = random
        self._odd = odd

    def text(self, definition: Definition) -> str:
        """The pieces, and between two of them a space where there must be one or may be one."""
        text = ""
        for piece in self.comparison(definition) if is_comparison(definition) else self.scalar(definition):  # type: ignore[arg-type]
            apart = text[-1:].isalnum() and piece[:1].isalnum()
            text += (self._space() if apart or self._oddly() else "") + piece
        return text

    def _oddly(self) -> bool:
        return self._random.random() < self._odd

    def _space(self) -> str:
        return self._random.choice(_SPACES) if self._oddly() else " "

    def _word(self, word: str) -> str:
        return self._random.choice((word.lower(), word.upper(), word.title())) if self._oddly() else word

    def comparison(self, comparison: Comparison) -> Iterator[str]:
        """With parentheses where it needs them, and sometimes where it does not."""
        match comparison:
            case And(parts):
                yield from self._joined("AND", parts, And | Or)
            case Or(parts):
                yield from self._joined("OR", parts, Or)
            case Not(part):
                yield self._word("NOT")
                yield from self._grouped(part, isinstance(part, And | Or))
            case Account(junction, part):
                yield self._word(junction.upper())
                yield from self._grouped(part, isinstance(part, And | Or))
            case Compare():
                yield from self._compare(comparison)
            case Check():
                yield from self._check(comparison)

    def _joined(self, junction: str, parts: tuple[Comparison, ...], weaker: object) -> Iterator[str]:
        for number, part in enumerate(parts):
            if number:
                yield f" {self._word(junction)} "
            yield from self._grouped(part, isinstance(part, weaker))  # type: ignore[arg-type]

    def _grouped(self, part: Comparison, must: bool) -> Iterator[str]:
        if must or self._oddly():
            yield from ("(", *self.comparison(part), ")")
        else:
            yield from self.comparison(part)

    def _compare(self, compared: Compare) -> Iterator[str]:
        yield from self.scalar(compared.left)
        if self._random.random() < 0.3:
            yield from self._call(compared.comparison, self.scalar(compared.right), dot=True)
        else:
            yield f" {self._random.choice(SYMBOLS[compared.comparison])} "
            yield from self.scalar(compared.right)

    def _check(self, check: Check) -> Iterator[str]:
        yield from self.scalar(check.left)
        given = [self._span(one) if isinstance(one, Span) else [self._literal(one)] for one in check.given]
        inside = [self._list(given)] if check.comparison in A_LIST_GIVEN else given
        yield from self._call(check.comparison, *inside, dot=True)

    def scalar(self, scalar: Scalar) -> Iterator[str]:
        """An extractor, or the whole chain."""
        match scalar:
            case Literal(literal):
                bare = [self._literal(literal)]
                yield from self._call("literal", bare) if self._oddly() else bare
            case Property(name, True) | Context(name, True):
                yield from self._call(type(scalar).__name__.lower(), [*self._parent(True), self._quoted(name)])
            case Trait(name) | Property(name) | Context(name):
                yield from self._call(type(scalar).__name__.lower(), [self._quoted(name)])
            case Reduced():
                yield from self._chain(scalar)

    def _chain(self, chain: Reduced) -> Iterator[str]:
        yield from self._call("event", [self._quoted(chain.event)])
        for one in chain.filters:
            yield from self._filter(one)
        given = [] if chain.of is None else [self.scalar(chain.of)]
        if chain.minimum is not None:
            given.append(iter([str(chain.minimum)]))
        name, _, then = chain.reducer.partition("_")
        yield from self._call(name, *given, dot=True)
        if then:
            yield from self._call(then, dot=True)

    def _filter(self, one: Filter) -> Iterator[str]:
        match one:
            case Where(comparison):
                yield from self._call("where", self.comparison(comparison), dot=True)
            case Sources(exclude):
                ids = self._list([self._quoted(source)] for source in exclude)
                yield from self._call("sources", (self._word("exclude"), ":", " ", *ids), dot=True)
            case Within(span, parent):
                yield from self._call("within", (*self._parent(parent), *self._span(span)), dot=True)
            case Between(near, far, parent):
                begin = (*self._parent(parent), *self._span(near))
                yield from self._call("between", begin, self._span(far), dot=True)

    def _parent(self, parent: bool) -> tuple[str, ...]:
        return (self._word("parent"), ":", " ") if parent else ()

    def _call(self, name: str, *given: Iterable[str], dot: bool = False) -> Iterator[str]:
        if dot:
            yield "."
        yield self._word(name)
        yield "("
        for number, one in enumerate(given):
            if number:
                yield ", "
            yield from ("{", *one, "}") if self._oddly() else one
        yield ")"

    def _list(self, items: Iterable[Iterable[str]]) -> Iterator[str]:
        yield "["
        for number, item in enumerate(items):
            if number:
                yield ", "
            yield from item
        yield "]"

    def _span(self, span: Span) -> Iterator[str]:
        yield str(span.number)
        yield " "
        yield self._word(span.unit[:-1] if span.number == 1 or self._oddly() else span.unit)

    def _literal(self, value: object) -> str:
        if isinstance(value, bool):
            return self._word("true" if value else "false")
        return self._quoted(value) if isinstance(value, str) else str(value)

    def _quoted(self, text: str) -> str:
        told = text.replace("\\", "\\\\")
        if self._oddly() and not set(text) & set("‘’“”"):
            first, last = self._random.choice(_TYPOGRAPHIC)
            return f"{first}{told}{last}"
        if '"' not in text and (self._oddly() or ("'" in text and self._random.random() < 0.5)):
            return f'"{told}"'
        return "'" + told.replace("'", "\\'") + "'"
