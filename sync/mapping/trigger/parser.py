"""From tokens to a tree, with the position of the first thing that is wrong.

Segment's own parser skips what it does not know and lets the last ``and`` or ``or`` rule its whole level. Here a
trigger either means what it means there, or it is an error. Two things are better: parentheses nest, and they may hold
``contains(…)`` and ``match(…)``.

Some texts mean nothing sensible but are still accepted by Segment, with a fixed result: ``properties.price <=100`` is
never true there. They are errors too, unless the parser is asked to be ``tolerant``: then they get Segment's result.
"""

from __future__ import annotations

from typing import TypeAlias

from sync.errors import InvalidSubscription
from sync.mapping.trigger import names
from sync.mapping.trigger.meaning import compared, contained, matched
from sync.mapping.trigger.tokens import AFTER_A_STRING, Kind, Token
from sync.mapping.trigger.tree import Comparison, Join, Junction, Node, Operator

DEEPEST = 50
"""Levels of parentheses; Segment itself has one."""

_VALUES = frozenset({Kind.STRING, Kind.NUMBER, Kind.WORD, Kind.NULL})
_READ_AS_VALUES = _VALUES | {Kind.OPERATOR, Kind.DOT}
_OPERATORS = frozenset({Kind.OPERATOR, Kind.DOT, Kind.WORD})
_CUTS_A_NAME = frozenset({Kind.JUNCTION, Kind.NULL, Kind.NUMBER})
_STOPS = frozenset({Kind.JUNCTION, Kind.CLOSE, Kind.END})

_WORDED = {
    "contains": '`contains(FIELD, "…")`',
    "not_contains": '`!contains(FIELD, "…")`',
    "starts_with": '`match(FIELD, "…*")`',
    "not_starts_with": '`!match(FIELD, "…*")`',
    "ends_with": '`match(FIELD, "*…")`',
    "not_ends_with": '`!match(FIELD, "*…")`',
    "exists": "`FIELD != null`",
    "not_exists": "`FIELD = null`",
    "is_true": "`FIELD = true`",
    "is_false": "`FIELD = false`",
    "number_equals": "`FIELD = 5`",
    "number_not_equals": "`FIELD != 5`",
}
"""Words that Segment takes for operators by accident, and what to write instead."""

_Odd: TypeAlias = tuple[str, Token]
"""A sentence, and the token it is about."""


