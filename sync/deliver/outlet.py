"""A destination and how to treat it; and a dispatcher for one, with connections that stay open while it works."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sync.clock import Clock
from sync.deliver.delivered import Delivered
from sync.deliver.destination import Destination
from sync.deliver.dispatcher import Dispatcher
from sync.deliver.tenure import Tenure
from sync.deliver.transport import AiohttpTransport
from sync.model.delivery import DeliverySettings
from sync.model.identify import IdentifyPer
from sync.store.engine import Database


@dataclass(frozen=True, slots=True)
class Outlet:
    """A destination and how to treat it."""

    destination: Destination
    settings: DeliverySettings
    identify_per: IdentifyPer = IdentifyPer.USER


@asynccontextmanager
async def dispatching(
    database: Database,
    outlet: Outlet,
    clock: Clock,
    held: Tenure,
    stopping: asyncio.Event,
    on_progress: Callable[[Delivered], None] | None = None,
    *,
    told: str = "stopped by a signal",
) -> AsyncIterator[Dispatcher]:
    """A dispatcher for ``outlet``, which is told to stop (and reports ``told`` as the reason) when ``stopping`` is set.

    Where events are forwarded to the destination, it does that as well: what was recorded earlier is sent earlier. Only
    who has ``held`` the destination may have one.
    """
    async with AiohttpTransport(outlet.settings.concurrency) as transport:
        dispatcher = Dispatcher(
            database,
            outlet.destination,
            outlet.settings,
            transport,
            clock,
            identify_per=outlet.identify_per,
            on_progress=on_progress,
        )
        await dispatcher.forward_too(held)
        watcher = asyncio.create_task(_stop_when(stopping, dispatcher, told))
        try:
            yield dispatcher
        finally:
            watcher.cancel()


async def _stop_when(stopping: asyncio.Event, dispatcher: Dispatcher, told: str) -> None:
    await stopping.wait()
    dispatcher.stop(told)
