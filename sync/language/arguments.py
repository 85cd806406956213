"""The arguments of functions: how many there are, and literals, lists, durations and dates out of tokens."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

from lark import Token

from sync.language import names
from sync.language.misplaced import shown
from sync.language.syntax import Argument, Atom, Call, Group, Listing, Measure, Node, fault
from sync.language.tree import Boolean, Duration, Literal, Number, Position, Text, Unit

LONGEST_WINDOW = 36_500
"""Days; a hundred years, so that no instant leaves the calendar."""

_UNITS = {"hour": Unit.HOURS, "hours": Unit.HOURS, "day": Unit.DAYS, "days": Unit.DAYS}
_MEANT_UNITS = {
    "week": ("days", 7),
    "weeks": ("days", 7),
    "month": ("days", 30),
    "months": ("days", 30),
    "year": ("days", 365),
    "years": ("days", 365),
}
_WHOLE = re.compile(r"[+-]?[0-9]+")
_LONGEST_NUMBER = 400
MOST_DOTS = 50
"""Each is a step into nested JSON."""
_ESCAPE = re.compile(r"\\(.)")
_QUOTES = "\\'\"\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f"
_DATE = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"([Tt ](?P<time>[0-9]{2}:[0-9]{2}(:[0-9]{2})?)([.,](?P<fraction>[0-9]{1,9}))?(?P<zone>[Zz]|[+-][0-9]{2}(:?[0-9]{2})?)?)?"
)


def values(call: Call, count: int) -> list[Node]:
    """The ``count`` arguments of ``call``, none of them with a name."""
    for argument in call.arguments:
        if argument.name is not None:
            raise fault(argument.name, f"there is no {shown(argument.name + ':')} here: write {_usage(call)}")
    return _counted(call, list(call.arguments), count)


def values_of_parent(call: Call, count: int) -> tuple[list[Node], bool]:
    """As ``values``; the first may be called ``parent:``, and whether it is."""
    first = call.arguments[0] if call.arguments else None
    if first is None or first.name is None:
        return values(call, count), False
    if first.name.lower() != "parent":
        rather = f"write {_usage(call)}, or `parent:` in a funnel"
        raise fault(first.name, f"there is no {shown(first.name + ':')} here: {rather}")
    unnamed = (Argument(None, first.value), *call.arguments[1:])
    return values(Call(call.name, unnamed, call.last), count), True


def named(call: Call, name: str) -> Node:
    """The only argument of ``call``, which must be called ``name``."""
    node = _counted(call, list(call.arguments), 1)[0]
    given = call.arguments[0].name
    if given is None or given.lower() != name:
        raise fault(call.arguments[0].first, f"`{name}:` is missing before the list: write {_usage(call)}")
    return node


def _counted(call: Call, given: list[Argument], count: int) -> list[Node]:
    if len(given) < count:
        missing = "an argument is missing" if count == 1 or given else f"{count} arguments are missing"
        raise fault(call.last, f"found `)` where {missing}: write {_usage(call)}")
    if len(given) > count:
        takes = {0: "takes no argument", 1: "takes one argument"}.get(count, f"takes {count} arguments")
        raise fault(given[count].first, f"`{call.name.lower()}` {takes}: write {_usage(call)}")
    return [argument.value for argument in given]


def _usage(call: Call) -> str:
    return f"`{names.usage(call.name.lower())}`"


def bare(node: Node) -> Node:
    """Without the parentheses around it."""
    while isinstance(node, Group):
        node = node.inner
    return node


def literal(node: Node) -> Literal:
    """A text, a number, ``true`` or ``false``; also as ``literal(…)``."""
    node = bare(node)
    while isinstance(node, Call) and node.name.lower() == "literal":
        node = bare(values(node, 1)[0])
    if not isinstance(node, Atom):
        raise fault(node.first, "a literal must stand here: a text in quotes, a number, `true` or `false`")
    token = node.token
    if token.type == "TEXT":
        return Text(_unquoted(token))
    if token.type == "NUMBER":
        return Number(_number(token))
    if token.lower() in {"true", "false"}:
        return Boolean(token.lower() == "true")
    raise fault(token, names.bare(token))


def text(node: Node, call: Call) -> str:
    """A literal text as an argument of ``call``."""
    inner = bare(node)
    if isinstance(inner, Listing):
        raise fault(inner.first, f"`{call.name.lower()}` takes one text: write {_usage(call)}")
    if isinstance(inner, Atom) or (isinstance(inner, Call) and inner.name.lower() == "literal"):
        found = literal(inner)
        if isinstance(found, Text):
            return found.value
    raise fault(node.first, f"a text in quotes must stand here: write {_usage(call)}")


def name(node: Node, call: Call) -> str:
    """The name of an event, a trait or a member."""
    found = text(node, call)
    if not found.strip():
        raise fault(node.first, f"this name is empty: write {_usage(call)}")
    if call.name.lower() != "event" and found.count(".") > MOST_DOTS:
        raise fault(node.first, f"this name steps into more than {MOST_DOTS} objects: write {_usage(call)}")
    return found


def literals(node: Node, call: Call) -> tuple[Literal, ...]:
    """A list of literals as an argument of ``call``."""
    node = bare(node)
    if not isinstance(node, Listing):
        raise fault(node.first, f"a list in brackets must stand here: write {_usage(call)}")
    return tuple(literal(item) for item in node.items)


def texts(node: Node, call: Call) -> tuple[str, ...]:
    """A list of texts as an argument of ``call``."""
    node = bare(node)
    if not isinstance(node, Listing):
        raise fault(node.first, f"a list in brackets must stand here: write {_usage(call)}")
    return tuple(text(item, call) for item in node.items)


def whole(node: Node, call: Call) -> int:
    """A whole number, at least 1."""
    found = literal(node)
    if isinstance(found, Number) and isinstance(found.value, int) and found.value > 0:
        return found.value
    raise fault(node.first, f"a whole number, at least 1, must stand here: write {_usage(call)}")


def duration(node: Node, call: Call, *, least: int = 1) -> Duration:
    """``7 days``."""
    if isinstance(node, Atom) and node.token.type == "NUMBER":
        raise fault(node.first, f"a unit is missing behind {shown(node.token)}: write `{node.token} days` or `hours`")
    if not isinstance(node, Measure):
        raise fault(node.first, f"a duration must stand here: write {_usage(call)}")
    unit = _UNITS.get(node.unit.lower())
    if unit is None:
        raise fault(node.unit, f"{shown(node.unit)} is no unit: {_in_known_units(node)}")
    if not _WHOLE.fullmatch(node.amount):
        raise fault(node.amount, "a duration is a whole number of hours or days")
    amount = int(node.amount) if len(node.amount) < 20 else math.inf
    if not least <= amount <= LONGEST_WINDOW * (24 if unit is Unit.HOURS else 1):
        raise fault(node.amount, f"a duration is at least {least} and at most {LONGEST_WINDOW} days")
    return Duration(int(amount), unit)


def _in_known_units(node: Measure) -> str:
    meant = _MEANT_UNITS.get(node.unit.lower())
    if meant is None or not re.fullmatch(r"[0-9]{1,5}", node.amount):
        return "write `hours` or `days`"
    return f"write `{int(node.amount) * meant[1]} {meant[0]}`"


def instant(node: Node, call: Call) -> datetime:
    """An ISO 8601 text as an instant in UTC; without a zone it is in UTC."""
    found = _DATE.fullmatch(text(node, call).strip())
    sentence = f"this is no date in ISO 8601: write {_usage(call)}"
    if found is None:
        raise fault(node.first, sentence)
    zone = (found["zone"] or "Z").upper()
    zone = zone if zone == "Z" or len(zone) > 3 else zone + ":00"
    fraction = (found["fraction"] or "")[:6].ljust(6, "0")
    time = found["time"] or "00:00"
    time = time if len(time) > 5 else time + ":00"
    try:
        return datetime.fromisoformat(f"{found['date']}T{time}.{fraction}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise fault(node.first, sentence) from None


def _unquoted(token: Token) -> str:
    def kept(match: re.Match[str]) -> str:
        if match[1] not in _QUOTES:
            place = Position(token.line or 1, (token.column or 1) + 1 + match.start())
            raise fault(
                place, "in a text, a backslash stands before a quote or a backslash: write `\\\\` for one of its own"
            )
        return match[1]

    return _ESCAPE.sub(kept, token[1:-1])


def _number(token: Token) -> int | float:
    found: int | float = math.inf
    if len(token) < _LONGEST_NUMBER:
        found = int(token) if _WHOLE.fullmatch(token) else float(token)
    if isinstance(found, float) and found.is_integer() and abs(found) < 2**63:
        found = int(found)
    if not math.isfinite(found) or (isinstance(found, int) and not -(2**63) <= found < 2**63):
        raise fault(token, "this number is too large: whole numbers have 64 bits")
    return found
