"""Which of Pushwoosh's APIs a destination speaks, and the destination that speaks it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from sync.clock import Clock
from sync.destinations.pushwoosh import destination
from sync.destinations.pushwoosh.destination import Pushwoosh
from sync.destinations.pushwoosh.public import destination as public
from sync.destinations.pushwoosh.public.destination import PublicPushwoosh
from sync.destinations.pushwoosh.public.tokens import TokenKind
from sync.mapping.mapping import Mapping

AnyPushwoosh = Pushwoosh | PublicPushwoosh


class Transport(StrEnum):
    """The endpoint that Segment's own destination uses, or the documented API."""

    SEGMENT = "segment-integration"
    PUBLIC = "public-api"

    @property
    def base_url(self) -> str:
        """Where it is found when nobody says otherwise."""
        return public.DEFAULT_BASE_URL if self is Transport.PUBLIC else destination.DEFAULT_BASE_URL


def connected(
    transport: Transport,
    *,
    name: str,
    api_key: str,
    app_code: str,
    base_url: str,
    token: TokenKind = TokenKind.DEVICE,
    server_token: str | None = None,
    mappings: Sequence[Mapping] | None = None,
    clock: Clock | None = None,
) -> AnyPushwoosh:
    """The destination for one application. The kind of token matters to the documented API only.

    Raises :class:`~sync.errors.ConfigurationError` when a token or the code cannot stand in a header.
    """
    if transport is Transport.SEGMENT:
        return Pushwoosh(
            name=name, api_key=api_key, app_code=app_code, base_url=base_url, mappings=mappings, clock=clock
        )
    return PublicPushwoosh(
        name=name,
        api_key=api_key,
        app_code=app_code,
        base_url=base_url,
        token=token,
        server_token=server_token,
        mappings=mappings,
        clock=clock,
    )
