"""When a definition is due. The one place that imports APScheduler, and only its triggers.

Instants are a pure function of the schedule: every daemon, on every host, computes the same ones, which lets the
store tell that a tick was already taken. Hence intervals are counted from 1970-01-01 00:00 UTC (``every 2 hours`` is
00:00, 02:00, …), and jitter is no part of an instant: who waits for it adds up to ``jitter`` seconds before starting.

APScheduler differs from cron in three ways that are undone here: it counts weekdays from Monday (cron: 0 and 7 are
Sunday), it wants day of month *and* weekday to fit (cron: either, when both are given), and a time of day that comes
twice when the clock is put back counts twice (cron: once).
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apscheduler.triggers.base import BaseTrigger  # type: ignore[import-untyped]

CATCH_UP_GRACE = timedelta(seconds=60)
"""With ``catch_up: skip``, an instant this recent still counts as on time."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_WEEKDAY_PART = re.compile(r"(?P<first>\w+|\*)(-(?P<last>\w+))?(/(?P<step>\d{1,2}))?", re.ASCII)
_FIELD = re.compile(r"[0-9a-z*,/-]+", re.ASCII | re.IGNORECASE)


class CatchUp(StrEnum):
    """What to do with instants that passed while nothing ran."""

    LATEST = "latest"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Schedule:
    """Exactly one of ``every`` (whole seconds), ``cron`` (five fields) and ``after`` (a definition's key) is set.

    ``timezone`` is the IANA name in which ``cron`` is read. ``jitter`` is the most seconds to wait after the instant.
    """

    every: float | None = None
    cron: str | None = None
    after: str | None = None
    timezone: str = "UTC"
    jitter: float = 0.0
    catch_up: CatchUp = CatchUp.LATEST

    def next_after(self, last: datetime | None, now: datetime) -> datetime | None:
        """The instant to run for, in UTC, given the last one taken; both arguments must know their timezone.

        Never at or before ``last``. At or before ``now`` is due: with ``catch_up: latest`` the latest of those missed,
        with ``skip`` none of them except one within the grace. Without ``last``, the first from ``now`` on.
        ``None`` for ``after:`` schedules, which follow another definition's run instead of the clock.
        """
        if self.after is not None:
            return None
        if last is None:
            return self._first(now)
        # Instants are whole seconds; where a configuration was announced within one, the very next one counts.
        due = self._first(last.replace(microsecond=0) + _SECOND)
        if due is None or due > now:
            return due
        due = self._latest(due, now)
        if self.catch_up is CatchUp.SKIP and now - due > CATCH_UP_GRACE:
            return self._first(now)
        return due

    def _first(self, instant: datetime) -> datetime | None:
        """The first instant at or after ``instant``."""
        trigger = _interval(self.every) if self.every is not None else cron_trigger(self.cron or "", self.timezone)
        fire: datetime | None = trigger.get_next_fire_time(None, instant.astimezone(UTC))
        while fire is not None and fire.fold and self._names_a_time:
            fire = trigger.get_next_fire_time(None, fire.astimezone(UTC) + _SECOND)
        return fire.astimezone(UTC) if fire else None

    @property
    def _names_a_time(self) -> bool:
        """Whether cron's minute and hour are given: then an hour that the clock repeats counts once, as cron has it."""
        return self.cron is not None and not any(field.startswith("*") for field in self.cron.split()[:2])

    def _latest(self, due: datetime, now: datetime) -> datetime:
        """The last instant at or before ``now``, found by halving: a host may have been off for a year of minutes."""
        resolution = timedelta(seconds=self.every) if self.every is not None else timedelta(minutes=1)
        beyond = now + _SECOND
        while beyond - due > resolution:
            middle = due + (beyond - due) / 2
            fire = self._first(middle)
            if fire is None or fire > now:
                beyond = middle
            else:
                due = fire
        return due


@lru_cache(maxsize=256)
def _interval(seconds: float) -> BaseTrigger:
    from apscheduler.triggers.interval import IntervalTrigger  # type: ignore[import-untyped]

    return IntervalTrigger(seconds=int(seconds), start_date=_EPOCH, timezone=UTC)


@lru_cache(maxsize=256)
def cron_trigger(expression: str, timezone: str) -> BaseTrigger:
    """The trigger for five cron fields. Raises ``ValueError`` with a sentence that does not repeat the fields."""
    from apscheduler.triggers.combining import OrTrigger  # type: ignore[import-untyped]
    from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped]

    fields = expression.split()
    if len(fields) != 5 or not all(_FIELD.fullmatch(field) for field in fields):
        raise ValueError(
            "must be `every N seconds|minutes|hours|days`, five cron fields like `0 9 * * 1`, or `after: NAME`"
        )
    minute, hour, day, month, weekday = fields
    weekday = weekdays(weekday)
    choices = [(day, weekday)]
    if not day.startswith("*") and not fields[4].startswith("*"):
        choices = [(day, "*"), ("*", weekday)]
    zone = time_zone(timezone)
    try:
        triggers = [
            CronTrigger(month=month, day=day, day_of_week=weekday, hour=hour, minute=minute, timezone=zone)
            for day, weekday in choices
        ]
    except (ValueError, TypeError) as error:
        raise ValueError(
            "is not a cron expression: five fields, minute hour day month weekday, each in its range"
        ) from error
    return triggers[0] if len(triggers) == 1 else OrTrigger(triggers)


def check_cron(expression: str, timezone: str) -> None:
    """Raises ``ValueError`` with a sentence when ``expression`` cannot be read or never comes."""
    if cron_trigger(expression, timezone).get_next_fire_time(None, datetime(2024, 1, 1, tzinfo=UTC)) is None:
        raise ValueError("never comes: there is no such day in any year")


def time_zone(name: str) -> tzinfo:
    """The timezone of an IANA name. Raises ``ValueError`` with a sentence when it is not known on this host."""
    if name == "UTC":  # known even where no timezone database is installed
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("must be an IANA timezone known on this host, like `Europe/Oslo`") from error


def weekdays(field: str) -> str:
    """Cron's weekday field (0 and 7 are Sunday) in APScheduler's names, so that no number is left to misread."""
    if field == "*":
        return field
    chosen: set[int] = set()
    for part in field.lower().split(","):
        chosen.update(_weekday_part(part))
    return ",".join(name for number, name in enumerate(_WEEKDAYS) if number in chosen)


def _weekday_part(part: str) -> Iterable[int]:
    match = _WEEKDAY_PART.fullmatch(part)
    if match is None:
        raise ValueError("has a weekday that cannot be read: use 0-7 (0 and 7 are Sunday) or mon, tue, wed, …")
    step = int(match["step"] or 1)
    if match["first"] == "*":
        first, last = 0, 6
    else:
        first = _weekday(match["first"])
        last = _weekday(match["last"]) if match["last"] else (6 if match["step"] else first)
    if last == 0 < first:  # `fri-sun`, and `5-0` as some write it
        last = 7
    if step == 0 or first > last:
        raise ValueError("has weekdays in the wrong order or a step of 0: write them from small to large")
    return {number % 7 for number in range(first, last + 1, step)}


def _weekday(text: str) -> int:
    if text in _WEEKDAYS:
        return _WEEKDAYS.index(text)
    if text.isdigit() and int(text) <= 7:
        return int(text)
    raise ValueError("has a weekday that does not exist: use 0-7 (0 and 7 are Sunday) or mon, tue, wed, …")
