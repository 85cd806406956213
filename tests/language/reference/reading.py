"""From the text of a definition to its tree, for golden cases and to read back what was spelled at random.

It takes what is right for granted and raises `Unreadable` at the first thing that it did not expect: good messages, and
saying no to what does not make sense, are the product's to prove, not this reader's.
"""

# ruff: noqa: RUF001  (it is about letters and quotes that look alike)

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from tests.language.reference.tree import (
    A_DATE_GIVEN,
    A_LIST_GIVEN,
    A_SPAN_GIVEN,
    A_TEXT_GIVEN,
    NOTHING_GIVEN,
    REDUCERS,
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
)

T = TypeVar("T")
U = TypeVar("U")

_PIECE = re.compile(
    r"""\s*(?:
        (?P<text>'(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*" | ‘(?:[^‘’\\]|\\.)*’ | “(?:[^“”\\]|\\.)*”)
      | (?P<number>-?\d+(?:\.\d+)?)
      | (?P<word>[A-Za-z_]+)
      | (?P<sign>==|!=|>=|<=|[-=<>().,:{}\[\]])
    )""",
    re.VERBOSE | re.DOTALL,
)


class Unreadable(Exception):
    """The text is not of this language, or not of the part that is read here."""


class Piece(NamedTuple):
    """A word, sign, number or text."""

    kind: str
    text: str


def read(text: str) -> Definition:
    """The tree of a definition's text. Raises Unreadable."""
    reader = Reader(_pieces(text))
    definition = reader.definition()
    reader.take("end")
    return definition


def _pieces(text: str) -> list[Piece]:
    pieces, position, text = [], 0, text.strip()
    while position < len(text):
        found = _PIECE.match(text, position)
        if found is None or found.lastgroup is None:
            raise Unreadable(f"{text[position : position + 10]!r} at {position}")
        told = found[found.lastgroup]
        if found.lastgroup == "word":
            told = told.lower()
        if found.lastgroup == "text":
            told = re.sub(r"\\(.)", r"\1", told[1:-1], flags=re.DOTALL)
        pieces.append(Piece("sign" if found.lastgroup == "word" else found.lastgroup, told))
        position = found.end()
    return [*pieces, Piece("end", "")]


