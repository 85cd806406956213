"""A mapping, and where the requests go that it makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from sync.destinations.pushwoosh.actions.call import Call
from sync.mapping.check import shown
from sync.mapping.mapping import Mapping


@dataclass(frozen=True, slots=True)
class Route:
    """One enabled mapping of a destination, with its action's call and address.

    ``label`` comes before what it says of an event: its name, where others might have said it.
    """

    mapping: Mapping
    call: Call
    url: httpx.URL
    label: str


def label_of(chosen: Mapping, among: Sequence[Mapping]) -> str:
    """What comes before refusals of a mapping: nothing with one alone, nor with presets, which nobody named."""
    are_told_apart = len(among) > 1 and any(each.name != each.action.preset for each in among)
    return f"{shown(chosen.name)}: " if are_told_apart else ""
