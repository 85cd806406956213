"""Run a command as if on another host, in a hurry: arguments are HOST SHARE COMMAND…

Processes on different hosts cannot prove each other dead: their leases have to run out. All leases and beats are SHARE
times as long as they are, so that many of them run out in a minute. It tells of each request when it last looked whether it
might send it. On SIGUSR1 it shows where it is. On one of
``AMBUSHES`` it stops itself the next time it takes that step, if it does so soon.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import time

from sync import telemetry
from sync.cli import main
from sync.daemon import leader, worker
from sync.deliver import tenure
from sync.deliver.sender import Sender
from sync.deliver.turn import Turn
from sync.store import holder, runs

SECONDS = (
    (tenure, "LEASE_SECONDS"),
    (tenure, "RENEW_EVERY"),
    (tenure, "MARGIN"),
    (leader, "LEASE_SECONDS"),
    (worker, "LEASE_SECONDS"),
    (worker, "BEAT_EVERY"),
    (worker, "BUSY_DELAY"),
    (runs, "LEASE_SECONDS"),
)

STEPS = (
    "tick.claimed",
    "refresh.claimed",
    "refresh.staged",
    "refresh.recorded",  # in the transaction, with all of its locks
    "refresh.committed",
    "deliver.claimed",
    "deliver.sending",  # after the last look at the leases
    "deliver.answered",
)
AMBUSHES = {step: signal.SIGRTMIN + number for number, step in enumerate(STEPS)}
LOOKED = "sender.looked"
PATIENCE = 5.0
"""Seconds in which the step must come: after that, whoever asked for it does not wait any more."""


def move_to(host: str) -> None:
    """From now on this process is on ``host``."""
    holder.socket.gethostname = lambda: host  # type: ignore[attr-defined]


def hurry(share: float) -> None:
    """Make everything that is waited for by others shorter."""
    for module, name in SECONDS:
        setattr(module, name, getattr(module, name) * share)


def lie_in_wait() -> None:
    """Stop where asked to, whichever thread it is that gets there."""
    waiting: dict[str, float] = {}
    steps = {number: step for step, number in AMBUSHES.items()}

    def listener(name: str, _: dict[str, object]) -> None:
        if time.monotonic() < waiting.pop(name, 0.0):
            os.kill(os.getpid(), signal.SIGSTOP)

    for number in steps:
        signal.signal(number, lambda number, _: waiting.update({steps[number]: time.monotonic() + PATIENCE}))
    telemetry.listen(listener)


def tell_of_looks() -> None:
    """Before each request: at what time, or a little later, the leases still allowed it."""
    may_send = Sender._may_send

    async def told(sender: Sender, turn: Turn) -> bool:
        at = time.time()  # first: whoever is stopped from here on may send without another look
        may = await may_send(sender, turn)
        if may:
            telemetry.event(LOOKED, user_id=turn.claimed.slot.user_id, at=at)
        return may

    Sender._may_send = told  # type: ignore[method-assign]


def live(arguments: list[str]) -> None:
    """Run the command there; ends the process."""
    faulthandler.register(signal.SIGUSR1)
    move_to(arguments[0])
    hurry(float(arguments[1]))
    lie_in_wait()
    tell_of_looks()
    sys.exit(main(arguments[2:]))
