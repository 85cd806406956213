"""Run a command in a process that kills itself: ``python -m tests.victim STEP OCCURRENCE COMMAND…``.

At the given occurrence of the step it sends itself SIGKILL: no handler runs, nothing is flushed or given back.
"""

from __future__ import annotations

import os
import signal
import sys

from sync import telemetry
from sync.cli import main


def _die_at(step: str, occurrence: int) -> None:
    left = occurrence

    def listener(name: str, _: dict[str, object]) -> None:
        nonlocal left
        left -= name == step
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    telemetry.listen(listener)


if __name__ == "__main__":
    _die_at(sys.argv[1], int(sys.argv[2]))
    sys.exit(main(sys.argv[3:]))
