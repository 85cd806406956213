"""The shape of ``audiences``, ``traits`` and ``defaults``: what is asked, of which source, for whom and when."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field, model_validator

from sync.config import schedule
from sync.config.fields import Duration, Flag, Fraction, Interval, Key, Line, Words
from sync.config.section import Listed, Names, Section
from sync.model.definition import FULL_REFRESH, OnDelete

DEFAULT_SCHEDULE = "every 2 hours"

_AFTER = re.compile(r"after\s*:\s*(?P<name>.+)", re.DOTALL)


class ScheduleSection(Section):
    """When a definition is refreshed; exactly one of `every`, `cron`, `after`. A plain text is any of the three."""

    shorthand = "cron"
    shorthand_meaning = "`every N seconds|minutes|hours|days`, five cron fields, or `after: NAME`."
    every: Interval | None = Field(default=None, description="An interval, counted from 1970-01-01 00:00 UTC.")
    cron: Line | None = Field(
        default=None, description="Five fields: minute, hour, day, month, weekday (0 and 7 are Sunday)."
    )
    after: Line | None = Field(default=None, description="Name or key of the definition whose run this one follows.")
    timezone: Line | None = Field(default=None, description="IANA timezone in which `cron` is read; UTC when left out.")
    jitter: Duration | None = Field(default=None, description="Wait a random time up to this long after the instant.")
    catch_up: schedule.CatchUp = Field(
        default=schedule.CatchUp.LATEST, description="After a pause: run for the latest, or skip."
    )

    @classmethod
    def expand(cls, text: str) -> dict[str, Any]:
        text = text.strip()
        if text.startswith("every "):
            every = text.removeprefix("every ").strip()
            return {"every": every if every[:1].isdigit() else f"1 {every}"}
        if match := _AFTER.fullmatch(text):
            return {"after": match["name"].strip()}
        return {"cron": text}

    @model_validator(mode="after")
    def _one_form(self) -> ScheduleSection:
        if [self.every, self.cron, self.after].count(None) != 2:
            raise ValueError("needs exactly one of `every`, `cron` and `after`")
        if self.timezone and self.cron is None:
            raise ValueError("has a `timezone`, which only `cron` reads: remove it")
        if self.cron is not None:
            schedule.check_cron(self.cron, self.timezone or "UTC")
        return self


class DefaultsSection(Section):
    """What a definition uses when it does not say."""

    source: str | None = Field(default=None, description="Name of the source; else the only one there is.")
    destinations: Names | None = Field(default=None, description="Names of the destinations; else all of them.")
    schedule: ScheduleSection = Field(
        default_factory=lambda: ScheduleSection.model_validate(DEFAULT_SCHEDULE), description="When to refresh."
    )
    full_refresh: Duration = Field(
        default=FULL_REFRESH, description="After what time a `query` is evaluated for everybody again."
    )


class GuardSection(Section):
    """When exits are held instead of recorded."""

    max_exits: Fraction = Field(
        default=0.5, description="Hold exits beyond this share of the members, like `30%` or `0.3`."
    )


class TableSection(Section):
    """A membership table or view that someone else maintains."""

    name: Line = Field(description="Table or view, `schema.table` if need be.")
    user_id: Line = Field(description="Its column with the user id.")


class DefinitionSection(Section):
    """What audiences and traits have in common."""

    name: Line = Field(description="For people; the key is derived from it.")
    key: Key | None = Field(
        default=None, description="The identity; else the snake_cased name. Keep it when you rename."
    )
    source: str | None = Field(default=None, description="Name of the source; else `defaults.source`.")
    destinations: Names | None = Field(
        default=None, description="Names of the destinations; else `defaults.destinations`."
    )
    schedule: ScheduleSection | None = Field(default=None, description="When to refresh; else `defaults.schedule`.")
    full_refresh: Duration | None = Field(
        default=None, description="`query` only: when everybody is evaluated again; else `defaults.full_refresh`."
    )
    guard: GuardSection = Field(default_factory=GuardSection, description="When exits are held.")
    on_delete: OnDelete = Field(
        default=OnDelete.LEAVE, description="When taken out of the file: leave values, or clear them."
    )
    enabled: Flag = Field(default=True, description="Whether it is refreshed at all.")


class AudienceSection(DefinitionSection):
    """Who is a member; exactly one of `query`, `sql` and `table`."""

    query: Words | None = Field(
        default=None, description="Segment's query language; ends in a comparison, such as `.count() >= 1`."
    )
    sql: Words | None = Field(
        default=None, description="A SELECT that gives the column `user_id`, one row for each member."
    )
    table: TableSection | None = Field(default=None, description="A membership table or view.")
    enrichment: Annotated[list[Line], Listed] = Field(
        default_factory=list, alias="with", description="Columns sent along; a change in them alone sends nothing."
    )


class TraitSection(DefinitionSection):
    """One value for each user; exactly one of `query` and `sql`."""

    query: Words | None = Field(
        default=None, description="Segment's query language; ends in a value, such as `.sum(property('total'))`."
    )
    sql: Words | None = Field(
        default=None, description="A SELECT that gives the columns `user_id` and `value`, one row for each user."
    )
