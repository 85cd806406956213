"""The shape of ``sync.yaml``: one model a section, with every key's type, default and meaning.

These models say what one section may contain. What holds *between* keys and sections is checked in ``references``.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    WithJsonSchema,
    model_validator,
)

from sync.config import listen, schedule
from sync.config.fields import (
    ActionName,
    AlertUrl,
    BaseUrl,
    Count,
    Duration,
    Fields,
    Flag,
    Fraction,
    HeaderSecret,
    HeaderText,
    Interval,
    Key,
    Line,
    Listen,
    Name,
    NoAnswer,
    NoModel,
    PlainFlag,
    Rate,
    Secret,
    SourceUrl,
    StoreUrl,
    Token,
    Words,
)
from sync.model.alert import AlertKind
from sync.model.definition import OnDelete
from sync.model.delivery import DeliverySettings
from sync.model.identify import IdentifyPer

DEFAULT_STORE = "sqlite:///engage-sync.db"
DEFAULT_BASE_URL = "https://integration-segment.svc-nue.pushwoosh.com"
DEFAULT_SCHEDULE = "every 2 hours"
DEFAULT_WEB = "127.0.0.1:9464"
DAY = 86_400.0
MOST_MAPPINGS = 50
"""Of one destination, as in Segment."""

_AFTER = re.compile(r"after\s*:\s*(?P<name>.+)", re.DOTALL)
_NUMBERS = DeliverySettings()


class Section(BaseModel):
    """A mapping of known keys. A key without a value counts as left out."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    shorthand: ClassVar[str | None] = None
    """The key that a plain text instead of the mapping stands for."""

    shorthand_meaning: ClassVar[str] = "Short for the `url`."

    @model_validator(mode="before")
    @classmethod
    def _normalise(cls, data: Any) -> Any:
        if isinstance(data, str) and cls.shorthand:
            data = cls.expand(data)
        if not isinstance(data, dict):
            return data
        known = key_names(cls)
        return {key: value for key, value in data.items() if value is not None or key not in known}

    @classmethod
    def expand(cls, text: str) -> dict[str, Any]:
        """The mapping that ``text`` is short for."""
        return {str(cls.shorthand): text}


