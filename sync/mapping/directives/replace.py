"""``{"@replace": {"pattern": " ", "replacement": "_", "value": …}}``: text with other text in place of some.

Patterns are plain text. A second pattern works on what the first one made. In a replacement ``$&`` is what was found,
``$``` and ``$'`` what stands before and after it, ``$$`` a dollar sign.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sync.errors import InvalidEvent
from sync.mapping.check import Checker, Path
from sync.mapping.scope import NOTHING, Directive, Node, Scope
from sync.mapping.values import LONGEST_TEXT, falsy, is_number, text_of, units

_LONGEST = 10
_SPECIAL = re.compile(r"(\$[$&`'])")


def _check(checker: Checker, argument: object, path: Path) -> None:
    checker.members(
        argument,
        path,
        required={"pattern": checker.text_of(1, _LONGEST), "value": checker.text_or_directive},
        optional={"replacement": checker.text_of(0, _LONGEST), "ignorecase": checker.flag, "global": checker.flag},
    )


def _build(scope: Scope, argument: object) -> Node:
    if not isinstance(argument, dict) or falsy(argument.get("pattern")):
        return scope.failure("has no `pattern`: give the text to look for")
    if falsy(argument.get("value")):
        return NOTHING
    value = scope.at("value").node(argument["value"]).resolve
    rounds = _rounds(scope, argument)

    def resolve(event: object) -> object:
        given = value(event)
        if isinstance(given, bool) or is_number(given):
            given = text_of(given)
        if rounds is None or not isinstance(given, str):
            return ""
        for each in rounds:
            given = each(given)
        return given

    return Node(resolve)


def _rounds(scope: Scope, argument: dict[str, object]) -> list[Callable[[str], str]] | None:
    """The one or two rounds; ``None`` when an argument of the first has the wrong type, as it may inside a list."""
    ignore_case, everywhere = _flag(argument, "ignorecase", absent=False), _flag(argument, "global", absent=True)
    pattern, replacement = argument["pattern"], _text(argument, "replacement")
    if not isinstance(pattern, str) or replacement is None or ignore_case is None or everywhere is None:
        return None
    too_long = scope.refusal(f"the text grows beyond {LONGEST_TEXT} characters")
    rounds = [_round(scope, pattern, replacement, _Flags(ignore_case, everywhere, too_long))]
    second, replacement = argument.get("pattern2"), _text(argument, "replacement2")
    if isinstance(second, str) and second and replacement is not None:
        rounds.append(_round(scope.at("pattern2"), second, replacement, _Flags(ignore_case, everywhere, too_long)))
    return rounds


def _flag(argument: dict[str, object], name: str, *, absent: bool) -> bool | None:
    value = argument.get(name)
    if value is None:
        return absent
    return value if isinstance(value, bool) else None


def _text(argument: dict[str, object], name: str) -> str | None:
    value = argument.get(name)
    if value is None:
        return ""
    return value if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class _Flags:
    ignore_case: bool
    everywhere: bool
    too_long: str


def _round(scope: Scope, pattern: str, replacement: str, flags: _Flags) -> Callable[[str], str]:
    if units(pattern) > _LONGEST or units(replacement) > _LONGEST:
        refusal = scope.refusal(f"patterns and replacements have at most {_LONGEST} characters")

        def refuse(_: str) -> str:
            raise InvalidEvent(refusal)

        return refuse
    parts = [part for part in _SPECIAL.split(replacement) if part]
    wanted = _folded(pattern) if flags.ignore_case else pattern
    return lambda text: _replaced(text, wanted, parts, flags)


def _replaced(text: str, wanted: str, parts: list[str], flags: _Flags) -> str:
    searched = _folded(text) if flags.ignore_case else text
    made: list[str] = []
    length = done = 0
    while (start := searched.find(wanted, done)) >= 0:
        end = start + len(wanted)
        for each in (text[done:start], *(_part(part, text, start, end) for part in parts)):
            made.append(each)
            length += len(each)
        if length > LONGEST_TEXT:
            raise InvalidEvent(flags.too_long)
        done = end
        if not flags.everywhere:
            break
    return "".join((*made, text[done:]))


def _part(part: str, text: str, start: int, end: int) -> str:
    match part:
        case "$$":
            return "$"
        case "$&":
            return text[start:end]
        case "$`":
            return text[:start]
        case "$'":
            return text[end:]
    return part


class _Folding(dict[int, int]):
    """Each character in capitals, as a regular expression of JavaScript compares them.

    A character stays as it is when its capital is more than one, lies beyond U+FFFF, or would turn ASCII.
    """

    def __missing__(self, character: int) -> int:
        capital = chr(character).upper()
        folded = ord(capital) if len(capital) == 1 and character <= 0xFFFF else character
        if folded > 0xFFFF or (folded < 0x80 <= character):
            folded = character
        if character <= 0xFFFF:
            self[character] = folded
        return folded


_FOLDING = _Folding()


def _folded(text: str) -> str:
    """The text for comparing: as long as it was, character by character."""
    return text.translate(_FOLDING)


DIRECTIVE = Directive("@replace", _check, _build)
