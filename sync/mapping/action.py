"""What an action of a destination declares: its fields, with types, and the mapping it starts with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Type(StrEnum):
    """JSON types a field takes; the order in a field is the order in which coercion tries them."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    OBJECT = "object"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an action.

    ``title`` is what messages call it. ``default`` is the raw mapping that a new mapping starts with; it is never
    applied at run time. ``properties`` closes an object: only these members are kept. ``date``: a text must be date-like.
    ``nullable``: null is a value of its own and is sent.
    """

    key: str
    title: str
    types: tuple[Type, ...]
    description: str = ""
    required: bool = False
    nullable: bool = False
    date: bool = False
    properties: tuple[Field, ...] = ()
    default: object = None


@dataclass(frozen=True, slots=True)
class Action:
    """One action of a destination: ``slug`` is Segment's name in ``partnerAction``, ``title`` what people see.

    ``preset`` names the mapping its documentation offers and ``subscribe`` is that one's trigger.
    """

    slug: str
    title: str
    preset: str
    subscribe: str
    fields: tuple[Field, ...]

    def default_mapping(self) -> Mapping[str, object]:
        """The mapping of the preset: every field that has a default."""
        return {each.key: each.default for each in self.fields if each.default is not None}
