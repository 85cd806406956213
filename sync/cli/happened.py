"""How events and what became of them look, in a line and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import orjson

from sync.cli import output
from sync.config import PushwooshSettings
from sync.model.event import LoggedEvent
from sync.store.fates import Fate, Standing

PREFIX = "event:"
"""How events are named, so that their numbers are not taken for anything else."""

Destinations = Mapping[str, PushwooshSettings]


def judged(
    told: Mapping[int, Sequence[Fate]], events: Iterable[LoggedEvent], known: Destinations
) -> dict[int, Sequence[Fate]]:
    """What became of ``events``, by number: as it is ``told``, and of those that were filtered also by which mappings."""
    listed = {each.id: each for each in events}
    return {
        number: [
            replace(fate, filtered_by=_against(known, fate.destination, listed[number]))
            if fate.state is Standing.FILTERED
            else fate
            for fate in each
        ]
        for number, each in told.items()
    }


def _against(known: Destinations, destination: str, event: LoggedEvent) -> tuple[str, ...]:
    """The mappings whose triggers do not want the event: as they are configured now."""
    if destination not in known:
        return ()
    body = orjson.loads(event.body)
    return tuple(each.name for each in known[destination].mappings if not each.matches(body))


def event_document(event: LoggedEvent) -> dict[str, Any]:
    """An event for machines, without what it holds."""
    names = ("id", "source", "message_id", "type", "name", "user_id", "anonymous_id", "timestamp", "received_at")
    return {**{name: getattr(event, name) for name in names}, "lane": event.lane, "collected": event.collected}


def told_document(event: LoggedEvent, told: Iterable[Fate]) -> dict[str, Any]:
    """An event and what became of it, for machines."""
    return event_document(event) | {"destinations": [asdict(fate) for fate in told]}


def told_line(event: LoggedEvent, told: Sequence[Fate]) -> str:
    """The same in a line for people."""
    fate = "; ".join(f"{each.destination}: {fate_words(each)}" for each in told) or "received"
    parts = (event.received_at, f"{PREFIX}{event.id}", what(event.type, event.name), who(event), event.source, fate)
    return "  ".join(output.cell(part) for part in parts)


def what(kind: str, name: str | None) -> str:
    """``track Order Completed``, ``identify``."""
    return f"{kind} {name}" if name and kind == "track" else kind


def who(event: LoggedEvent) -> str:
    """The user, or that nobody is known."""
    return event.user_id if event.user_id is not None else f"anonymous {event.anonymous_id}"


def fate_words(fate: Fate) -> str:
    """``sent (200)``, ``filtered (Track Event does not want it)``, ``waiting after 2 tries: …``."""
    if fate.state is Standing.FILTERED:
        return f"filtered ({_filtered(fate.filtered_by)})"
    if fate.state is Standing.REFUSED:
        return f"refused, a mapping cannot use it: {fate.detail}"
    if fate.state is Standing.WAITING:
        if not fate.attempts:
            return "waiting for an earlier event of this user"
        return f"waiting after {output.plural(fate.attempts, 'try')}: {fate.reason or fate.detail or fate.verdict}"
    if fate.state is Standing.PARKED:
        return f"parked: {fate.reason or fate.detail}"
    if fate.state is Standing.DROPPED:
        return f"not sent: {fate.detail or fate.verdict}"
    if fate.state is Standing.EARLIER:
        return "not forwarded: it was received before anything was"
    if fate.state is Standing.PAST:
        return "done with; how is no longer known"
    return f"{fate.state}{f' ({fate.status})' if fate.status else ''}"


def _filtered(by: Sequence[str]) -> str:
    if not by:
        return "no mapping wanted it"
    return f"{', '.join(by)} {'does' if len(by) == 1 else 'do'} not want it"
