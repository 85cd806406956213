"""A resolved mapping against an action's fields: empties removed, types coerced, dates checked, the rest thrown away.

Compiled once for each action. Values that fit already, which is nearly all of them, cost one look at their type. What
cannot be used is reported all at once, in Segment's words, and never with a value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sync.errors import InvalidEvent
from sync.mapping import coercion
from sync.mapping.action import Action, Field, Type
from sync.mapping.dates import rfc3339
from sync.mapping.values import MISSING

Payload = dict[str, object]
Validate = Callable[[object], Payload]
"""From what a mapping resolved to, to the payload with its keys in the order of the fields; raises `InvalidEvent`."""


@dataclass(frozen=True, slots=True)
class _Wrong:
    """Why a field cannot take its value."""

    sentences: tuple[str, ...]


_Check = Callable[[object], object]
"""A value → the one to use, ``MISSING`` when it is removed, or `_Wrong`."""


def compile_validation(action: Action) -> Validate:
    """The validation of everything that is mapped to ``action``."""
    check = _members(action.fields, first_level=True)

    def validate(resolved: object) -> Payload:
        if not isinstance(resolved, dict):
            raise InvalidEvent(f"The root value must be an object but it was {coercion.kind(resolved)}.")
        payload = check(resolved)
        if isinstance(payload, _Wrong):
            raise InvalidEvent(" ".join(payload.sentences))
        return payload

    return validate


def _members(fields: tuple[Field, ...], *, first_level: bool) -> Callable[[dict[str, object]], Payload | _Wrong]:
    """The check of an object that holds ``fields`` and nothing else."""
    steps = tuple((each.key, *_usual(each), _field(each, first_level=first_level)) for each in fields)
    required = tuple(each.key for each in fields if each.required)

    def check(values: dict[str, object]) -> Payload | _Wrong:
        valid: Payload = {}
        wrong: dict[str, _Wrong] = {}
        for key, usual, refine, find in steps:
            value = values.get(key, MISSING)
            if value is MISSING:
                continue
            if type(value) is usual and value != "":
                if refine is None:
                    valid[key] = value
                    continue
                found = refine(value)
            else:
                found = find(value)
            if isinstance(found, _Wrong):
                wrong[key] = found
            elif found is not MISSING:
                valid[key] = found
        missing = [key for key in required if key not in valid and key not in wrong]
        return _all_of(missing, wrong) if missing or wrong else valid

    return check


def _usual(field: Field) -> tuple[type | None, _Check | None]:
    """The Python type of which nearly all values are, and what must still be looked at in one that is not ``""``."""
    kinds = {Type.STRING: str, Type.OBJECT: dict, Type.BOOLEAN: bool}
    return kinds.get(field.types[0]), _refinement(field)


def _all_of(missing: list[str], wrong: dict[str, _Wrong]) -> _Wrong:
    sentences = [f"The root value is missing the required field '{key}'." for key in missing]
    return _Wrong((*sentences, *(sentence for each in wrong.values() for sentence in each.sentences)))


def _field(field: Field, *, first_level: bool) -> _Check:
    removes_empty_text = first_level or Type.STRING not in field.types
    coerce = _coercion(field)
    refine = _refinement(field)

    def check(value: object) -> object:
        if value == "" and removes_empty_text:
            return MISSING
        if value is None:
            return None if field.nullable else MISSING
        found = coerce(value)
        return found if refine is None or isinstance(found, _Wrong) else refine(found)

    return check


def _coercion(field: Field) -> _Check:
    types, nullable = field.types, field.nullable
    fits = tuple(coercion.fits(each) for each in types)
    conversions = coercion.conversions(types, nullable=nullable)
    wanted = coercion.kinds(types, nullable=nullable)
    # Ajv compares the opened item with all types at once, so that only a single type is found to fit.
    item_may_fit = len(types) == 1 and not nullable

    def coerce(value: object) -> object:
        for fit in fits:
            if fit(value):
                return value
        item = coercion.opened(value, types, nullable=nullable)
        if item_may_fit and fits[0](item):
            return item
        for convert in conversions:
            if (converted := convert(item)) is not MISSING:
                return converted
        return _Wrong((f"{field.title} must be {wanted} but it was {coercion.kind(item)}.",))

    return coerce


def _refinement(field: Field) -> _Check | None:
    """What is looked at once the type is right."""
    if field.properties:
        return _members(field.properties, first_level=False)  # type: ignore[return-value]
    return partial(_date, field.title) if field.date else None


def _date(title: str, value: object) -> object:
    if not isinstance(value, str | int | float):
        return value
    if (text := rfc3339(value)) is not None:
        return text
    if isinstance(value, str):
        return _Wrong((f"{title} must be a valid date-like string but it was not.",))
    return _Wrong((f"{title} must be seconds, or milliseconds with 13 digits, since 1970 but it was not.",))
