"""What can be seen of a daemon from outside: whether it says that it is ready, and what it costs."""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

from tests.daemon.running import Running
from tests.proofs import Road

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def ready(daemon: Running) -> bool:
    """Whether it says that it is ready."""
    address = daemon.hear("web.listening")["address"]
    try:
        with urllib.request.urlopen(f"http://{address}/readyz"):
            return True
    except urllib.error.HTTPError as error:
        if error.code != 503:
            raise
        return False


def cpu_seconds(pid: int) -> float:
    """How much of the processor's time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def resident_megabytes(pid: int) -> float:
    """How much memory a process has now."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    (found,) = [line for line in status if line.startswith("VmRSS")]
    return int(found.split()[1]) / 1024


def busy(daemon: Running, seconds: float) -> float:
    """The share of a core that it uses, looked at for so long."""
    used, began = cpu_seconds(daemon.pid), time.monotonic()
    daemon.until(lambda: time.monotonic() - began >= seconds, "time stands still", seconds + 20)
    return (cpu_seconds(daemon.pid) - used) / (time.monotonic() - began)


def arrived(road: Road) -> bool:
    """Whether the destination has exactly what the customer has."""
    held = {user_id: user["attributes"] for user_id, user in road.sandbox.users().items()}
    return held == {user_id: {"members": True, "score": score} for user_id, score in road.wanted.items()}


def no_tick_is_run_twice(road: Road) -> None:
    """Each tick that is done has one recorded run; and a recorded run has a tick, which may not know it yet."""
    states = {(key, at): state for key, at, state in road.rows("SELECT key, instant, state FROM tick")}
    runs = Counter(
        road.rows(
            "SELECT key, tick FROM run JOIN definition ON definition.id = run.definition_id WHERE status = 'succeeded'"
        )
    )
    assert set(runs.values()) == {1}, runs
    assert {tick for tick, state in states.items() if state == "done"} <= set(runs)
    assert {states[tick] for tick in runs} <= {"done", "due", "running"}  # type: ignore[index]
