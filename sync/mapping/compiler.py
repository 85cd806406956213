"""A whole mapping: checked, then compiled to a function of an event.

What is wrong is found at load, all of it at once. An event then costs function calls, and ends in a value or in
``InvalidEvent``, whatever it holds; the event itself is never changed.
"""

from __future__ import annotations

from dataclasses import dataclass

from sync.errors import InvalidEvent, InvalidMapping
from sync.mapping.check import Problem, unusable
from sync.mapping.complete import checked
from sync.mapping.directives import DIRECTIVES
from sync.mapping.scope import NOTHING, Node, Resolve, Scope
from sync.mapping.values import MISSING


@dataclass(frozen=True, slots=True)
class CompiledMapping:
    """A mapping, ready for any number of events.

    ``paths`` are the places of the event that it reads, in templates and nested directives too, each as its keys; the
    empty one is the whole event, and also stands for a path that only the event itself can tell.
    """

    paths: frozenset[tuple[str, ...]]
    _resolve: Resolve

    def __call__(self, event: object) -> object:
        """What the mapping makes of the event, missing members removed; null when it makes nothing.

        The result must not be changed: parts of it are the event's own, or shared between all results.

        Raises:
            InvalidEvent: the mapping cannot be carried out for this event.
        """
        if not isinstance(event, dict):
            raise InvalidEvent("an event must be an object")
        try:
            value = self._resolve(event)
        except RecursionError:
            raise InvalidEvent("lists and objects are nested too deeply: send them flatter") from None
        return None if value is MISSING else value


def compile_mapping(mapping: object, exact_keys: frozenset[str] = frozenset()) -> CompiledMapping:
    """Check and compile a mapping as Segment's ``mapping`` holds it.

    ``exact_keys``: what these keys hold may have ``MISSING`` inside, for a reader who can tell it from null.

    Raises:
        InvalidMapping: with every problem found, and where it stands in the mapping.
    """
    if not isinstance(mapping, dict):
        raise InvalidMapping([((), "must be an object")])
    if problems := unusable(mapping):
        raise InvalidMapping(problems)
    found: list[Problem] = []
    reads: set[tuple[str, ...]] = set()
    node = Scope(DIRECTIVES, found, reads, exact_keys=exact_keys).node(checked(mapping, DIRECTIVES))
    if found:
        raise InvalidMapping(list(dict.fromkeys(found)))
    return CompiledMapping(frozenset(reads), _fresh(node))


def gives_nothing(part: object) -> bool:
    """Whether it is plain that a part of a mapping gives no value, or an empty text, for every event."""
    if unusable(part):
        return False
    node = Scope(DIRECTIVES, [], set()).node(part)
    return node is NOTHING or (node.constant and node.value() in (None, ""))


def _fresh(node: Node) -> Resolve:
    """The node's function; a mapping of constants only gives each event an object of its own."""
    value = node.value() if node.constant else None
    return (lambda _: {**value}) if isinstance(value, dict) else node.resolve
