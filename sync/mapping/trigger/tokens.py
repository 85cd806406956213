"""The words of a trigger, cut exactly as Segment cuts them.

Its cuts are not everybody's: a closing quote counts only before a blank, ``,``, ``]``, ``)`` or the end; ``<=`` needs
one of these behind it, and is otherwise ``<`` and ``=``; ``and`` is a name before anything else. So every token knows
where it ends, and the parser can see that two of them were written as one.

A text that cannot be cut ends in one token of the kind ``WRONG``, whose text is the sentence for the user.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a token is."""

    WORD = "word"
    STRING = "string"
    NUMBER = "number"
    NULL = "null"
    JUNCTION = "junction"
    OPERATOR = "operator"
    NOT = "not"
    DOT = "dot"
    OPEN = "open"
    CLOSE = "close"
    COMMA = "comma"
    BRACKET = "bracket"
    END = "end"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Token:
    """``text`` is what it means (escapes and quotes undone), ``start`` and ``end`` where it stands, from 0.

    ``cut``: Segment loses the letters between this word and the end of the trigger.
    """

    kind: Kind
    text: str
    start: int
    end: int
    cut: bool = False

    @property
    def position(self) -> int:
        """Where it stands, for people: from 1."""
        return self.start + 1


_BLANK = " \t\n"
_TERMINATORS = _BLANK + ",])"
_AFTER_A_WORD = _TERMINATORS + ".(=!"

AFTER_A_STRING = "put a blank after the closing quote; a text cannot hold a double quote"
"""The sentence for ``"a"b``."""

