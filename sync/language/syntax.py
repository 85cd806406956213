"""From text to what was written: calls, chains and junctions with their tokens, and no meaning yet.

The parser is lark's LALR one, fed token by token, so that at the first misplaced one it is known what could have stood
there. It needs no recursion: any depth is read, and the checker says when there is too much of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from sync.errors import InvalidQuery
from sync.language.grammar import GRAMMAR
from sync.language.misplaced import misplaced_character, misplaced_token
from sync.language.tree import Position

END = "$END"
"""The type of the token behind the last one; its text is empty."""


@dataclass(frozen=True, slots=True)
class Atom:
    """A bare name, a text or a number."""

    token: Token

    @property
    def first(self) -> Token:
        return self.token

    @property
    def last(self) -> Token:
        return self.token


@dataclass(frozen=True, slots=True)
class Measure:
    """``7 days``, with or without braces around its parts."""

    amount: Token
    unit: Token
    last: Token

    @property
    def first(self) -> Token:
        return self.amount


@dataclass(frozen=True, slots=True)
class Listing:
    """``[…, …]``."""

    first: Token
    items: tuple[Node, ...]
    last: Token


@dataclass(frozen=True, slots=True)
class Group:
    """``(…)``."""

    first: Token
    inner: Node
    last: Token


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a call; ``name`` is the word before its colon. Braces around it are gone."""

    name: Token | None
    value: Node

    @property
    def first(self) -> Token:
        return self.name or self.value.first


@dataclass(frozen=True, slots=True)
class Call:
    """``name(…)``; ``last`` is its closing parenthesis."""

    name: Token
    arguments: tuple[Argument, ...]
    last: Token

    @property
    def first(self) -> Token:
        return self.name


@dataclass(frozen=True, slots=True)
class Chain:
    """Something, and one call or more behind dots."""

    head: Node
    calls: tuple[Call, ...]

    @property
    def first(self) -> Token:
        return self.head.first

    @property
    def last(self) -> Token:
        return self.calls[-1].last


@dataclass(frozen=True, slots=True)
class Compared:
    """``left >= right``."""

    left: Node
    operator: Token
    right: Node

    @property
    def first(self) -> Token:
        return self.left.first

    @property
    def last(self) -> Token:
        return self.right.last


@dataclass(frozen=True, slots=True)
class Joined:
    """Parts with ``AND`` or ``OR`` between them; ``word`` is the first of these."""

    word: Token
    parts: tuple[Node, ...]

    @property
    def first(self) -> Token:
        return self.parts[0].first

    @property
    def last(self) -> Token:
        return self.parts[-1].last


@dataclass(frozen=True, slots=True)
class Prefixed:
    """``NOT``, ``ANY`` or ``ALL``, and what stands behind it."""

    word: Token
    part: Node

    @property
    def first(self) -> Token:
        return self.word

    @property
    def last(self) -> Token:
        return self.part.last


Node: TypeAlias = Atom | Measure | Listing | Group | Call | Chain | Compared | Joined | Prefixed


@dataclass(frozen=True, slots=True)
class _Braces:
    first: Token
    arguments: tuple[Argument, ...]
    last: Token


