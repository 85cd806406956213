"""Run a command as if on another host, in a hurry: ``python -m tests.daemon.elsewhere HOST SHARE COMMAND…``.

Processes on different hosts cannot prove each other dead: their leases have to run out. All leases and beats are SHARE
times as long as they are, so that many of them run out in a minute. On SIGUSR1 it shows where it is.
"""

from __future__ import annotations

import faulthandler
import signal
import sys

from sync.cli import main
from sync.daemon import leader, worker
from sync.deliver import tenure
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


def move_to(host: str) -> None:
    """From now on this process is on ``host``."""
    holder.socket.gethostname = lambda: host  # type: ignore[attr-defined]


def hurry(share: float) -> None:
    """Make everything that is waited for by others shorter."""
    for module, name in SECONDS:
        setattr(module, name, getattr(module, name) * share)


if __name__ == "__main__":
    faulthandler.register(signal.SIGUSR1)
    move_to(sys.argv[1])
    hurry(float(sys.argv[2]))
    sys.exit(main(sys.argv[3:]))