_WORD = re.compile(r"(?:[A-Za-z_]|\\.)(?:[A-Za-z0-9_-]|\\.)*", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_NUMBER = re.compile(r"[0-9+-][0-9.]*")
_NEGATABLE = re.compile(r"[A-Za-z(]")

_KEYWORDS = {
    "a": ("and", Kind.JUNCTION),
    "o": ("or", Kind.JUNCTION),
    "n": ("null", Kind.NULL),
}
_SIGNS = {
    ".": Kind.DOT,
    "(": Kind.OPEN,
    ")": Kind.CLOSE,
    ",": Kind.COMMA,
    "[": Kind.BRACKET,
    "]": Kind.BRACKET,
    "=": Kind.OPERATOR,
}
_INSTEAD = {
    "'": 'use double quotes: text stands in `"…"`',
    "&": "write `and` for `&`",
    "|": "write `or` for `|`",
    "\r": "remove the carriage return (U+000D): lines end with a line feed alone",
    "\N{NO-BREAK SPACE}": "this is a no-break space (U+00A0): use a plain blank",
    "\N{LEFT DOUBLE QUOTATION MARK}": 'use straight double quotes (`"`), not typographic ones',
    "\N{RIGHT DOUBLE QUOTATION MARK}": 'use straight double quotes (`"`), not typographic ones',
    "\N{LEFT SINGLE QUOTATION MARK}": 'use straight double quotes (`"`), not typographic ones',
    "\N{RIGHT SINGLE QUOTATION MARK}": 'use straight double quotes (`"`), not typographic ones',
}


class _Wrong(Exception):
    """The text cannot be cut at ``start``; caught in ``tokens``."""

    def __init__(self, sentence: str, start: int) -> None:
        self.token = Token(Kind.WRONG, sentence, start, start)
        super().__init__(sentence)


def tokens(text: str) -> list[Token]:
    """The tokens of ``text``: the last is ``END``, or ``WRONG`` where cutting had to stop."""
    cut: list[Token] = []
    at = 0
    try:
        while at < len(text):
            if text[at] in _BLANK:
                at += 1
                continue
            token = _token(text, at)
            at = len(text) if token.cut else token.end
            _append(cut, token)
    except _Wrong as wrong:
        return [*cut, _reopened(text, cut, wrong.token)]
    return [*cut, Token(Kind.END, "", len(text), len(text))]


def shown(character: str) -> str:
    """A character for a message: itself where it can be seen, else its number."""
    return f"`{character}`" if character.isprintable() and not character.isspace() else f"U+{ord(character):04X}"


def _reopened(text: str, cut: list[Token], wrong: Token) -> Token:
    """``wrong``, or what is behind it: the closing quote of a text that was taken for an opening one."""
    if cut and cut[-1].kind is Kind.STRING and cut[-1].end == wrong.start and text[wrong.start] == '"':
        return Token(Kind.WRONG, AFTER_A_STRING, wrong.start, wrong.end)
    return wrong


def _append(cut: list[Token], token: Token) -> None:
    """Names joined by dots, with or without blanks around them, are one word."""
    if token.kind is Kind.WORD and len(cut) > 1 and cut[-1].kind is Kind.DOT and cut[-2].kind is Kind.WORD:
        cut.pop()
        first = cut.pop()
        token = Token(Kind.WORD, f"{first.text}.{token.text}", first.start, token.end, token.cut)
    cut.append(token)


def _token(text: str, at: int) -> Token:
    character = text[at]
    if character in _KEYWORDS:
        return _keyword(text, at) or _word(text, at)
    if character == "\\" or character == "_" or (character.isascii() and character.isalpha()):
        return _word(text, at)
    if character in "+-0123456789":
        return _number(text, at)
    if character == '"':
        return _string(text, at)
    if character in "<>!":
        return _operator(text, at)
    if character in _SIGNS:
        return Token(_SIGNS[character], character, at, at + 1)
    raise _Wrong(_INSTEAD.get(character) or _out_of_place(character), at)


def _out_of_place(character: str) -> str:
    return (
        f"{shown(character)} cannot stand here: text stands in double quotes, "
        "and in a name a backslash goes before such a character"
    )


def _ends(text: str, at: int) -> bool:
    """Whether a terminator stands at ``at``."""
    return at >= len(text) or text[at] in _TERMINATORS


def _keyword(text: str, at: int) -> Token | None:
    """``and``, ``or``, ``null``, or the word of one letter that Segment sees when the text ends too early for them."""
    keyword, kind = _KEYWORDS[text[at]]
    end = at + len(keyword)
    if text.startswith(keyword, at) and _ends(text, end):
        return Token(kind, keyword, at, end)
    if at + 1 < len(text) < end and not any(character in _TERMINATORS for character in text[at + 1 :]):
        return Token(Kind.WORD, text[at], at, len(text), cut=True)
    return None


def _word(text: str, at: int) -> Token:
    found = _WORD.match(text, at)
    end = found.end() if found else at
    if text[end : end + 1] == "\\":
        raise _Wrong("a backslash needs the character that it escapes behind it", end)
    if not (end >= len(text) or text[end] in _AFTER_A_WORD):
        raise _Wrong(_after_a_word(text[end]), end)
    return Token(Kind.WORD, _ESCAPE.sub(r"\1", text[at:end]), at, end)


def _after_a_word(character: str) -> str:
    if character in "<>":
        return f"put a blank before `{character}`"
    if character == "[":
        return "brackets are not for members of lists: write `items.\\0` for `items[0]`"
    if character == '"':
        return "put a blank before the text"
    if character in _INSTEAD:
        return _INSTEAD[character]
    return f"a name cannot hold {shown(character)} as it is: write a backslash before it"


def _number(text: str, at: int) -> Token:
    found = _NUMBER.match(text, at)
    end = found.end() if found else at
    written = text[at:end]
    if written.count(".") > 1:
        raise _Wrong("a number has one decimal point at most", at + written.index(".", written.index(".") + 1))
    if written.endswith(".") and _ends(text, end):
        raise _Wrong("a digit is missing after the decimal point", end - 1)
    return Token(Kind.NUMBER, written, at, end)


def _string(text: str, at: int) -> Token:
    closing = text.find('"', at + 1)
    if closing >= 0:
        following = text[closing + 1 : closing + 2]
        if following in _INSTEAD:
            raise _Wrong(_INSTEAD[following], closing + 1)
        # Where no terminator follows, Segment takes the closing quote for the opening one of another text.
        end = closing + 1 if _ends(text, closing + 1) else closing
        return Token(Kind.STRING, text[at + 1 : closing], at, end)
    raise _Wrong("this text has no closing quote", at)


def _operator(text: str, at: int) -> Token:
    following = text[at + 1 : at + 2]
    if following == "=" and _ends(text, at + 2):
        return Token(Kind.OPERATOR, text[at : at + 2], at, at + 2)
    if text[at] != "!":
        return Token(Kind.OPERATOR, text[at], at, at + 1)
    if _NEGATABLE.match(following):
        return Token(Kind.NOT, "!", at, at + 1)
    if following == "=":
        raise _Wrong("put a blank after `!=`", at)
    raise _Wrong("`!` stands directly before `contains(…)` or `match(…)`, or in `!= `", at)
