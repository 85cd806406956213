"""Where one part of the daemon listens, and how it moves: a configuration that is refused after all has moved nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Generic, Protocol, TypeVar

from sync import telemetry
from sync.config import Address
from sync.errors import UsageError


class Listening(Protocol):
    """A socket and what answers there. It can be opened again after it was closed, at the ``address`` it had."""

    address: Address

    async def open(self) -> None:
        """Listen. Raises `UsageError` when the address cannot be had."""
        ...

    async def close(self) -> None:
        """Give the address back; what is under way gets a moment."""
        ...


_Service = TypeVar("_Service", bound=Listening)


class Place(Generic[_Service]):
    """Where one ``service`` listens. ``move`` is followed by ``keep`` or by ``undo``."""

    def __init__(self, name: str) -> None:
        self.service: _Service | None = None
        self._name = name
        self._former: _Service | None = None
        self._former_closed = False
        self._moved = False
        self._leaving: set[asyncio.Future[None]] = set()

    async def move(self, wanted: _Service | None) -> None:
        """Listen with ``wanted``, and go on where we did if that can be. Raises `UsageError`, and then listens where it did."""
        former = self.service
        # The same port at another host may be ours already: nobody can have both, so the former one goes first.
        in_the_way = former is not None and wanted is not None and former.address.port == wanted.address.port
        self._moved, self._former, self._former_closed = True, former, in_the_way
        self.service = wanted
        try:
            if in_the_way and former is not None:
                await former.close()
            if wanted is not None:
                await wanted.open()
        except BaseException:
            self.service = None
            await self.undo()
            raise

    async def keep(self) -> None:
        """The move was right."""
        former, closed = self._former, self._former_closed
        self._forget()
        if former is not None and not closed:
            self._leave(former.close())

    async def undo(self) -> None:
        """Listen again as before the move, if there was one."""
        if not self._moved:
            return
        moved_to, former, closed = self.service, self._former, self._former_closed
        self._forget()
        self.service = former
        if moved_to is not None:
            await moved_to.close()
        if former is not None and closed:
            try:
                await former.open()
            except UsageError as error:
                self.service = None
                telemetry.event(f"{self._name}.not_restored", level=logging.ERROR, reason=str(error))

    async def close(self) -> None:
        """Listen nowhere."""
        for each in (self.service, self._former):
            if each is not None:
                self._leave(each.close())
        self.service = None
        self._forget()
        await asyncio.gather(*self._leaving)

    def _forget(self) -> None:
        self._former, self._former_closed, self._moved = None, False, False

    def _leave(self, closing: Awaitable[None]) -> None:
        """Let it take the time it needs: nobody has to wait for a slow client of the former address."""
        task = asyncio.ensure_future(closing)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
