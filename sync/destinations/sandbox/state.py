"""What the sandbox has received: users, requests, complaints and exact counters. No locks, no clock, no I/O."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import orjson

from sync.destinations.sandbox.bulk import Jobs
from sync.destinations.sandbox.meaning import Meaning, Profile
from sync.destinations.sandbox.tags import Tags
from sync.destinations.sandbox.validation import JsonObject

HISTORY_LIMIT = 100
"""Profile requests, and events, kept for each user."""

COMPLAINT_LIMIT = 1_000
"""Complaints kept; their number stays exact."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived. ``seq`` counts from 1 in order of arrival.

    ``user_id`` is the user it is about, ``None`` when there is none or several. ``status`` is the HTTP status decided on, ``None`` when no HTTP answer goes out; ``fault`` the fault behind it.
    ``body`` is the parsed body, or ``None`` when it was invalid or bodies are not kept.
    """

    seq: int
    time: datetime
    path: str
    user_id: str | None
    status: int | None
    body: JsonObject | None
    fault: str | None


@dataclass(frozen=True, slots=True)
class Complaint:
    """A request that a correct client would not have sent; ``str()`` is its one line."""

    seq: int
    time: datetime
    path: str
    status: int
    message: str

    def __str__(self) -> str:
        return f"request {self.seq} {self.path}: {self.status} {self.message}"


@dataclass(slots=True)
class User:
    """What one user has now: ``properties`` has the shape of a request's body without ``user_id``."""

    properties: JsonObject
    attributes: JsonObject
    accepted: int = 0

    def merge(self, body: JsonObject, skipped: frozenset[str]) -> bool:
        """Take over what ``body`` says, attribute by attribute; returns whether anything changed."""
        changed = self.accepted == 0
        for name, value in body.items():
            if name == "attributes" and isinstance(value, dict):
                kept = {key: item for key, item in value.items() if key not in skipped} if skipped else value
                changed |= _update(self.attributes, kept)
            elif name != "user_id" and name not in skipped:
                changed |= _update(self.properties, {name: value})
        self.accepted += 1
        return changed

    def snapshot(self) -> JsonObject:
        """A copy that later requests do not touch."""
        return {**self.properties, "attributes": dict(self.attributes)}


def _update(target: JsonObject, changes: JsonObject) -> bool:
    changed = False
    for name, value in changes.items():
        if name not in target or not _same(target[name], value):
            target[name] = value
            changed = True
    return changed


def _same(old: object, new: object) -> bool:
    # In Python 1 == True == 1.0; on the wire they differ.
    if isinstance(old, list | dict):
        return orjson.dumps(old) == orjson.dumps(new)
    return type(old) is type(new) and old == new


@dataclass(slots=True)
class Crowd:
    """How many requests are inside at once, overall and for one user."""

    inside: int = 0
    most: int = 0
    most_for_one_user: int = 0
    by_user: dict[str, int] = field(default_factory=dict)

    def enter(self) -> None:
        """A request's headers have arrived."""
        self.inside += 1
        self.most = max(self.most, self.inside)

    def recognise(self, users: tuple[str, ...]) -> None:
        """The request that entered is about these users."""
        for user_id in users:
            count = self.by_user.get(user_id, 0) + 1
            self.by_user[user_id] = count
            self.most_for_one_user = max(self.most_for_one_user, count)

    def leave(self, users: tuple[str, ...]) -> None:
        """The request was answered, or its client hung up."""
        self.inside -= 1
        for user_id in users:
            count = self.by_user.pop(user_id) - 1
            if count:
                self.by_user[user_id] = count


