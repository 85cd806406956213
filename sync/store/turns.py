"""A lock whose holders follow each other in the order in which they came.

With `threading.Lock` a thread that takes it again and again keeps all others out: it has it back before they wake.
"""

from __future__ import annotations

from collections import deque
from threading import Lock


class Turns:
    """One at a time. What is released goes to whoever has waited longest."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._taken = False
        self._waiting: deque[Lock] = deque()

    @property
    def waiting(self) -> int:
        """How many are in line."""
        return len(self._waiting)

    def acquire(self, timeout: float) -> bool:
        """Take it, waiting so many seconds in line; says whether it was taken."""
        with self._guard:
            if not self._taken:
                self._taken = True
                return True
            mine = Lock()
            mine.acquire()
            self._waiting.append(mine)
        try:
            if mine.acquire(timeout=timeout):
                return True
        except BaseException:  # an interrupt: nobody waits here any more
            if not self._left(mine):
                self.release()
            raise
        return not self._left(mine)

    def _left(self, mine: Lock) -> bool:
        """Step out of the line; false when it was given to us just now."""
        with self._guard:
            if mine not in self._waiting:
                return False
            self._waiting.remove(mine)
            return True

    def release(self) -> None:
        """Give it to the next in line."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False
