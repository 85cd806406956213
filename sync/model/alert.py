"""Alerts: what is watched, and when a state counts as changed. Nobody hears of a state twice, nor of one that was not.

Everything here is said by names of the configuration, counts and instants, and in sentences of our own. What a source
or a destination answered is never repeated: it may hold a trait's value or a user's id.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class AlertKind(StrEnum):
    """What can be wrong. Destinations can be down, have parked users or events, and refuse deletions; definitions can fail,
    have held exits, and read tables that do not keep their promise."""

    DESTINATION_DOWN = "destination_down"
    DEFINITION_FAILING = "definition_failing"
    GUARD_HELD = "guard_held"
    PARKED_ABOVE = "parked_above"
    DELETION_REFUSED = "deletion_refused"
    REFRESH_BROKEN = "refresh_broken"


_OF_DESTINATIONS = (AlertKind.DESTINATION_DOWN, AlertKind.PARKED_ABOVE, AlertKind.DELETION_REFUSED)


class AlertState(StrEnum):
    """Of one alert; one that was never stored counts as resolved."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Observed:
    """What the store says now, of the destinations and definitions (by key) that are configured and switched on.

    ``breakers``: state and reason of those that were ever reported. ``parked``: users, where there are any; ``parked_events``
    likewise. ``failed``: the instants of ticks that failed for good, where no run has been recorded since.
    ``held``: exits, where the newest recorded run holds some. ``refused_deletions``: users, where there are any.
    ``missed``: users whom incremental runs had missed, where nobody has acknowledged it.
    """

    breakers: Mapping[str, tuple[str, str]]
    parked: Mapping[str, int]
    failed: Mapping[str, datetime]
    held: Mapping[str, int]
    parked_events: Mapping[str, int] = field(default_factory=dict)
    refused_deletions: Mapping[str, int] = field(default_factory=dict)
    missed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subject:
    """What one alert is about: a destination by its name, or a definition by its key."""

    kind: AlertKind
    name: str

    @property
    def noun(self) -> str:
        """``destination`` or ``definition``."""
        return "destination" if self.kind in _OF_DESTINATIONS else "definition"

    def named_for(self, receiver: str) -> str:
        """What the store calls this alert of one receiver, each of whom is told by themselves."""
        return f"{receiver}:{self.kind}:{self.name}"


def named(name: str) -> tuple[str, Subject]:
    """The receiver and the subject behind a name that the store gave."""
    receiver, kind, subject = name.split(":", 2)
    return receiver, Subject(AlertKind(kind), subject)


@dataclass(frozen=True, slots=True)
class Finding:
    """How one subject is. ``state`` is ``None`` where that cannot be told now; ``detail`` is the rest of a sentence
    that begins with the subject."""

    state: AlertState | None
    detail: str


@dataclass(frozen=True, slots=True)
class Watch:
    """What somebody wants to hear of."""

    kinds: frozenset[AlertKind]
    parked_above: int


def judge(
    observed: Observed, watch: Watch, *, destinations: Iterable[str], definitions: Iterable[str]
) -> dict[Subject, Finding]:
    """How everything watched is now."""
    found: dict[Subject, Finding] = {}
    for name in destinations:
        found[Subject(AlertKind.DESTINATION_DOWN, name)] = _down(*observed.breakers.get(name, ("closed", "")))
        parked = (observed.parked.get(name, 0), observed.parked_events.get(name, 0))
        found[Subject(AlertKind.PARKED_ABOVE, name)] = _parked(*parked, watch.parked_above)
        found[Subject(AlertKind.DELETION_REFUSED, name)] = _undeleted(observed.refused_deletions.get(name, 0))
    for key in definitions:
        found[Subject(AlertKind.DEFINITION_FAILING, key)] = _failing(key, observed.failed.get(key))
        found[Subject(AlertKind.GUARD_HELD, key)] = _held(key, observed.held.get(key, 0))
        found[Subject(AlertKind.REFRESH_BROKEN, key)] = _broken(observed.missed.get(key, 0))
    return {subject: finding for subject, finding in found.items() if subject.kind in watch.kinds}


def changes(firing: Collection[Subject], found: Mapping[Subject, Finding]) -> Iterator[tuple[Subject, AlertState, str]]:
    """What is to be told: the state and detail of every subject whose state is another than the one stored.

    A subject that is ``firing`` and is not watched any more is resolved: whoever was alarmed must not wait for ever.
    """
    for subject, finding in found.items():
        stored = AlertState.FIRING if subject in firing else AlertState.RESOLVED
        if finding.state is not None and finding.state is not stored:
            yield subject, finding.state, finding.detail
    for subject in firing:
        if subject not in found:
            yield subject, AlertState.RESOLVED, "is not watched any more: the configuration changed"


def _down(breaker: str, reason: str) -> Finding:
    if breaker == "open":
        detail = f"is down ({own_words(reason)}): only a probe is sent now and then, what is owed stays owed"
        return Finding(AlertState.FIRING, detail)
    if breaker == "closed":
        return Finding(AlertState.RESOLVED, "takes requests again")
    return Finding(None, "is being probed")


def _parked(users: int, events: int, above: int) -> Finding:
    """Both count, for nobody looks after either; each is named, for they are looked after by different commands."""
    state = AlertState.FIRING if users + events > above else AlertState.RESOLVED
    told = [f"{number} parked {noun}{'' if number == 1 else 's'}" for number, noun in _named(users, events)]
    return Finding(state, f"has {' and '.join(told)}, and the limit is {above}")


def _named(users: int, events: int) -> Iterator[tuple[int, str]]:
    if users or not events:
        yield users, "user"
    if events:
        yield events, "event"


def _undeleted(users: int) -> Finding:
    if not users:
        return Finding(AlertState.RESOLVED, "has no refused deletion any more")
    who = f"{users} user{'' if users == 1 else 's'} who {'was' if users == 1 else 'were'} forgotten"
    return Finding(AlertState.FIRING, f"refuses to delete {who}, see `engage-sync status`")


def _failing(key: str, instant: datetime | None) -> Finding:
    if instant is None:
        return Finding(AlertState.RESOLVED, "works again: a run was recorded")
    when = f"{instant:%Y-%m-%d %H:%M:%S} UTC"
    return Finding(AlertState.FIRING, f"failed: its run for {when} is not tried again, see `engage-sync runs {key}`")


def _held(key: str, exits: int) -> Finding:
    if not exits:
        return Finding(AlertState.RESOLVED, "holds no exits back any more")
    detail = f"holds {exits} exits back until somebody decides, see `engage-sync plan {key}`"
    return Finding(AlertState.FIRING, detail)


def _broken(missed: int) -> Finding:
    if not missed:
        return Finding(AlertState.RESOLVED, "is refreshed by what has changed again")
    who = f"{missed} change{'' if missed == 1 else 's'}"
    return Finding(AlertState.FIRING, f"had missed {who} and is refreshed in full until somebody acknowledges it")


_OWN_WORDS = re.compile(
    r"(a probe failed: |\d+ failures in a row, the last: )?"
    r"(\d{3}(?= |$)|[A-Z]\w+(Error|Timeout)\b|no (whole answer|connection) within [\d.]+ s$)"
    r"|\d+ of the last \d+ exchanges failed$"
    r"|\d+ users refused in a row, none accepted$"
)


def own_words(reason: str) -> str:
    """The part of a breaker's reason that is surely ours: counts, the HTTP status, the kind of network trouble."""
    match = _OWN_WORDS.match(reason)
    return match[0] if match else "see `engage-sync status`"
