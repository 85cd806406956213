"""The names a trigger may use: which part of an event they stand for, and what to say about all others."""

from __future__ import annotations

import re
from difflib import get_close_matches

PLAIN = ("type", "event", "name", "userId")
"""Members of the event itself. Whatever follows a dot is ignored: ``event.name`` is ``event``."""

OBJECTS = ("properties", "traits", "context")
"""Objects of the event, whose members are named after a dot. On its own a name stands for its own member:
``properties`` is ``properties.properties``."""

FUNCTIONS = ("contains", "match")

READABLE = "`type`, `event`, `name`, `userId`, `properties.…`, `traits.…` and `context.…`"

_UNREADABLE = (
    "anonymousId",
    "channel",
    "groupId",
    "integrations",
    "messageId",
    "originalTimestamp",
    "previousId",
    "receivedAt",
    "sentAt",
    "timestamp",
    "version",
)
"""Members of a Segment event that a trigger cannot see."""

_LONGEST_SHOWN = 40
_JUNCTIONS = ("and", "or")
_PIECES = re.compile(r"[^\[.\]]+")


def path_of(name: str) -> tuple[str, ...] | None:
    """Where in an event ``name`` looks; ``()`` when nothing can be there, ``None`` when it is not a field."""
    root, dot, rest = name.partition(".")
    if root in PLAIN:
        return (root,)
    if root not in OBJECTS:
        return None
    return _inside(root, rest if dot else name)


def argument_path(name: str) -> tuple[str, ...] | None:
    """As ``path_of``, for the first argument of a function: there, ``type`` and members of plain fields do not count."""
    root = name.partition(".")[0]
    if root in PLAIN and (root == "type" or root != name):
        return None
    return path_of(name)


def prefixed_path(name: str) -> tuple[str, ...] | None:
    """Segment's reading of ``propertiesfoo`` as an argument: a member of that whole name."""
    for root in OBJECTS:
        if name.startswith(root):
            return _inside(root, name)
    return None


def is_field(name: str) -> bool:
    """Whether ``name`` starts with one of the seven fields."""
    return name.partition(".")[0] in PLAIN + OBJECTS


def is_reserved(name: str) -> bool:
    """Whether nobody would write ``name`` for something unknown: a field, a function, a junction, or nearly one."""
    root = name.partition(".")[0]
    return is_field(name) or root in FUNCTIONS or bool(_misspelt_junction(name) or _meant(root))


def unknown(name: str) -> str:
    """The sentence for a name that stands where a condition should."""
    root = name.partition(".")[0]
    if said := _misspelt_junction(name):
        return said
    if root in _UNREADABLE:
        return f"a trigger cannot read `{root}`: it reads {READABLE}"
    meant = _meant(root)
    rather = f"did you mean `{meant}`?" if meant else f"those are {READABLE}"
    return f"{quoted(root)} is not a field that a trigger reads; {rather}"


def misplaced(name: str) -> str:
    """The sentence for a name that stands where ``and`` or ``or`` should."""
    return _misspelt_junction(name) or "join conditions with `and` or `or`, in small letters and with blanks around"


def quoted(name: str) -> str:
    """A name of the trigger for a message: short, and without anything that a terminal would obey."""
    printable = name if name.isprintable() else ascii(name)[1:-1]
    return f"`{printable[:_LONGEST_SHOWN]}{'…' if len(printable) > _LONGEST_SHOWN else ''}`"


def _inside(root: str, name: str) -> tuple[str, ...]:
    pieces = _PIECES.findall(name)
    return (root, *pieces) if pieces else ()


def _misspelt_junction(name: str) -> str:
    if name in _JUNCTIONS:
        return f"put a blank after `{name}`"
    if name.lower() in _JUNCTIONS:
        return f"write `{name.lower()}` in small letters"
    if name.lower() == "not":
        return "there is no `not`: write `!=`, or `!` directly before `contains(…)` or `match(…)`"
    return ""


def _meant(root: str) -> str:
    """The known name that is close to ``root``, if any."""
    by_lower = {known.lower(): known for known in (*PLAIN, *OBJECTS, *FUNCTIONS, *_UNREADABLE)}
    close = get_close_matches(root.lower(), by_lower, n=1, cutoff=0.75)
    return by_lower[close[0]] if close else ""
