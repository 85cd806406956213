"""A case that goes wrong, made as small as it can be while it still goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TypeVar

from tests.language.reference.evaluate import Data, Object
from tests.language.reference.tree import And, Definition, Not, Or, Reduced, is_comparison

T = TypeVar("T")

_MOST_TRIES = 3_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A definition, the others that it may refer to, and what it is asked about."""

    definition: Definition
    others: Mapping[str, Definition]
    data: Data


def smallest(asked: Asked, goes_wrong: Callable[[Asked], bool]) -> Asked:
    """The first that goes wrong of those that are a little smaller, again and again."""
    tries = 0
    again = True
    while again:
        again = False
        for candidate in _smaller(asked):
            tries += 1
            if tries > _MOST_TRIES:
                return asked
            if goes_wrong(candidate):
                asked, again = candidate, True
                break
    return asked


def _smaller(asked: Asked) -> Iterator[Asked]:
    for key in asked.others:
        yield replace(asked, others={name: each for name, each in asked.others.items() if name != key})
    for users in _fewer_users(asked.data):
        yield replace(asked, data=users)
    for definition in _simpler(asked.definition):
        if is_comparison(definition) == is_comparison(asked.definition):
            yield replace(asked, definition=definition)  # type: ignore[arg-type]
    for key, other in asked.others.items():
        for simpler in _simpler(other):
            yield replace(asked, others={**asked.others, key: simpler})  # type: ignore[dict-item]
    yield from (replace(asked, data=data) for data in _less(asked.data))


def _fewer_users(data: Data) -> Iterator[Data]:
    """One user alone, or all but one."""
    users = {each.get("user_id") for each in data.profiles} | {each.get("userId") for each in data.events}
    if len(users) > 1:
        for user in sorted(users, key=repr):
            for alone in (True, False):
                yield Data(
                    [each for each in data.profiles if (each.get("user_id") == user) is alone],
                    [each for each in data.events if (each.get("userId") == user) is alone],
                )


def _less(data: Data) -> Iterator[Data]:
    """A profile less, an event less, a key less in one of them."""
    for place, profile in enumerate(data.profiles):
        yield from (replace(data, profiles=profiles) for profiles in _without(data.profiles, place, profile))
    for place, event in enumerate(data.events):
        yield from (replace(data, events=events) for events in _without(data.events, place, event))


def _without(rows: Sequence[Object], place: int, row: Object) -> Iterator[list[Object]]:
    yield [*rows[:place], *rows[place + 1 :]]
    yield from ([*rows[:place], less, *rows[place + 1 :]] for less in _fewer_keys(row))


def _fewer_keys(document: Object) -> Iterator[Object]:
    for key, value in document.items():
        yield {name: each for name, each in document.items() if name != key}
        if isinstance(value, dict):
            yield from ({**document, key: less} for less in _fewer_keys(value))


def _simpler(node: object) -> Iterator[object]:
    """The node with something left out, or with something simpler in it."""
    match node:
        case And(parts) | Or(parts):
            yield from parts
            if len(parts) > 2:
                yield from (type(node)(less) for less in _one_less(parts))
        case Not(part):
            yield part
        case Reduced(_, filters):
            yield from (replace(node, filters=less) for less in _one_less(filters))
    if is_dataclass(node):
        for field in fields(node):
            yield from (
                replace(node, **{field.name: simpler})  # type: ignore[type-var]
                for simpler in _simpler_inside(getattr(node, field.name))
            )


def _simpler_inside(own: object) -> Iterator[object]:
    if isinstance(own, tuple):
        for place, each in enumerate(own):
            yield from ((*own[:place], simpler, *own[place + 1 :]) for simpler in _simpler(each))
    else:
        yield from _simpler(own)


def _one_less(parts: tuple[T, ...]) -> Iterator[tuple[T, ...]]:
    return (parts[:place] + parts[place + 1 :] for place in range(len(parts)))
