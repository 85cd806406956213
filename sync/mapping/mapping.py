"""A trigger, an action and what its fields are filled with: ready to take events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches

from sync.mapping.action import Action, Type
from sync.mapping.apart import reads_user, user_fields
from sync.mapping.compiler import compile_mapping, gives_nothing
from sync.mapping.remarks import remarks
from sync.mapping.trigger import Trigger, compile_trigger
from sync.mapping.validation import Payload, Validate, compile_validation

Path = tuple[str | int, ...]
Event = dict[str, object]

_PERSONAS = ("context", "personas")

_OF_THE_FRAMEWORK = frozenset({"batch_size", "batch_bytes", "batch_keys"})
_INTERNAL = "__segment_internal_"
_DIRECTIVE = "__segment_internal_directive"


@dataclass(frozen=True, slots=True)
class Mapping:
    """One compiled mapping. ``reads_personas``: it wants to know which audience or trait an event is about.

    ``user_fields`` are the fields that are plainly the ``userId``, where nothing else tells users apart (`apart`); ``None``
    where something may. ``trigger_reads_user``: the trigger does.

    ``remarks`` are sentences on what is no fault and yet hardly meant.

    Never changes an event. Payloads share lists and objects with it, so whoever gets one must not change those either.
    """

    name: str
    action: Action
    trigger: Trigger
    reads_personas: bool
    remarks: tuple[str, ...]
    user_fields: frozenset[str] | None
    trigger_reads_user: bool
    _resolve: Callable[[object], object] = field(repr=False)
    _validate: Validate = field(repr=False)

    def matches(self, event: Event) -> bool:
        """Whether the trigger wants the event."""
        return self.trigger(event)

    def payload(self, event: Event) -> Payload:
        """The action's fields for this event, validated; raises `InvalidEvent` when they cannot be used."""
        return self._validate(self._resolve(event))


def compile_subscription(
    name: str, action: Action, subscribe: str, mapping: object, *, tolerant: bool = False
) -> Mapping:
    """Compile one mapping; raises `InvalidSubscription` for the trigger, `InvalidMapping` for the directives.

    Keys that are no field of the action are resolved and thrown away, as Segment does; `field_problems` finds them.
    ``tolerant`` lets a trigger pass that Segment accepts but nobody can have meant.
    """
    trigger = compile_trigger(subscribe, tolerant=tolerant)
    compiled = compile_mapping(mapping, _read_exactly(action))
    reads_personas = any(map(_reads_personas, (*trigger.fields, *compiled.paths)))
    return Mapping(
        name,
        action,
        trigger,
        reads_personas,
        remarks(mapping),
        user_fields(trigger, mapping),
        reads_user(trigger),
        compiled,
        compile_validation(action),
    )


def _read_exactly(action: Action) -> frozenset[str]:
    """The fields of which validation reads every value, so that none of their lists or objects is sent as it is.

    It opens lists of one item, and an item that is missing is refused where null is an empty text or a zero.
    """
    return frozenset(each.key for each in action.fields if each.properties or Type.OBJECT not in each.types)


def field_problems(action: Action, mapping: object) -> list[tuple[Path, str]]:
    """What is wrong with the fields of a raw mapping: ones the action does not have, required ones without a value."""
    if not isinstance(mapping, dict) or any(str(key).startswith("@") for key in mapping):
        return []  # a directive makes the fields, and only an event tells which
    known = [each.key for each in action.fields]
    unknown = [str(key) for key in mapping if key not in known and not _is_tolerated(str(key))]
    problems: list[tuple[Path, str]] = [((key,), _unknown(key, action, known)) for key in unknown]
    if _DIRECTIVE not in mapping:
        unmapped = [each.key for each in action.fields if each.required and gives_nothing(mapping.get(each.key))]
        problems += [
            ((key,), f"is required by the action {action.title}, and nothing is mapped to it") for key in unmapped
        ]
    return problems


def _unknown(key: str, action: Action, known: list[str]) -> str:
    close = get_close_matches(key, known, 1)
    return f"is not a field of the action {action.title}" + (f"; did you mean `{close[0]}`?" if close else "")


def _reads_personas(path: tuple[str, ...]) -> bool:
    """Whether the path leads to ``context.personas``, into it, or to something that includes it."""
    return path[:2] == _PERSONAS[: len(path)]


def _is_tolerated(key: str) -> bool:
    """Keys that Segment's screens write beside the fields."""
    return key in _OF_THE_FRAMEWORK or key.startswith(_INTERNAL)
