"""Test a destination's credentials; changes nothing there."""

from __future__ import annotations

from sync.deliver.client import Client
from sync.deliver.destination import Destination
from sync.deliver.transport import AiohttpTransport
from sync.model.delivery import DeliverySettings
from sync.model.outcome import Outcome


async def ping(destination: Destination, settings: DeliverySettings) -> Outcome:
    """One exchange; its outcome says whether destination and credentials are right."""
    async with AiohttpTransport(1) as transport:
        return await Client(transport, destination.read_answer, settings.deadline).exchange(destination.ping())
