"""From raw JSON to functions of an event: what directives are made of and what they build with.

Segment lets missing values stand in what a mapping builds until the very end, and then deletes them. Here an object
leaves them out at once, and a list has null in their place, unless something above could tell the difference
(``exact``): only then is a built value walked again, by ``settled``. What was copied from the event holds no missing
values and is never walked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from sync.errors import InvalidEvent
from sync.mapping.check import METADATA, Checker, Path, Problem, directive_keys, shown, unknown_directive
from sync.mapping.values import DEEPEST, MISSING, double, guard_depth, is_number

Resolve: TypeAlias = Callable[[object], object]
"""From the event (inside the shape of an ``@arrayPath``: from an item) to the value, ``MISSING`` when there is none."""

_LARGEST_INTEGER = 2**64 - 1
_SMALLEST_INTEGER = -(2**63)


@dataclass(frozen=True, slots=True)
class Node:
    """A compiled part of a mapping.

    ``constant``: gives the same value for every event. ``whole``: what it gives never holds ``MISSING`` inside.
    """

    resolve: Resolve
    constant: bool = False
    whole: bool = True

    def value(self) -> object:
        """The value of a constant."""
        return self.resolve(None)


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive: how its argument is checked, and what it is compiled to.

    ``build`` also meets arguments that were never checked, from inside a list: it answers what cannot be used with
    ``Scope.failure``.
    """

    name: str
    check: Callable[[Checker, object, Path], None]
    build: Callable[[Scope, object], Node]


@dataclass(frozen=True, slots=True)
class Scope:
    """Where in a mapping something is compiled, and what is known about that place.

    ``reads`` collects the paths on the event. ``certain``: every event resolves this place, so that what cannot work
    here is a problem of the mapping. ``exact``: something above tells a missing value inside from an absent one.
    ``exact_keys``: the members of an object at this very place for which that is so. ``input_whole``: the event, or the
    item in its place, holds no missing values.
    """

    directives: Mapping[str, Directive]
    problems: list[Problem]
    reads: set[tuple[str, ...]]
    path: Path = ()
    certain: bool = True
    exact: bool = False
    exact_keys: frozenset[str] = frozenset()
    input_whole: bool = True

    def at(self, *steps: str | int) -> Scope:
        """The same for a part of this."""
        return replace(self, path=(*self.path, *steps), exact_keys=frozenset())

    def perhaps(self) -> Scope:
        """The same where not every event comes."""
        return replace(self, certain=False)

    def exactly(self) -> Scope:
        """The same where missing values must stay."""
        return replace(self, exact=True)

    def on(self, *, whole: bool) -> Scope:
        """The same with something else in the event's place, whose paths are not the event's."""
        return replace(self, reads=set(), input_whole=whole)

    def node(self, raw: object) -> Node:
        """Compile any part of a mapping."""
        if isinstance(raw, dict):
            return self._directive(raw) if _is_directive(raw) else self._object(raw)
        return self._list(raw) if isinstance(raw, list) else constant(raw)

    def failure(self, sentence: str) -> Node:
        """What can never work: a problem of the mapping if every event comes here, else of the events that do."""
        if self.certain:
            self.problems.append((self.path, sentence))
        error = self.refusal(sentence)

        def resolve(_: object) -> object:
            raise InvalidEvent(error)

        return Node(resolve)

    def refusal(self, sentence: str) -> str:
        """The message of an ``InvalidEvent`` raised here: where in the mapping, and what."""
        return f"{'.'.join(shown(str(step)) for step in self.path) or 'the mapping'}: {sentence}"

    def _directive(self, raw: dict[str, object]) -> Node:
        name = directive_keys(raw)[0]
        directive = self.directives.get(name)
        if directive is None:
            return self.failure(unknown_directive(name, self.directives))
        node = directive.build(self.at(name), raw[name])
        return node if node.whole or self.exact else _settled(node)

    def _object(self, raw: dict[str, object]) -> Node:
        nodes = {key: self._member(key).node(each) for key, each in raw.items()}
        if all(node.constant for node in nodes.values()):
            return constant({key: node.value() for key, node in nodes.items()})
        parts = tuple((key, node.resolve) for key, node in nodes.items())
        return Node(_with_holes(parts), whole=False) if self.exact else Node(_without_holes(parts))

    def _member(self, key: str) -> Scope:
        return self.at(key).exactly() if key in self.exact_keys else self.at(key)

    def _list(self, raw: list[object]) -> Node:
        nodes = [self.at(index).node(each) for index, each in enumerate(raw)]
        if all(node.constant for node in nodes):
            return constant([node.value() for node in nodes])
        items = tuple(node.resolve for node in nodes)
        return Node(lambda event: [item(event) for item in items], whole=False) if self.exact else Node(_filled(items))


NOTHING: Final = Node(lambda _: MISSING)
"""What gives nothing. It does not count as a constant, so that no list or object is built with it in it."""


def constant(value: object) -> Node:
    """A node that gives the value itself, every time."""
    if isinstance(value, int) and is_number(value) and not _SMALLEST_INTEGER <= value <= _LARGEST_INTEGER:
        value = double(value)
    return Node(lambda _: value, constant=True)


def settled(value: object, *, hole: object, levels: int = DEEPEST) -> object:
    """A copy without the members that are missing, at any depth; an item that is missing becomes ``hole``."""
    if isinstance(value, dict):
        guard_depth(levels)
        members = {}
        for key, each in value.items():
            if each is not MISSING:
                members[key] = settled(each, hole=hole, levels=levels - 1)
        return members
    if isinstance(value, list):
        guard_depth(levels)
        items = []
        for each in value:
            items.append(hole if each is MISSING else settled(each, hole=hole, levels=levels - 1))  # noqa: PERF401 - a comprehension would be a second frame a level
        return items
    return value


def _settled(node: Node) -> Node:
    inner = node.resolve
    return Node(lambda event: settled(inner(event), hole=None))


def _is_directive(raw: dict[str, object]) -> bool:
    """Whether this is resolved as a directive; with anything but ``_metadata`` beside it, it is a plain object."""
    return bool(directive_keys(raw)) and all(key.startswith("@") or key == METADATA for key in raw)


def _without_holes(parts: tuple[tuple[str, Resolve], ...]) -> Resolve:
    def resolve(event: object) -> object:
        members = {}
        for key, part in parts:
            value = part(event)
            if value is not MISSING:
                members[key] = value
        return members

    return resolve


def _with_holes(parts: tuple[tuple[str, Resolve], ...]) -> Resolve:
    return lambda event: {key: part(event) for key, part in parts}


def _filled(items: tuple[Resolve, ...]) -> Resolve:
    def resolve(event: object) -> object:
        values = [item(event) for item in items]
        return [None if value is MISSING else value for value in values] if MISSING in values else values

    return resolve
