"""By what a mapping can tell users apart whose events are the same but for ``userId`` and ``messageId``.

It is decided when a mapping is compiled, from the paths that it reads; what cannot be told so is taken for different.
"""

from __future__ import annotations

from collections.abc import Iterator

from sync.mapping.compiler import compile_mapping
from sync.mapping.trigger import Trigger

_THEIRS = ("userId", "messageId")
_PLAIN = {"@path": "$.userId"}
_UNTOLD = ("@liquid", "{{{")
"""Of these the paths do not tell everything: a template may read the event by what it finds in it."""


def reads_user(trigger: Trigger) -> bool:
    """Whether a trigger asks whose event it is."""
    return any(map(_is_theirs, trigger.fields))


def user_fields(trigger: Trigger, mapping: object) -> frozenset[str] | None:
    """The fields that are plainly the ``userId``, where nothing else tells users apart; ``None`` where something may."""
    if not isinstance(mapping, dict) or reads_user(trigger):
        return None
    plain = frozenset(key for key, each in mapping.items() if each == _PLAIN)
    rest = {key: each for key, each in mapping.items() if key not in plain}
    if any(key.startswith(("@", "__")) for key in rest) or any(
        each in said for said in _texts(rest) for each in _UNTOLD
    ):
        return None
    return None if any(map(_is_theirs, compile_mapping(rest).paths)) else plain


def _is_theirs(path: tuple[str, ...]) -> bool:
    """Whether it leads to, into, or to more than what is each user's own; the empty one is the whole event."""
    return not path or path[0] in _THEIRS


def _texts(part: object) -> Iterator[str]:
    """Every text in a part of a mapping, keys too."""
    left = [part]
    while left:
        each = left.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            left += [*each, *each.values()]
        elif isinstance(each, list):
            left += each
