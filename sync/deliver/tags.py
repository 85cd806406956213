"""Ask a destination which tags it has; changes nothing there."""

from __future__ import annotations

import httpx

from sync.deliver.client import Client
from sync.deliver.transport import AiohttpTransport
from sync.destinations.pushwoosh.public.destination import PublicPushwoosh
from sync.destinations.pushwoosh.public.listing import Listing, read_listing
from sync.model.delivery import DeliverySettings
from sync.model.outcome import Outcome, Verdict


async def listed(destination: PublicPushwoosh, settings: DeliverySettings) -> Listing | str:
    """The tags, or in a sentence's end why they cannot be had."""
    request = destination.list_tags()
    if request is None:
        return "that needs a server token (`server_token`)"
    bodies: list[bytes] = []

    def read(status: int, headers: httpx.Headers, body: bytes) -> Outcome:
        bodies.append(body)
        return destination.read_answer(status, headers, body)

    async with AiohttpTransport(1) as transport:
        outcome = await Client(transport, read, settings.deadline).exchange(request)
    if outcome.verdict is Verdict.ACCEPTED:
        found = read_listing(bodies[-1])
        return "the answer lists nothing that can be read" if found is None else found
    said = f"{outcome.status or ''} {outcome.detail}".strip()
    return f"the account or its token may not ({said})" if outcome.verdict is Verdict.FAULT else said
