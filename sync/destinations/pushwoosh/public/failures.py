"""For whom a bulk request failed, as far as its details tell: their form is documented nowhere.

A user who is told of in any unhappy way has failed. Where something failed, and it cannot be read for whom,
more are ``told`` of than are known: then nobody may be taken for done.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sync.destinations.answers import clean

DONE = frozenset({"done", "complete", "completed", "finished", "success", "successful", "succeeded", "ok", "processed"})
FAILED = frozenset({"failed", "failure", "error", "cancelled", "canceled", "rejected", "aborted", "expired"})

_UNHAPPY = re.compile(r"fail|error|reject|skip|invalid|unsuccess|not_?found", re.IGNORECASE)
"""The name of a member that holds what went wrong."""

_STATES = ("status", "state")
_WELL = DONE | {"updated", "set", "applied", "created", "accepted", "saved", "unchanged", "true", "200"}
"""What the state of one user may be called, where all is well; of a whole request some of these say that it has begun."""

_CODES = ("code", "status_code", "statusCode")
_GOOD_CODES = frozenset({"", "0", "200", "201", "202", "204"})
"""Not 210, which is Pushwoosh's for an argument that is wrong."""

_SENT = "tags"
"""The member that repeats what was sent: its names and values say nothing of how it went."""

_NOTHING = frozenset({"", "0", "none", "null", "no", "false", "ok", "200"})
"""Texts that tell of no failure where one might stand."""

_HAPPY = frozenset({"success", "successful", "succeeded", "ok"})
_NO = frozenset({"false", "no", "0"})
_COUNTS = ("success", "successful", "succeeded", "success_count", "processed")
_IDS = ("user_id", "userId", "hwid")
_REASONS = ("error", "errors", "message", "reason", "status_message", "status")
_NO_REASON = "no reason given"

_PLACE = re.compile(r"[0-9]{1,4}")
"""A key that may be a place in a list as well as a user."""

_DEEPEST = 12


def state_of(text: object) -> str:
    """The name of a state in one spelling."""
    return re.sub(r"[\s_-]", "", str(text)).lower()


def is_in_part(state: str) -> bool:
    """Whether the state says that it was done, but not for everybody."""
    return state.startswith(("completedwith", "partial"))


class Failures:
    """What is read of an answer: reasons ``by_user``."""

    def __init__(self, answer: Mapping[str, object], secrets: tuple[str, ...]) -> None:
        self.by_user: dict[str, str] = {}
        self._secrets = secrets
        self._told: float = max(int(is_in_part(state_of(answer.get("status")))), _left_over(answer))
        self._unread = False
        self._members({name: value for name, value in answer.items() if name != "status"}, 0)

    @property
    def told(self) -> float:
        """How many failed at least."""
        return max(self._told, len(self.by_user) + self._unread)

    def _members(self, found: Mapping[str, object], depth: int) -> None:
        for name, value in found.items():
            if name == _SENT:
                continue
            if _UNHAPPY.search(name):
                self._told = max(self._told, _count(value))
                self._failed(value, depth + 1)
            elif isinstance(value, dict | list):
                self._entries(value, depth + 1)
            elif _is_unhappy_member(name, value) or (value is False and depth > 0):
                self._unread = True

    def _entries(self, found: object, depth: int) -> None:
        """Of users who may be well."""
        if depth > _DEEPEST:
            self._unread = True
        elif isinstance(found, list):
            for entry in found:
                known = len(self.by_user)
                self._entries(entry, depth + 1)
                if len(self.by_user) == known and isinstance(entry, dict) and _user(entry) is None:
                    self._unread = self._unread or _is_unhappy(entry, 0)
        elif isinstance(found, dict):
            user = _user(found)
            if user is None:
                self._members(found, depth)
            elif _is_unhappy(found, 0):
                self._add(user, found)

    def _failed(self, found: object, depth: int) -> None:
        """Of users who have all failed: a list of them, or reasons by user."""
        if depth > _DEEPEST:
            self._unread = True
        elif isinstance(found, list):
            for entry in found:
                if isinstance(entry, str) and entry:
                    self._add(entry, None)
                elif entry and isinstance(entry, dict | list):
                    self._failed(entry, depth + 1)
                else:
                    self._unread = True
        elif isinstance(found, dict):
            user = _user(found)
            if user is not None:
                self._add(user, found)
                return
            self._unread = self._unread or any(_PLACE.fullmatch(key) for key in found)
            for key, told in found.items():
                if told not in (None, 0, "", [], {}):
                    self._add(key, told)

    def _add(self, user: str, told: object) -> None:
        self.by_user[user] = clean(_reason(told), self._secrets) or _NO_REASON


def _user(entry: Mapping[str, object]) -> str | None:
    """Of whom an entry speaks."""
    for name in _IDS:
        found = entry.get(name)
        if isinstance(found, str) and found:
            return found
        if isinstance(found, int) and not isinstance(found, bool):
            return str(found)
    return None


def _is_unhappy(found: object, depth: int) -> bool:
    """Whether anything in an entry says that it failed."""
    if depth > _DEEPEST:
        return True
    if isinstance(found, list):
        return any(_is_unhappy(each, depth + 1) for each in found)
    if isinstance(found, dict):
        members = [(name, value) for name, value in found.items() if name != _SENT]
        return any(_is_unhappy_member(name, value) or _is_unhappy(value, depth + 1) for name, value in members)
    return False


def _is_unhappy_member(name: str, value: object) -> bool:
    if _UNHAPPY.search(name):
        return bool(value) and not (isinstance(value, str) and state_of(value) in _NOTHING)
    if name in _CODES:
        return not isinstance(value, dict | list) and value is not None and str(value) not in _GOOD_CODES
    if name in _HAPPY:
        return value == 0 or state_of(value) in _NO
    state = state_of(value) if isinstance(value, str) else ""
    if name in _STATES:
        return value not in (None, "", True, 200) and state not in _WELL
    return state in FAILED or is_in_part(state)


def _count(value: object) -> float:
    """How many failed, of a member whose name says that they did."""
    if isinstance(value, int | float):
        return value
    if isinstance(value, str) and state_of(value) not in _NOTHING:
        return int(value[:9]) if value.isascii() and value.isdigit() else 1
    return 0


def _left_over(answer: Mapping[str, object]) -> float:
    """How many of all are not among those that went well, where both are counted."""
    everybody = answer.get("total")
    well = next((answer[name] for name in _COUNTS if isinstance(answer.get(name), int | float)), None)
    return everybody - well if isinstance(everybody, int | float) and isinstance(well, int | float) else 0


def _reason(told: object) -> str:
    """Why it failed, for people."""
    if isinstance(told, dict):
        return next((text for name in _REASONS if (text := _reason(told.get(name)))), "")
    if isinstance(told, list):
        return ", ".join(each for each in told if isinstance(each, str))
    return told if isinstance(told, str) else ""
