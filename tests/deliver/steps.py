"""Do something at a step of a delivery, in the very place and moment in which it is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sync import telemetry


@contextmanager
def when(step: str, occurrence: int, do: Callable[[], object]) -> Iterator[None]:
    """Call ``do`` at a step's given occurrence."""
    left = occurrence

    def listener(name: str, _: dict[str, object]) -> None:
        nonlocal left
        left -= name == step
        if name == step and left == 0:
            do()

    stop = telemetry.listen(listener)
    try:
        yield
    finally:
        stop()
