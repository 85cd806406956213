"""``{"@json": {"mode": "encode", "value": …}}``: a value as compact JSON text, and with ``decode`` the way back.

The text is byte for byte what JavaScript writes: its order of keys, its numbers, nothing escaped that need not be.
"""

from __future__ import annotations

import math
import re
from json.encoder import encode_basestring

import orjson

from sync.errors import InvalidEvent
from sync.mapping.check import Checker, Path
from sync.mapping.scope import Directive, Node, Scope
from sync.mapping.values import DEEPEST, LONGEST_TEXT, MISSING, double, falsy, guard_depth, members, text_of

_HALF = re.compile("[\ud800-\udfff]")


def _check(checker: Checker, argument: object, path: Path) -> None:
    checker.members(argument, path, required={"value": checker.value, "mode": checker.one_of("encode", "decode")})


def _build(scope: Scope, argument: object) -> Node:
    if not isinstance(argument, dict) or falsy(argument.get("mode")):
        return scope.failure("has no `mode`: give `encode` or `decode`")
    if falsy(argument.get("value")):
        return scope.failure("has no `value`, or an empty one: give one to encode or decode")
    value = scope.at("value").node(argument["value"])
    match argument["mode"]:
        case "encode":
            return _encoding(scope, value)
        case "decode":
            return _decoding(value)
    return _mute(value)


def _encoding(scope: Scope, value: Node) -> Node:
    inner = value.resolve
    too_long = scope.refusal(f"the text grows beyond {LONGEST_TEXT} characters")

    def resolve(event: object) -> object:
        given = inner(event)
        if given is MISSING:
            return MISSING
        text = json_text(given)
        if len(text) > LONGEST_TEXT:
            raise InvalidEvent(too_long)
        return text

    return Node(resolve)


def _decoding(value: Node) -> Node:
    inner = value.resolve

    def resolve(event: object) -> object:
        given = inner(event)
        if not isinstance(given, str):
            return given
        try:
            return orjson.loads(given)
        except orjson.JSONDecodeError:
            return given

    return Node(resolve, whole=value.whole)


def _mute(value: Node) -> Node:
    """A mode in capitals passes the check and then does nothing, though the value is still resolved."""
    inner = value.resolve

    def resolve(event: object) -> object:
        inner(event)
        return MISSING

    return Node(resolve)


def json_text(value: object) -> str:
    """The value as JavaScript's compact JSON.

    Raises:
        InvalidEvent: it is nested too deeply.
    """
    pieces: list[str] = []
    _write(value, pieces, DEEPEST)
    return "".join(pieces)


def _write(value: object, into: list[str], levels: int) -> None:
    """Add the pieces of the JSON text; a missing member is left out, a missing item is null, and so is no number."""
    if isinstance(value, str):
        into.append(_quoted(value))
    elif isinstance(value, dict):
        guard_depth(levels)
        _write_object(value, into, levels - 1)
    elif isinstance(value, list):
        guard_depth(levels)
        _write_list(value, into, levels - 1)
    elif isinstance(value, bool):
        into.append("true" if value else "false")
    else:
        is_finite = isinstance(value, (int, float)) and math.isfinite(double(value))
        into.append(text_of(value) if is_finite else "null")


def _write_object(value: dict[str, object], into: list[str], levels: int) -> None:
    before = "{"
    for key, each in members(value):
        if each is not MISSING:
            into += (before, _quoted(key), ":")
            _write(each, into, levels)
            before = ","
    into.append("{}" if before == "{" else "}")


def _write_list(value: list[object], into: list[str], levels: int) -> None:
    before = "["
    for each in value:
        into.append(before)
        _write(each, into, levels)
        before = ","
    into.append("[]" if before == "[" else "]")


def _quoted(text: str) -> str:
    quoted = encode_basestring(text)
    return quoted if quoted.isascii() else _HALF.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


DIRECTIVE = Directive("@json", _check, _build)
