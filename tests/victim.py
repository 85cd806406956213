"""Run a command in a process that kills itself: ``python -m tests.victim STEP OCCURRENCE COMMAND…``.

On SIGUSR1 it shows where it is. At the given occurrence of the step it sends itself SIGKILL: no handler runs, nothing is flushed or given back.
"""

from __future__ import annotations

import faulthandler
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


def live(arguments: list[str]) -> None:
    """Run the command, up to the step; ends the process."""
    faulthandler.register(signal.SIGUSR1)
    _die_at(arguments[0], int(arguments[1]))
    sys.exit(main(arguments[2:]))


if __name__ == "__main__":
    live(sys.argv[1:])
