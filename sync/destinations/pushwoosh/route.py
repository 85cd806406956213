"""A mapping, and where the requests go that it makes."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from sync.destinations.pushwoosh.actions.call import Call
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
