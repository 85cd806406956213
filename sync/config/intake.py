"""The shape of ``sources`` and ``collector``: where users and events come from."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from sync.config import listen
from sync.config.fields import (
    Duration,
    Interval,
    Lateness,
    Line,
    Listen,
    Name,
    SourceUrl,
    Start,
    WebhookSecret,
    WriteKey,
)
from sync.config.section import Section
from sync.model.feed import LATENESS, Forward
from sync.model.received import LONGEST_NAME

DEFAULT_COLLECTOR = "127.0.0.1:8080"

_FORWARD = Forward()


class TraitsColumnSection(Section):
    """The one JSON column that holds all traits. A plain text is the `column`."""

    shorthand = "column"
    shorthand_meaning = "Short for `column`."
    column: Line = Field(description="The column's name.")


class ProfilesSection(Section):
    """A table or view with one row for each person."""

    table: Line = Field(description="Table or view, `schema.table` if need be.")
    user_id: Line = Field(description="Its column with the user id.")
    cursor: Line | None = Field(default=None, description="Its column that tells which rows have changed.")
    lateness: Lateness = Field(default=LATENESS, description="How late a row may appear below the newest cursor.")
    traits: TraitsColumnSection | None = Field(
        default=None, description="Its column with all traits as JSON; else every other column is a trait."
    )


class ForwardSection(Section):
    """Where the sending on of new rows begins, and how often they are looked for. A plain `true` is all defaults."""

    start: Start = Field(
        default=None,
        alias="from",
        description="The cursor of the first row to send, or `beginning`; from now on when left out.",
    )
    every: Interval = Field(default=_FORWARD.every, description="How often new rows are looked for.")


def _switched(value: object) -> object:
    """``forward: true`` and ``forward: false``."""
    word = value.strip().lower() if isinstance(value, str) else value
    if word is True or word == "true":
        return {}
    if word is False or word == "false":
        return None
    if isinstance(value, dict):
        return value
    raise ValueError("must be true, false, or a mapping like `{from: beginning}`")


def _or_flag(schema: dict[str, Any]) -> None:
    schema["anyOf"].append({"type": "boolean"})


class EventsSection(Section):
    """A table or view whose rows are events: all of one name (`event`), or each of its own (`name`)."""

    table: Line = Field(description="Table or view, `schema.table` if need be.")
    event: Line | None = Field(default=None, description="What its events are called.")
    name: Line | None = Field(default=None, description="Its column with the event's name, instead of `event`.")
    user_id: Line = Field(description="Its column with the user id.")
    timestamp: Line = Field(description="Its column that says when it happened.")
    properties: Line | None = Field(
        default=None, description="Its column with all properties as JSON; else every other column is a property."
    )
    cursor: Line | None = Field(
        default=None, description="Its column that grows with every row: a promise that rows are only ever appended."
    )
    lateness: Lateness = Field(default=LATENESS, description="How late a row may appear below the newest cursor.")
    forward: Annotated[ForwardSection | None, BeforeValidator(_switched)] = Field(
        default=None, description="Whether new rows are sent on as events, and from where.", json_schema_extra=_or_flag
    )

    @model_validator(mode="after")
    def _fits(self) -> EventsSection:
        if (self.event is None) == (self.name is None):
            raise ValueError(
                "needs exactly one of `event`, what its events are called, and `name`, the column that says so"
            )
        if self.event is not None and len(self.event.encode()) > LONGEST_NAME:
            raise ValueError(f"has an `event` that is longer than {LONGEST_NAME} bytes: shorten it")
        if self.forward is not None and self.cursor is None:
            raise ValueError("has a `forward` without a `cursor`: name the column that grows with every row")
        return self


class SourceSection(Section):
    """One of the customer's databases; opened read-only. A plain text is the `url`."""

    shorthand = "url"
    url: SourceUrl = Field(description="SQLite, PostgreSQL, DuckDB, MySQL or MariaDB, as a SQLAlchemy URL.")
    statement_timeout: Duration = Field(default=300.0, description="The longest one statement may run.")
    profiles: ProfilesSection | None = Field(default=None, description="The table with one row for each person.")
    events: list[EventsSection] = Field(default_factory=list, description="The tables whose rows are events.")
    layout: Literal["segment"] | None = Field(
        default=None,
        description="`segment`: the tables that Segment or RudderStack fills, instead of `profiles` and `events`.",
    )
    schema_name: Line | None = Field(
        default=None,
        alias="schema",
        description="The schema that they are in; else where the connection looks names up.",
    )
    lateness: Lateness | None = Field(default=None, description="How late rows of `layout: segment` may be loaded.")

    @model_validator(mode="after")
    def _one_way(self) -> SourceSection:
        told = [key for key, given in (("profiles", self.profiles), ("events", self.events)) if given]
        if self.layout is not None and told:
            raise ValueError(f"has `layout` beside {' and '.join(f'`{key}`' for key in told)}: keep one of the two")
        only = [key for key, given in (("schema", self.schema_name), ("lateness", self.lateness)) if given is not None]
        if self.layout is None and only:
            raise ValueError(f"has `{only[0]}` without `layout: segment`, which alone reads it: add that, or remove it")
        scheme = self.url.get_secret_value().partition("://")[0].partition("+")[0]
        if scheme not in ("sqlite", "postgresql") and any(each.forward for each in self.events):
            raise ValueError("has a `forward`, which SQLite and PostgreSQL alone can do: remove it")
        return self


class WebhookSection(Section):
    """Somebody who posts events to `/v1/webhook/NAME`."""

    secret: WebhookSecret = Field(
        default=None, description="Key of the `X-Signature` that every post must carry; left out, none is wanted."
    )


class CollectorSection(Section):
    """The HTTP API that Segment's and RudderStack's SDKs post events to."""

    listen: Listen = Field(
        default_factory=lambda: listen.parse(DEFAULT_COLLECTOR),
        description="HOST:PORT, port 0 = a free one, or `off`.",
    )
    keys: dict[Name, WriteKey] = Field(
        default_factory=dict, description="Write keys by name; the name is the source of what comes in by the key."
    )
    webhooks: dict[Name, WebhookSection] = Field(
        default_factory=dict, description="Who may post to `/v1/webhook/NAME`, by name."
    )

    @model_validator(mode="after")
    def _open_to_somebody(self) -> CollectorSection:
        if not self.keys and not self.webhooks:
            raise ValueError("has neither `keys` nor `webhooks`, so nobody could post anything: add a write key")
        return self
