"""``/metrics``: what the store says, at most a few seconds old, and what this daemon counts."""

from __future__ import annotations

import logging

from aiohttp import web
from prometheus_client.exposition import choose_encoder

from sync import telemetry
from sync.errors import StoreError
from sync.store.measures import Measures, measure
from sync.web.collector import registry
from sync.web.look import Look, in_thread
from sync.web.state import WebState

PATIENCE = 5.0
"""Seconds for reading the store: less than a scraper waits (10 s, unless told otherwise)."""

KEPT = 5.0
"""Seconds that what was read is shown again, however many scrape."""


class MetricsPage:
    """Reads the store once for all who scrape at once."""

    def __init__(self, state: WebState) -> None:
        self._state = state
        self._look = Look(self._measure, state.clock, keep=KEPT)
        self._away = ""

    async def answer(self, request: web.Request) -> web.Response:
        """The page, in the format that the scraper asks for; without the store's part when it is away."""
        measures, seconds = await self._measured()
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        page = await in_thread(lambda: encode(registry(measures, seconds, self._state)))
        response = web.Response(body=page, headers={"Content-Type": content_type})
        response.enable_compression()
        return response

    def close(self) -> None:
        """Wait for nothing any more."""
        self._look.close()

    async def _measured(self) -> tuple[Measures | None, float]:
        try:
            found = await self._look.answer(PATIENCE)
        except TimeoutError:
            self._note(f"no answer within {PATIENCE:g} s")
            return None, PATIENCE
        except StoreError as error:
            self._note(str(error))
            return None, 0.0
        self._note("")
        return found

    def _measure(self) -> tuple[Measures, float]:
        started = self._state.clock.monotonic()
        found = measure(self._state.database)
        return found, self._state.clock.monotonic() - started

    def _note(self, reason: str) -> None:
        """Say once that the store is away, and once that it is back."""
        if reason and not self._away:
            telemetry.event("metrics.without_store", level=logging.WARNING, reason=reason)
        elif self._away and not reason:
            telemetry.event("metrics.with_store")
        self._away = reason
