"""Connections to PostgreSQL that are kept for the next run, so that a run of what changed does not begin with a server's
new process, which knows nothing of the tables yet.

Only our own compiled queries are asked on them: the SQL of a definition might leave something behind in its session. A
file is not kept open: somebody may want to replace it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from threading import Lock
from typing import Any

from sqlalchemy import Engine

AT_MOST = 1
"""Connections that are kept while nobody reads; there may be more readers."""

LONGEST = 300
"""Seconds after which a connection is not used again: what a role may see is settled when it connects."""

POOL: dict[str, Any] = {
    "pool_size": AT_MOST,
    "max_overflow": -1,
    "pool_recycle": LONGEST,
    "pool_pre_ping": True,
    "pool_use_lifo": True,
}
"""What makes an engine keep them."""


class Kept:
    """Those of one source, for as many `Source` objects as there are for it. They are closed when nobody has this any more."""

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._making = Lock()

    def engine(self, make: Callable[[], Engine]) -> Engine:
        """What keeps them; made by the first who asks."""
        with self._making:
            if self._engine is None:
                self._engine = make()
                weakref.finalize(self, self._engine.dispose)
            return self._engine

    def close(self) -> None:
        """Close those that nobody uses now."""
        with self._making:
            if self._engine is not None:
                self._engine.dispose()
