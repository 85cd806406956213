"""``mappings`` of the destinations: Segment's own format, checked and compiled once.

Works on the plain data, like ``references``, so that every fault is found although others exist; whatever has the wrong
type is passed over here, the models have reported it. A disabled mapping is checked like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sync.config.destinations import MOST_MAPPINGS
from sync.config.problems import Path, Problems, did_you_mean, listed, printable
from sync.config.references import mapping
from sync.destinations.pushwoosh.actions import ACTIONS, presets
from sync.errors import InvalidMapping, InvalidSubscription
from sync.mapping.action import Action
from sync.mapping.compiler import compile_mapping
from sync.mapping.mapping import Mapping, compile_subscription, field_problems
from sync.mapping.trigger import compile_trigger
from sync.model.identify import IdentifyPer

_ACTION = ("partnerAction", "action", "actionSlug")
_TRIGGER = ("subscribe", "trigger")
_FIELDS = ("mapping", "settings")

_SHOWN = 24
"""Characters of a trigger that are repeated where it goes wrong."""

_PERSONAS = ("context", "personas")


def label(document: dict[str, object], problems: Problems) -> None:
    """Let every problem in a mapping name that mapping."""
    for path, raw in _entries(document):
        name = raw.get("name")
        if isinstance(name, str) and name.strip():
            problems.labels[path] = f'mapping "{printable(name.strip())}"'


def compiled(document: dict[str, object], problems: Problems) -> dict[str, tuple[Mapping, ...]]:
    """The enabled mappings of each destination, by its name; the presets where it has no ``mappings``."""
    found: dict[str, tuple[Mapping, ...]] = {}
    for name, destination in mapping(document.get("destinations")).items():
        given = mapping(destination).get("mappings")
        found[name] = presets() if given is None else ()
        if isinstance(given, list) and len(given) > MOST_MAPPINGS:
            problems.add(
                ("destinations", name, "mappings"),
                f"has {len(given)} mappings, and {MOST_MAPPINGS} is the most, as in Segment: join some or take some out",
            )
    for path, raw in _entries(document):
        one = _compiled(path, raw, problems)
        if one is not None and raw.get("enabled") is not False:
            found[str(path[1])] += (one,)
    _check_identify_per(document, found, problems)
    return found


def _entries(document: dict[str, object]) -> Iterator[tuple[Path, dict[str, object]]]:
    for name, destination in mapping(document.get("destinations")).items():
        given = mapping(destination).get("mappings")
        for index, raw in enumerate(given if isinstance(given, list) else []):
            if isinstance(raw, dict):
                yield ("destinations", name, "mappings", index), raw


def _compiled(path: Path, raw: dict[str, object], problems: Problems) -> Mapping | None:
    action = _action(path, raw, problems)
    subscribe_at, subscribe = _given(_TRIGGER, path, raw, problems)
    fields_at, fields = _given(_FIELDS, path, raw, problems)
    trigger_is_right = _check_trigger(subscribe, (*path, subscribe_at), problems)
    fields_are_right = _check_fields(fields, action, (*path, fields_at), problems)
    if action is None or not trigger_is_right or not fields_are_right:
        return None
    name = raw.get("name")
    return compile_subscription(
        name.strip() if isinstance(name, str) else action.preset,
        action,
        subscribe if isinstance(subscribe, str) else action.subscribe,
        fields if isinstance(fields, dict) else action.default_mapping(),
    )


def _given(
    names: tuple[str, ...],
    path: Path,
    raw: dict[str, object],
    problems: Problems,
    meaning: Callable[[object], object] = lambda value: value,
) -> tuple[str, object]:
    """The first of ``names`` that has a value, and its value; reports another that says something else."""
    given = [(name, raw[name]) for name in names if raw.get(name) is not None]
    for name, value in given[1:]:
        if meaning(value) != meaning(given[0][1]):
            problems.add((*path, name), f"says something else than `{given[0][0]}`: keep one of the two")
    return given[0] if given else (names[0], None)


def _action(path: Path, raw: dict[str, object], problems: Problems) -> Action | None:
    at, value = _given(_ACTION, path, raw, problems, _named)
    found = _named(value)
    if isinstance(found, Action):
        return found
    known = list(ACTIONS)
    if value is None:
        problems.add(path, f"says no action: add `partnerAction`, one of {listed(known)}")
    elif isinstance(value, str) and value.strip():
        hint = did_you_mean(value, known) or f": use one of {listed(known)}"
        problems.add((*path, at), f"is not an action of Pushwoosh{hint}")
    return None


def _named(value: object) -> object:
    """The action whose slug or title ``value`` is, in any spelling; else ``value``."""
    wanted = _bare(value) if isinstance(value, str) else ""
    for action in ACTIONS.values():
        if wanted in map(_bare, (action.slug, action.title, action.preset)):
            return action
    return value


def _bare(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())


def _check_trigger(text: object, path: Path, problems: Problems) -> bool:
    """Whether it can be compiled, or was left out; the models report what is no text, or an empty one."""
    if not isinstance(text, str) or not text.strip():
        return text is None
    try:
        compile_trigger(text)
    except InvalidSubscription as error:
        piece = " ".join(text[error.position - 1 :][:_SHOWN].split())
        near = f" (`{printable(piece)}`)" if piece else ""
        problems.add(path, f"goes wrong at character {error.position}{near}: {error.sentence}")
        return False
    return True


def _check_fields(fields: object, action: Action | None, path: Path, problems: Problems) -> bool:
    """Whether they can be compiled, or were left out; the models report what is no object."""
    if not isinstance(fields, dict):
        return fields is None
    found = [] if action is None else field_problems(action, fields)
    try:
        compile_mapping(fields)
    except InvalidMapping as error:
        found = [*error.problems, *found]
    for inner, sentence in found:
        problems.add((*path, *inner), sentence)
    return not found


def _check_identify_per(
    document: dict[str, object], compiled: dict[str, tuple[Mapping, ...]], problems: Problems
) -> None:
    """A trigger that asks for ``context.personas`` where no change carries them would filter in silence."""
    for name, mappings in compiled.items():
        chosen = mapping(mapping(document.get("destinations")).get(name)).get("identify_per")
        asking = [one.name for one in mappings if any(field[:2] == _PERSONAS for field in one.trigger.fields)]
        if chosen == IdentifyPer.USER and asking:
            problems.add(
                ("destinations", name, "identify_per"),
                f'is `user`, but the trigger of mapping "{printable(asking[0])}" asks for `context.personas`, which only '
                "`computation` sends: write `computation`, or leave `identify_per` out",
            )