def key_names(section: type[BaseModel]) -> list[str]:
    """The keys of a section as they are written in the file."""
    return [field.alias or name for name, field in section.model_fields.items()]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Names = Annotated[
    list[str],
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class StoreSection(Section):
    """The engine's own database. A plain text is the `url`."""

    shorthand = "url"
    url: StoreUrl = Field(default=SecretStr(DEFAULT_STORE), description="`sqlite:///FILE` or `postgresql://…`.")
    schema_name: str | None = Field(
        default=None, alias="schema", description="PostgreSQL schema that holds all tables."
    )


class SourceSection(Section):
    """One of the customer's databases; opened read-only. A plain text is the `url`."""

    shorthand = "url"
    url: SourceUrl = Field(description="SQLite or PostgreSQL, as a SQLAlchemy URL.")
    statement_timeout: Duration = Field(default=300.0, description="The longest one statement may run.")


class LimitsSection(Section):
    """How fast and how long to send to one destination."""

    rate: Rate = Field(default=None, description="Requests per second, or like `600/minute`; `none` is no limit.")
    concurrency: Count = Field(default=_NUMBERS.concurrency, ge=1, le=1000, description="The most requests in flight.")
    deadline: Duration = Field(default=_NUMBERS.deadline, description="Total time for one request and its answer.")
    lease: Duration = Field(
        default=_NUMBERS.lease, description="How long a claimed user is held, over 1 s more than `deadline`."
    )
    quiet_period: Duration = Field(
        default=_NUMBERS.quiet_period, description="Wait before an ambiguous send is confirmed."
    )


class RetrySection(Section):
    """How long to keep trying to deliver to one user; parked only when both window and attempts are used up."""

    window: Duration = Field(default=_NUMBERS.retry_window, description="Keep trying for at least this long.")
    attempts: Count = Field(
        default=_NUMBERS.retry_attempts, ge=1, le=1000, description="Keep trying at least this many times."
    )
    longest_delay: Duration = Field(
        default=_NUMBERS.longest_delay, description="The longest wait between two attempts."
    )


class MappingSection(Section):
    """One of Segment's mappings, as Segment's screens or its Public API have it."""

    name: Line | None = Field(default=None, description="For people; else the name of the action's preset.")
    enabled: PlainFlag = Field(default=True, description="Whether it is used; it is checked in any case.")
    subscribe: Words | None = Field(
        default=None, description="The trigger: which events it takes; else that of the action's preset."
    )
    trigger: Words | None = Field(default=None, description="The Public API's name of `subscribe`.")
    partner_action: ActionName | None = Field(
        default=None, alias="partnerAction", description="What is sent: `updateUserProfile` or `trackEvent`."
    )
    action: ActionName | None = Field(default=None, description="Short for `partnerAction`.")
    action_slug: ActionName | None = Field(
        default=None, alias="actionSlug", description="The Public API's name of `partnerAction`."
    )
    mapping: Fields | None = Field(
        default=None, description="What each field of the action gets; else the action's default mapping."
    )
    settings: Fields | None = Field(default=None, description="The Public API's name of `mapping`.")
    segment_id: Any = Field(default=None, alias="id", description="Segment's own; not used.")
    action_id: Any = Field(default=None, alias="actionId", description="Segment's own; not used.")
    destination_id: Any = Field(default=None, alias="destinationId", description="Segment's own; not used.")
    created_at: Any = Field(default=None, alias="createdAt", description="Segment's own; not used.")
    updated_at: Any = Field(default=None, alias="updatedAt", description="Segment's own; not used.")
    reverse_etl: NoModel = Field(default=None, alias="modelId", description="Must be empty: not for Reverse ETL.")
    model_schedule: NoModel = Field(default=None, alias="reverseETLSchedule", description="As `modelId`.")
    reverse_etl_schedule: NoModel = Field(default=None, description="As `modelId`.")


class PushwooshSection(Section):
    """A Pushwoosh application to keep up to date."""

    type: Literal["pushwoosh"] = Field(description="The kind of destination.")
    api_key: HeaderSecret = Field(description="Pushwoosh API access token.")
    app_code: HeaderText = Field(description="Pushwoosh application code, like `XXXXX-XXXXX`.")
    transport: Literal["segment-integration"] = Field(
        default="segment-integration", description="Which of the APIs to speak."
    )
    base_url: BaseUrl = Field(default=DEFAULT_BASE_URL, description="Another host; https, or http to this host only.")
    mappings: Annotated[list[MappingSection], NoAnswer] = Field(
        default_factory=list,
        description="Segment's mappings: which events are sent, and as what; else its two presets.",
        json_schema_extra={"maxItems": MOST_MAPPINGS},
    )
    identify_per: IdentifyPer | None = Field(
        default=None,
        description="One call with all that is owed to a user, or one for each computation; else what mappings need.",
    )
    limits: LimitsSection = Field(default_factory=LimitsSection, description="How fast and how long to send.")
    retry: RetrySection = Field(default_factory=RetrySection, description="How long to keep trying.")


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
    guard: GuardSection = Field(default_factory=GuardSection, description="When exits are held.")
    on_delete: OnDelete = Field(
        default=OnDelete.LEAVE, description="When taken out of the file: leave values, or clear them."
    )
    enabled: Flag = Field(default=True, description="Whether it is refreshed at all.")


class AudienceSection(DefinitionSection):
    """Who is a member; exactly one of `sql` and `table`."""

    sql: Words | None = Field(
        default=None, description="A SELECT that gives the column `user_id`, one row for each member."
    )
    table: TableSection | None = Field(default=None, description="A membership table or view instead of `sql`.")
    enrichment: Annotated[list[Line], BeforeValidator(_listed)] = Field(
        default_factory=list, alias="with", description="Columns sent along; a change in them alone sends nothing."
    )


class TraitSection(DefinitionSection):
    """One value for each user."""

    sql: Words = Field(description="A SELECT that gives the columns `user_id` and `value`, one row for each user.")


class WebSection(Section):
    """Health and metrics of the daemon. A plain text is `listen`."""

    shorthand = "listen"
    shorthand_meaning = "Short for `listen`."
    listen: Listen = Field(
        default_factory=lambda: listen.parse(DEFAULT_WEB),
        description="HOST:PORT, port 0 = a free one, or `off`.",
    )
    token: Token = Field(
        default=None, description="What `Authorization: Bearer` must carry; required where others can connect."
    )

    @model_validator(mode="before")
    @classmethod
    def _switched_off(cls, data: Any) -> Any:
        return {"listen": data} if data is False else data  # `web: off`


class RetentionSection(Section):
    """How long what happened is kept; what is still owed, and what was decided, is never thrown away by age."""

    runs: Duration = Field(default=90 * DAY, description="Runs; the newest of each definition stay.")
    attempts: Duration = Field(default=7 * DAY, description="What was sent to whom, and answered.")
    events: Duration = Field(default=400 * DAY, description="Events; used from the collector on, there are none yet.")


class AlertSection(Section):
    """Somebody who is told when something goes wrong, and when it is right again."""

    type: Literal["webhook", "slack"] = Field(
        description="Signed JSON, or Slack's `text` (Mattermost and others read it too)."
    )
    url: AlertUrl = Field(description="Where to post; https, or http to this host only. Counts as a secret.")
    secret: Secret | None = Field(default=None, description="Key of the signature; `webhook` only, and required there.")
    on: Annotated[list[AlertKind], BeforeValidator(_listed)] = Field(
        default_factory=lambda: list(AlertKind), description="What to tell; else everything."
    )
    parked_above: Count | None = Field(
        default=None, ge=0, description="So many parked users at one destination are no alert; 0 when left out."
    )

    @model_validator(mode="after")
    def _fits(self) -> AlertSection:
        if not self.on:
            raise ValueError("has an empty `on`: name what to tell, or leave it out for everything")
        if self.type == "webhook" and self.secret is None:
            raise ValueError("has no `secret` to sign with: add one, and check the signature where it arrives")
        if self.type == "slack" and self.secret is not None:
            raise ValueError("has a `secret`, which `slack` does not use: remove it")
        if self.parked_above is not None and AlertKind.PARKED_ABOVE not in self.on:
            raise ValueError("has a `parked_above`, but `on` does not ask for it: add it there, or remove it here")
        return self


def _different(alerts: list[AlertSection]) -> list[AlertSection]:
    seen: dict[tuple[str, str], int] = {}
    for index, alert in enumerate(alerts):
        first = seen.setdefault((alert.type, alert.url.get_secret_value()), index)
        if first != index:
            raise ValueError(f"has the same type and address at [{first}] and [{index}]: make one of the two")
    return alerts


class Document(Section):
    """The whole of `sync.yaml`."""

    version: Literal[1] = Field(description="Version of this format; always 1.")
    project: Name = Field(default="default", description="A store belongs to one project.")
    store: StoreSection = Field(default_factory=StoreSection, description="The engine's own database.")
    sources: dict[Name, SourceSection] = Field(default_factory=dict, description="The customer's databases, by name.")
    destinations: dict[Name, PushwooshSection] = Field(default_factory=dict, description="Where to send, by name.")
    defaults: DefaultsSection = Field(default_factory=DefaultsSection, description="What definitions use if silent.")
    web: WebSection = Field(default_factory=WebSection, description="Health and metrics of the daemon.")
    audiences: list[AudienceSection] = Field(default_factory=list, description="Who is a member of what.")
    traits: list[TraitSection] = Field(default_factory=list, description="Computed traits: one value for each user.")
    retention: RetentionSection = Field(default_factory=RetentionSection, description="How long history is kept.")
    alerts: Annotated[list[AlertSection], AfterValidator(_different)] = Field(
        default_factory=list, description="Who is told when something goes wrong."
    )
