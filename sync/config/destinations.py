"""The shape of ``destinations``: whom to send to, how fast, how long, and by which of Segment's mappings."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from sync.config.fields import (
    ActionName,
    BaseUrl,
    Count,
    Duration,
    Fields,
    HeaderSecret,
    HeaderText,
    Line,
    Linger,
    NoAnswer,
    NoModel,
    PlainFlag,
    Rate,
    Token,
    Words,
)
from sync.config.section import Section
from sync.destinations.pushwoosh.destination import DEFAULT_BASE_URL
from sync.model.delivery import DeliverySettings
from sync.model.identify import IdentifyPer

MOST_MAPPINGS = 50
"""Of one destination, as in Segment."""

_NUMBERS = DeliverySettings()


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


class BatchSection(Section):
    """How events and users share requests, where there are such requests."""

    events: Count = Field(
        default=_NUMBERS.batch_events, ge=1, le=_NUMBERS.batch_events, description="The most events in one request."
    )
    linger: Linger = Field(
        default=_NUMBERS.linger, description="The longest that an event waits for others to share its request."
    )
    bulk_users: Count = Field(
        default=_NUMBERS.bulk_users,
        ge=1,
        le=_NUMBERS.bulk_users,
        description="The most users in one request, where one takes several; up to 50: each goes alone.",
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
    transport: Literal["segment-integration", "public-api"] = Field(
        default="segment-integration", description="Which of the APIs to speak."
    )
    token: Literal["device", "server"] = Field(
        default="device", description="Which kind of token `api_key` is; for `public-api`."
    )
    server_token: Token = Field(
        default=None, description="A server token beside a device token, for tags in bulk; for `public-api`."
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
    batch: BatchSection = Field(default_factory=BatchSection, description="How events and users share requests.")