class Parser:
    """Reads one trigger, once."""

    def __init__(self, tokens: list[Token], *, tolerant: bool) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._tolerant = tolerant

    def read(self) -> Node:
        """The whole trigger; raises ``InvalidSubscription`` at the first thing that is wrong."""
        if self._peek().kind is Kind.END:
            raise InvalidSubscription('the trigger is empty: it needs a condition such as `type = "track"`', 1)
        return self._level(None)

    def _peek(self) -> Token:
        token = self._tokens[self._at]
        if token.kind is Kind.WRONG:
            raise InvalidSubscription(token.text, token.position)
        return token

    def _next(self) -> Token:
        token = self._peek()
        if token.kind is not Kind.END:
            self._at += 1
        return token

    def _level(self, opened: Token | None) -> Node:
        """Conditions and their junctions, up to the end or to the ``)`` of ``opened``."""
        children: list[Node] = []
        join: Token | None = None
        while True:
            child = self._condition(join, opened)
            if child:
                children.append(child)
            token = self._peek()
            if token.kind is not Kind.JUNCTION:
                break
            if join and join.text != token.text:
                raise InvalidSubscription(
                    "`and` and `or` stand at one level: add parentheses to say which goes together", token.position
                )
            join = self._next()
        self._close(opened, token)
        if not children:
            raise InvalidSubscription("there is no condition on a field that a trigger reads", self._start(opened))
        return children[0] if len(children) == 1 else Junction(Join(join.text if join else "and"), tuple(children))

    def _start(self, opened: Token | None) -> int:
        return opened.position if opened else self._tokens[0].position

    def _close(self, opened: Token | None, token: Token) -> None:
        """Take the end of a level, which is all that may follow its conditions."""
        if token.kind is Kind.END and opened:
            raise InvalidSubscription("this parenthesis is never closed", opened.position)
        if token.kind is Kind.CLOSE and not opened:
            raise InvalidSubscription("this `)` closes nothing: remove it, or add its `(`", token.position)
        if token.kind not in (Kind.CLOSE, Kind.END):
            raise InvalidSubscription(_misplaced(token), token.position)
        self._next()

    def _condition(self, join: Token | None, opened: Token | None) -> Node | None:
        """One comparison, function or group; nothing for what a tolerant reading skips."""
        token = self._next()
        if token.kind is Kind.OPEN:
            return self._group(token)
        if token.kind is Kind.NOT:
            return self._negated(token)
        if token.kind is not Kind.WORD:
            raise InvalidSubscription(_no_condition(token, join, opened), token.position)
        if token.text in names.FUNCTIONS:
            return self._function(token, negated=False)
        if names.is_field(token.text):
            return self._comparison(token)
        self._unknown(token)
        return None

    def _group(self, opened: Token) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise InvalidSubscription(f"parentheses nest deeper than {DEEPEST} levels", opened.position)
        group = self._level(opened)
        self._depth -= 1
        return group

    def _negated(self, sign: Token) -> Comparison | None:
        function = self._next()
        if function.kind is Kind.WORD and function.text in names.FUNCTIONS:
            return self._function(function, negated=True)
        raise InvalidSubscription(
            "`!` stands only before `contains(…)` or `match(…)`: turn the comparison itself round, `!=` for `=`",
            sign.position,
        )

    def _unknown(self, token: Token) -> None:
        if self._peek().kind is Kind.OPEN and not names.is_reserved(token.text):
            raise InvalidSubscription(
                "there is no function of this name: a trigger has `contains(…)` and `match(…)`", token.position
            )
        if names.is_reserved(token.text):
            raise InvalidSubscription(names.unknown(token.text), token.position)
        self._refuse(names.unknown(token.text), token)
        self._skip()

    def _comparison(self, field: Token) -> Comparison:
        path = names.path_of(field.text)
        if not path:
            raise InvalidSubscription("no event has a member of this name", field.position)
        sign = self._next()
        if sign.kind not in _OPERATORS:
            raise InvalidSubscription('an operator is missing: write for example `= "…"` or `!= null`', sign.position)
        if sign.kind is Kind.WORD:
            self._refuse(_no_operator(sign), sign)
        value = self._next()
        if value.kind is Kind.END or (value.kind not in _READ_AS_VALUES and sign.kind is not Kind.DOT):
            raise InvalidSubscription("a value is missing here: a text in double quotes, or a number", value.position)
        odd = _odd_name(sign, value) or _odd_value(sign, value) or self._glued(value)
        if odd:
            self._refuse(*odd)
            self._skip()
        if sign.kind is Kind.OPERATOR or sign.text in _WORDED:
            return compared(path, sign.text, value)
        return Comparison(path, Operator.NEVER)

    def _glued(self, value: Token) -> _Odd | None:
        """What is wrong when something follows a value without a blank."""
        following = self._peek()
        if following.start > value.end or following.kind in (Kind.CLOSE, Kind.END):
            return None
        if value.kind is Kind.STRING and following.kind is Kind.STRING:
            return AFTER_A_STRING, following
        if value.kind is Kind.NUMBER and following.kind is not Kind.COMMA:
            return "a number is written in plain digits, without an exponent, and a blank follows it", following
        return _misplaced(following), following

    def _function(self, name: Token, *, negated: bool) -> Comparison | None:
        self._expect(Kind.OPEN, f'`{name.text}` needs parentheses: `{name.text}(properties.name, "…")`')
        argument = self._expect(Kind.WORD, f"the first argument of `{name.text}` is a field")
        path = self._argument(name, argument)
        comma = self._next()
        if comma.kind is Kind.COMMA:
            value = self._next()
            if value.kind not in _VALUES:
                raise InvalidSubscription(
                    f"the second argument of `{name.text}` is missing: a text in double quotes", value.position
                )
        else:
            value = self._cut_argument(name, comma)
        self._expect(Kind.CLOSE, f"`{name.text}` has two arguments: its `)` is missing")
        if not path:
            return None
        return (contained if name.text == "contains" else matched)(path, value, negated=negated)

    def _cut_argument(self, name: Token, sign: Token) -> Token:
        """What stands where the comma should: of a name that it cuts at a dot, Segment compares with the part behind."""
        value = self._peek()
        odd = _odd_name(sign, value) or (f"`{name.text}` has two arguments: a comma is missing", sign)
        if value.kind not in _CUTS_A_NAME or sign.kind is not Kind.DOT:
            raise InvalidSubscription(odd[0], odd[1].position)
        self._refuse(*odd)
        self._next()
        self._skip()
        return value

    def _argument(self, name: Token, argument: Token) -> tuple[str, ...] | None:
        """Where a function looks; nothing for a field that a tolerant reading skips."""
        if path := names.argument_path(argument.text):
            return path
        if names.is_field(argument.text):
            sentence = f"`{name.text}` looks into `event`, `name`, `userId`, `properties.…`, `traits.…` or `context.…`"
        else:
            sentence = names.unknown(argument.text)
        path = names.prefixed_path(argument.text)
        if not path and not names.is_field(argument.text) and names.is_reserved(argument.text):
            raise InvalidSubscription(sentence, argument.position)
        self._refuse(sentence, argument)
        return path

    def _expect(self, kind: Kind, sentence: str) -> Token:
        token = self._next()
        if token.kind is not kind:
            raise InvalidSubscription(sentence, token.position)
        return token

    def _refuse(self, sentence: str, token: Token) -> None:
        """An error, but for a tolerant reading."""
        if not self._tolerant:
            raise InvalidSubscription(sentence, token.position)

    def _skip(self) -> None:
        """Pass over what is left of a condition; never over something that looks like another one."""
        while self._peek().kind not in _STOPS:
            token = self._next()
            if token.kind in (Kind.OPEN, Kind.NOT) or (token.kind is Kind.WORD and names.is_reserved(token.text)):
                raise InvalidSubscription(_misplaced(token), token.position)


