"""The shape of ``sync.yaml``: one model a section, with every key's type, default and meaning.

These models say what one section may contain. What holds *between* keys and sections is checked in ``references``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from sync.config import listen
from sync.config.destinations import PushwooshSection
from sync.config.fields import AlertUrl, Count, Duration, EventsKept, Listen, Name, Secret, StoreUrl, Token
from sync.config.intake import CollectorSection, SourceSection
from sync.config.questions import AudienceSection, DefaultsSection, TraitSection
from sync.config.section import Listed, Section
from sync.model.alert import AlertKind

DEFAULT_STORE = "sqlite:///engage-sync.db"
DEFAULT_WEB = "127.0.0.1:9464"
DAY = 86_400.0


class StoreSection(Section):
    """The engine's own database. A plain text is the `url`."""

    shorthand = "url"
    url: StoreUrl = Field(default=SecretStr(DEFAULT_STORE), description="`sqlite:///FILE` or `postgresql://…`.")
    schema_name: str | None = Field(
        default=None, alias="schema", description="PostgreSQL schema that holds all tables."
    )


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
    events: EventsKept | None = Field(
        default=None,
        description="Events, whether received or read from a table: 400 days, and longer where a query counts older ones.",
    )


class PrivacySection(Section):
    """What is done about people who want to be left alone."""

    delete_events: bool = Field(
        default=False,
        description="Whether Segment's `delete` events, posted to a webhook with a `secret`, forget their users.",
    )


class AlertSection(Section):
    """Somebody who is told when something goes wrong, and when it is right again."""

    type: Literal["webhook", "slack"] = Field(
        description="Signed JSON, or Slack's `text` (Mattermost and others read it too)."
    )
    url: AlertUrl = Field(description="Where to post; https, or http to this host only. Counts as a secret.")
    secret: Secret | None = Field(default=None, description="Key of the signature; `webhook` only, and required there.")
    on: Annotated[list[AlertKind], Listed] = Field(
        default_factory=lambda: list(AlertKind), description="What to tell; else everything."
    )
    parked_above: Count | None = Field(
        default=None,
        ge=0,
        description="So many parked users and events at one destination are no alert; 0 when left out.",
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
    collector: CollectorSection | None = Field(
        default=None, description="The HTTP API that SDKs and webhooks post events to; none when left out."
    )
    audiences: list[AudienceSection] = Field(default_factory=list, description="Who is a member of what.")
    traits: list[TraitSection] = Field(default_factory=list, description="Computed traits: one value for each user.")
    retention: RetentionSection = Field(default_factory=RetentionSection, description="How long history is kept.")
    privacy: PrivacySection = Field(
        default_factory=PrivacySection, description="Whether people are forgotten because an event says so."
    )
    alerts: Annotated[list[AlertSection], AfterValidator(_different)] = Field(
        default_factory=list, description="Who is told when something goes wrong."
    )
