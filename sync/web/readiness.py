"""Whether this daemon can work: the store answers and takes writes, its schema fits, the configuration is the newest."""

from __future__ import annotations

from sync.errors import StoreError
from sync.store import revision
from sync.web.look import Look
from sync.web.state import WebState

PATIENCE = 2.0
"""Seconds for the whole answer."""


class Readiness:
    """Asks the store anew each time; those who ask at once share the answer."""

    def __init__(self, state: WebState) -> None:
        self._state = state
        self._look = Look(self._check_store, state.clock)

    async def reasons(self) -> list[str]:
        """Why this daemon is not ready, one sentence each; none when it is."""
        vitals = self._state.vitals
        found = [await self._of_the_store()]
        if vitals.outdated:
            found.append("another daemon announced a newer configuration: this one takes no ticks until it has it too")
        if vitals.stopping:
            found.append("it is stopping")
        return [reason for reason in found if reason]

    def close(self) -> None:
        """Wait for nothing any more."""
        self._look.close()

    async def _of_the_store(self) -> str:
        try:
            await self._look.answer(PATIENCE)
        except TimeoutError:
            return f"the store did not answer within {PATIENCE:g} s"
        except StoreError as error:
            return str(error)
        return ""

    def _check_store(self) -> None:
        with self._state.database.read() as connection:
            self._state.database.check_writable(connection)
            if revision.current(connection) == revision.head():
                return
        revision.check(self._state.database)