class Reader:
    """A recursive descent, one method a rule."""

    def __init__(self, pieces: list[Piece]) -> None:
        self._pieces = pieces
        self._at = 0

    def sees(self, *texts: str) -> bool:
        """Whether one of these words or signs comes next."""
        piece = self._pieces[self._at]
        return piece.kind == "sign" and piece.text in texts

    def skips(self, *texts: str) -> bool:
        """The same, and go past it."""
        seen = self.sees(*texts)
        self._at += seen
        return seen

    def take(self, kind: str, *texts: str) -> str:
        """The next piece, which must be of that kind, and one of ``texts`` if there are any."""
        piece = self._pieces[self._at]
        if piece.kind != kind or (texts and piece.text not in texts):
            raise Unreadable(f"{piece.text!r} where {kind} {' '.join(texts)} should be, piece {self._at}")
        self._at += 1
        return piece.text

    def definition(self) -> Definition:
        """A comparison, or else a scalar."""
        start = self._at
        try:
            return self.any_of()
        except Unreadable:
            self._at = start
            return self.scalar()

    def any_of(self) -> Comparison:
        """``a OR b``."""
        parts = [self.all_of()]
        while self.skips("or"):
            parts.append(self.all_of())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def all_of(self) -> Comparison:
        """``a AND b``."""
        parts = [self.one()]
        while self.skips("and"):
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def one(self) -> Comparison:
        """One comparison, with what stands before or around it."""
        if self.skips("not"):
            return Not(self.one())
        if self.sees("any", "all"):
            return Account(self.take("sign"), self.one())
        if self.skips("("):
            inner = self.any_of()
            self.take("sign", ")")
            return inner
        return self.compared(self.scalar())

    def compared(self, left: Scalar) -> Comparison:
        """What follows a scalar."""
        for name, symbols in SYMBOLS.items():
            if self.skips(*symbols):
                return Compare(left, name, self.scalar())
        self.take("sign", ".")
        name = self.take("sign")
        if name in SYMBOLS:
            return Compare(left, name, self.call(self.scalar))
        if name in NOTHING_GIVEN:
            return Check(left, name, self.call(tuple))
        if name in A_TEXT_GIVEN + A_DATE_GIVEN:
            return Check(left, name, (self.call(self.literal),))
        if name in A_LIST_GIVEN:
            return Check(left, name, tuple(self.call(self.several)))
        if name in A_SPAN_GIVEN:
            return Check(left, name, (self.call(self.span),))
        raise Unreadable(name)

    def scalar(self) -> Scalar:
        """An extractor, or a chain that ends in a reducer."""
        if not self.sees("event", "trait", "property", "context"):
            return Literal(self.literal())
        extractor = self.take("sign")
        if extractor in ("property", "context"):
            parent, name = self.call(lambda: (self.skips_parent(), self.braced(self.text)))
            return Property(name, parent) if extractor == "property" else Context(name, parent)
        name = self.call(self.text)
        return self.stream(name) if extractor == "event" else Trait(name)

    def stream(self, event: str) -> Reduced:
        """``event('…')`` has been read: its filters and its reducer."""
        filters: list[Filter] = []
        while True:
            self.take("sign", ".")
            name = self.take("sign")
            if name in REDUCERS:
                return self.reducer(event, tuple(filters), name)
            rules: dict[str, Callable[[], Filter]] = {
                "where": lambda: Where(self.any_of()),
                "sources": lambda: Sources(self.after("exclude", lambda: tuple(map(str, self.several())))),
                "within": lambda: Within(parent=self.skips_parent(), span=self.braced(self.span)),
            }
            if name == "between":
                filters.append(self.between())
            elif name in rules:
                filters.append(self.call(rules[name]))
            else:
                raise Unreadable(name)

    def reducer(self, event: str, filters: tuple[Filter, ...], name: str) -> Reduced:
        """The end of a chain."""
        if name == "count":
            self.call(tuple)
            return Reduced(event, filters, name)
        if name == "mode":
            self.take("sign", "(")
            of, minimum = self.two(self.scalar, self.whole)
            return Reduced(event, filters, name, of, minimum)  # type: ignore[arg-type]
        of = self.call(self.scalar)
        start = self._at
        if name == "unique" and self.skips(".") and self.skips("count"):
            self.call(tuple)
            name = "unique_count"
        else:
            self._at = start
        return Reduced(event, filters, name, of)  # type: ignore[arg-type]

    def between(self) -> Between:
        """``(1 day, 3 days)``, perhaps after the parent."""
        self.take("sign", "(")
        (parent, near), far = self.two(lambda: (self.skips_parent(), self.span()), self.span)
        return Between(near, far, parent)

    def call(self, inside: Callable[[], T]) -> T:
        """``( … )``, or ``({ … })``."""
        self.take("sign", "(")
        found = self.braced(inside)
        self.take("sign", ")")
        return found

    def braced(self, inside: Callable[[], T]) -> T:
        """``…``, or ``{ … }``."""
        brace = self.skips("{")
        found = inside()
        if brace:
            self.take("sign", "}")
        return found

    def two(self, first: Callable[[], T], second: Callable[[], U]) -> tuple[T, U]:
        """``a, b)``, each perhaps in braces."""
        one = self.braced(first)
        self.take("sign", ",")
        other = self.braced(second)
        self.take("sign", ")")
        return one, other

    def after(self, name: str, inside: Callable[[], T]) -> T:
        """``name: …``."""
        self.take("sign", name)
        self.take("sign", ":")
        return self.braced(inside)

    def skips_parent(self) -> bool:
        """Whether ``parent:`` stands before."""
        return self.skips("parent") and bool(self.take("sign", ":"))

    def text(self) -> str:
        """A text in quotes."""
        return self.take("text")

    def whole(self) -> int:
        """A whole number."""
        return int(self.take("number"))

    def span(self) -> Span:
        """``7 days``."""
        number = self.whole()
        unit = self.take("sign", "hour", "hours", "day", "days")
        return Span(number, unit.rstrip("s") + "s")

    def several(self) -> list[str | int | float | bool]:
        """``['a', 'b']``."""
        self.take("sign", "[")
        found = [self.literal()]
        while self.skips(","):
            found.append(self.literal())
        self.take("sign", "]")
        return found

    def literal(self) -> str | int | float | bool:
        """A text, a number or a boolean, bare or in ``literal(…)``."""
        if self.skips("literal"):
            return self.call(self.literal)
        if self.sees("true", "false"):
            return self.take("sign") == "true"
        if self._pieces[self._at].kind == "number":
            number = self.take("number")
            return float(number) if "." in number else int(number)
        return self.text()