class _Nodes(Transformer[Token, Any]):
    """One method for each rule of the grammar that is something of its own."""

    def joined(self, children: list[Any]) -> Joined:
        return Joined(children[1], tuple(children[::2]))

    def prefixed(self, children: list[Any]) -> Prefixed:
        return Prefixed(*children)

    def compared(self, children: list[Any]) -> Compared:
        return Compared(*children)

    def chained(self, children: list[Any]) -> Chain:
        return Chain(children[0], tuple(children[2::2]))

    def atom(self, children: list[Any]) -> Atom:
        return Atom(*children)

    def listing(self, children: list[Any]) -> Listing:
        return Listing(children[0], tuple(children[1:-1:2]), children[-1])

    def group(self, children: list[Any]) -> Group:
        return Group(*children)

    def call(self, children: list[Any]) -> Call:
        return Call(children[0], _arguments(children[2:-1:2]), children[-1])

    def measure(self, children: list[Any]) -> Measure:
        return Measure(children[0], children[1], children[1])

    def argument(self, children: list[Any]) -> tuple[Token | None, Any]:
        return (children[0], children[2]) if len(children) == 3 else (None, children[0])

    def braces(self, children: list[Any]) -> _Braces:
        return _Braces(children[0], _arguments(children[1:-1:2]), children[-1])

    def pair(self, children: list[_Braces]) -> Measure:
        """``{7} {days}``: the reference prints durations so where it tells their syntax."""
        inner = [braces.arguments[0].value if len(braces.arguments) == 1 else None for braces in children]
        amount, unit = (node.token if isinstance(node, Atom) else None for node in inner)
        if amount is None or unit is None or amount.type != "NUMBER" or unit.type != "NAME":
            raise fault(children[1].first, "two pairs of braces stand only around a duration: write `7 days`")
        return Measure(amount, unit, children[1].last)


def _arguments(given: Sequence[tuple[Token | None, Any]]) -> tuple[Argument, ...]:
    """The arguments without the braces around one, some or all of them."""
    found: list[Argument] = []
    for name, value in given:
        if not isinstance(value, _Braces):
            found.append(Argument(name, value))
        elif name is None:
            found += value.arguments
        elif len(value.arguments) == 1 and value.arguments[0].name is None:
            found.append(Argument(name, value.arguments[0].value))
        else:
            raise fault(value.first, f"these braces must hold one value, that of `{name.lower()}:`")
    return tuple(found)


def position(token: Token) -> Position:
    """Where ``token`` begins."""
    return Position(token.line or 1, token.column or 1)


def fault(at: Token | Position, sentence: str) -> InvalidQuery:
    """The error that ``sentence`` says of what stands there."""
    place = at if isinstance(at, Position) else position(at)
    return InvalidQuery(sentence, place.line, place.column)


@dataclass(frozen=True, slots=True)
class Written:
    """A whole query: what was written, and all tokens in order, one of type ``END`` at last."""

    node: Node
    tokens: tuple[Token, ...]

    def following(self, token: Token) -> Token:
        """The token behind ``token``."""
        return next(each for each in self.tokens if (each.start_pos or 0) >= (token.end_pos or 0) and each is not token)


@cache
def _parser() -> Lark:
    return Lark(GRAMMAR, parser="lalr", lexer="basic", transformer=_Nodes())


def read(text: str) -> Written:
    """What stands in ``text``. Raises ``InvalidQuery`` at the first sign that stands where it cannot."""
    reading = _parser().parse_interactive(text)
    tokens: list[Token] = []
    try:
        for token in reading.lexer_thread.lex(reading.parser_state):  # type: ignore[no-untyped-call]
            tokens.append(token)
            reading.feed_token(token)
        tokens.append(_end(tokens))
        node = reading.feed_token(tokens[-1])
    except UnexpectedToken:
        raise fault(tokens[-1], misplaced_token(tokens, _accepted(tokens[:-1]))) from None
    except UnexpectedCharacters as error:
        rest = text[error.pos_in_stream :]
        raise InvalidQuery(misplaced_character(rest), error.line, error.column) from None
    return Written(node, tuple(tokens))


def _accepted(tokens: Sequence[Token]) -> set[str]:
    """The types of all tokens that could stand behind ``tokens``: asked before the wrong one came, which changes it."""
    reading = _parser().parse_interactive("")
    for token in tokens:
        reading.feed_token(token)
    accepted: set[str] = reading.accepts()  # type: ignore[no-untyped-call]
    return accepted


def _end(tokens: list[Token]) -> Token:
    """Right behind the last token: where something is missing, that is where to write it."""
    if not tokens:
        return Token(END, "", 0, 1, 1)
    last = tokens[-1]
    return Token(END, "", last.end_pos, last.end_line, last.end_column)