class State:
    """Everything received since the start or the last reset. The counters are exact; log and histories are bounded."""

    def __init__(self, log_limit: int, keep_bodies: bool, tags: Mapping[str, int] | None = None) -> None:
        self.log: deque[Request] = deque(maxlen=log_limit)
        self.complaints: deque[Complaint] = deque(maxlen=COMPLAINT_LIMIT)
        self.users: dict[str, User] = {}
        self.sent: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.crowd = Crowd()
        self.requests = self.accepted = self.refused = self.pings = self.duplicates = self.complained = 0
        self.event_count = self.deleted = 0
        self.jobs = Jobs()
        self.tags = Tags(tags)
        self.links: dict[str, str] = {}
        self._histories: dict[str, list[Request]] = {}
        self._events: deque[JsonObject] = deque(maxlen=log_limit)
        self._events_of: dict[str, deque[JsonObject]] = {}
        self._keep_bodies = keep_bodies

    def record(self, request: Request, profiles: Iterable[Profile], *, applied: bool) -> None:
        """Put a request into the log, the histories of those whose profiles it brings, and the counters."""
        self.statuses["none" if request.status is None else str(request.status)] += 1
        self.refused += not applied
        self.log.append(request if self._keep_bodies else replace(request, body=None))
        for profile in profiles:
            user_id = self.user_of(profile)
            if user_id is None:
                continue
            self.sent[user_id] += 1
            if self._keep_bodies:
                history = self._histories.setdefault(user_id, [])
                history.append(replace(request, user_id=user_id, body=profile.body))
                if len(history) > HISTORY_LIMIT:
                    del history[0]

    def user_of(self, profile: Profile) -> str | None:
        """Whom a profile is about: the user it names, else the one whose device it names."""
        if profile.user_id is not None or profile.device_id is None:
            return profile.user_id
        return self.links.get(profile.device_id)

    def complain(self, complaint: Complaint) -> None:
        """Keep a complaint."""
        self.complained += 1
        self.complaints.append(complaint)

    def apply(self, meaning: Meaning, skipped: frozenset[str], *, apart: frozenset[str] = frozenset()) -> None:
        """Accept what a request means, without the ``skipped`` attributes, and without the users set ``apart``."""
        self.pings += meaning.asks
        for profile in meaning.profiles:
            if profile.user_id not in apart:
                self._accept(self.user_of(profile), profile.body, skipped)
        for device_id, user_id in meaning.links:
            self.links[device_id] = user_id
            self.users.setdefault(user_id, User({}, {})).properties["device_id"] = device_id
        if meaning.events:
            self._happened(meaning.events)
        for user_id in meaning.deleted:
            self._delete(user_id)

    def _accept(self, user_id: str | None, body: JsonObject, skipped: frozenset[str]) -> None:
        """Accept a profile; without a user id (a device only) it is just counted."""
        self.accepted += 1
        if user_id is None:
            return
        user = self.users.get(user_id)
        if user is None:
            user = self.users[user_id] = User({}, {})
        if not user.merge(body, skipped):
            self.duplicates += 1

    def _delete(self, user_id: str) -> None:
        self.deleted += 1
        self.users.pop(user_id, None)
        self._histories.pop(user_id, None)
        self._events_of.pop(user_id, None)
        self.links = {device: user for device, user in self.links.items() if user != user_id}

    def _happened(self, events: Sequence[JsonObject]) -> None:
        self.event_count += len(events)
        if not self._keep_bodies:
            return
        self._events.extend(events)
        for event in events:
            user_id = event.get("user_id")
            if isinstance(user_id, str):
                self._events_of.setdefault(user_id, deque(maxlen=HISTORY_LIMIT)).append(event)

    def events(self, user_id: str | None = None) -> list[JsonObject]:
        """The newest accepted events, oldest first; of one user if one is given."""
        return list(self._events if user_id is None else self._events_of.get(user_id, ()))

    def history(self, user_id: str) -> list[Request]:
        """The newest profile requests about the user in order of arrival, whatever they were answered."""
        return list(self._histories.get(user_id, ()))

    def stats(self) -> dict[str, object]:
        """The counters, as ``GET /_sandbox/stats`` shows them."""
        return {
            "requests": self.requests,
            "accepted": self.accepted,
            "events": self.event_count,
            "refused": self.refused,
            "by_status": dict(self.statuses),
            "pings": self.pings,
            "users": len(self.users),
            "deleted": self.deleted,
            "duplicates": self.duplicates,
            "complaints": self.complained,
            "max_concurrent": self.crowd.most,
            "max_concurrent_per_user": self.crowd.most_for_one_user,
        }