def _no_operator(word: Token) -> str:
    """What is wrong with a word where an operator should be."""
    instead = _WORDED.get(word.text)
    if instead:
        return f"`{word.text}` is no operator here: write {instead}"
    return f"{names.quoted(word.text)} is no operator: there are `=`, `!=`, `<`, `<=`, `>`, `>=`"


def _odd_name(sign: Token, value: Token) -> _Odd | None:
    """What is wrong with a name that ends in a dot as Segment cuts it."""
    if sign.kind is not Kind.DOT:
        return None
    if value.kind in (Kind.JUNCTION, Kind.NULL):
        return f"as a part of a name, `{value.text}` is written with a backslash: `\\{value.text}`", value
    if value.kind is Kind.NUMBER:
        return "a part of a name that begins with a digit is written with a backslash: `\\1st`", value
    return "a part of a name is missing after this dot", sign


def _odd_value(sign: Token, value: Token) -> _Odd | None:
    """What is wrong with the token where a value should be."""
    if value.cut:
        return "put this text in double quotes: Segment loses its last letters", value
    if value.kind is Kind.DOT:
        return "a number begins with a digit: write `0.5` for `.5`", value
    if value.kind is Kind.NUMBER and not any(character.isdigit() for character in value.text):
        return "digits are missing after this sign", value
    if value.kind is not Kind.OPERATOR:
        return None
    if value.text == "=" and sign.text in ("<", ">") and sign.end == value.start:
        return f"put a blank after `{sign.text}=`", sign
    if sign.text == "<" and value.text == ">":
        return "write `!=` for `<>`", sign
    return ("write a single `=`" if value.text == "=" else "a value is missing before this operator"), value


def _no_condition(token: Token, join: Token | None, opened: Token | None) -> str:
    """What is wrong when a condition should begin and none does."""
    if token.kind not in _STOPS:
        return "a condition begins with a field, such as `type` or `properties.…`, with `contains(…)` or with `(`"
    if join:
        return f"a condition is missing after `{join.text}`"
    if token.kind is Kind.JUNCTION:
        return f"a condition is missing before `{token.text}`"
    if token.kind is Kind.END:
        return "a condition and its `)` are missing"
    return "there is nothing between these parentheses" if opened else "this `)` closes nothing: remove it"


def _misplaced(token: Token) -> str:
    """What is wrong when a condition is complete and something else than ``and``, ``or``, ``)`` or the end follows."""
    if token.kind is Kind.WORD:
        return names.misplaced(token.text)
    if token.kind is Kind.COMMA:
        return "commas stand only between the arguments of `contains` and `match`: join conditions with `and` or `or`"
    if token.kind is Kind.OPEN:
        return "join conditions with `and` or `or` before `(`; only `contains` and `match` are functions"
    return "this does not belong here: join conditions with `and` or `or`, in small letters"
