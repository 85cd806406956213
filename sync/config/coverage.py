"""Which definitions a destination never hears of, because none of its mappings takes their changes.

Told by the commands that look or send, and no fault: somebody may want it so. Only what is certain is told: a trigger that also asks for a
user's id or traits may take some users' changes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sync.config.settings import PushwooshSettings, Settings
from sync.mapping import mapping
from sync.model.definition import Definition
from sync.model.identify import IdentifyPer, persona

_OF_A_USER = {"userId", "traits"}
_GIVEN_LATER = ("context", "personas", "computation_id")
_NAMED = 5


def unheard(settings: Settings, destination: PushwooshSettings) -> list[Definition]:
    """The enabled definitions that send to ``destination`` and whose changes it filters, whoever the user is."""
    return [
        definition
        for definition in settings.definitions
        if definition.enabled
        and destination.name in definition.destinations
        and not any(_may_take(each, definition, settings.project, destination) for each in destination.mappings)
    ]


def note(settings: Settings, destination: PushwooshSettings, asked: Collection[Definition]) -> str | None:
    """A sentence on those of ``asked`` that are unheard at ``destination``, if any are."""
    deaf = [each for each in unheard(settings, destination) if each in asked]
    if not deaf:
        return None
    names = ", ".join(f"{each.kind} {each.key}" for each in deaf[:_NAMED])
    more = f" and {len(deaf) - _NAMED} more" if len(deaf) > _NAMED else ""
    return f"destination {destination.name}: no enabled mapping takes the changes of {names}{more}: they are not sent"


def _may_take(chosen: mapping.Mapping, definition: Definition, project: str, destination: PushwooshSettings) -> bool:
    unknown = any(path[0] in _OF_A_USER or path == _GIVEN_LATER for path in chosen.trigger.fields)
    return unknown or chosen.matches(sample(definition, project, destination))


def sample(
    definition: Definition,
    project: str,
    destination: PushwooshSettings,
    *,
    value: object = True,
    enrichment: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """The event that a change of ``definition`` becomes, as far as it is known without a user."""
    alone = destination.identify_per is IdentifyPer.COMPUTATION
    context = {"personas": persona(project, definition.kind, definition.key, "")} if alone else {}
    return {
        "type": "identify",
        "userId": "user",
        "traits": {**(enrichment or {}), definition.key: value},
        "context": context,
    }
