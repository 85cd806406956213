"""(e) What a daemon costs that has nothing to do, and how soon one with many definitions is ready.

A process of its own, looked at from outside: the processor's time that it took over some seconds well after its start,
its memory at their end, and the time from its start to the first "ready" of its health page.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.places import Place, Places
from bench.table import Row, heading, line

FEW, MANY = 100, 1_000
PERCENT, MEGABYTES, SECONDS = 2.0, 120.0, 5.0
"""The targets: of one core, of resident memory, until it is ready."""

_SETTLES = 10.0
"""Seconds after its start: it looks, prunes and takes its leases first."""

_PATIENCE = 60.0
_LISTENING = "health and metrics on "


@dataclass(frozen=True, slots=True)
class Idle:
    """What one daemon cost. ``started`` is in seconds, ``busy`` in percent of a core, ``resident`` in MB."""

    started: float
    busy: float
    resident: float


def run(places: Places, seconds: float) -> None:
    """Print the table for both engines."""
    heading(f"(e) a daemon with nothing to do: {FEW} definitions, for {seconds:g} s; {MANY:,} definitions, until ready")
    for few, many in zip(places.fresh(), places.fresh(), strict=True):
        idle = _measured(few, FEW, seconds)
        line(_row("processor", few, idle.busy, PERCENT, "%", 2))
        line(_row("resident memory", few, idle.resident, MEGABYTES, " MB", 0))
        line(_row(f"start with {FEW} definitions", few, idle.started, SECONDS, " s", 1))
        many_of_them = _measured(many, MANY, 0.0)
        line(_row(f"start with {MANY:,} definitions", many, many_of_them.started, SECONDS, " s", 1))


def _row(what: str, place: Place, ours: float, target: float, unit: str, digits: int) -> Row:
    return Row(what, place.engine, f"{ours:.{digits}f}{unit}", f"{target:g}{unit}", ours / target, at_most=1.0)


def _measured(place: Place, definitions: int, seconds: float) -> Idle:
    with place.database(), tempfile.TemporaryDirectory(prefix="engage-sync-bench-") as folder:
        config = Path(folder) / "sync.yaml"
        config.write_text(json.dumps(_configuration(place, definitions)))  # JSON is YAML
        with _daemon(config) as process:
            started = _until_ready(process)
            if not seconds:
                return Idle(started, 0.0, _resident(process.pid))
            time.sleep(_SETTLES)
            began, used = time.monotonic(), _used(process.pid)
            time.sleep(seconds)
            busy = (_used(process.pid) - used) / (time.monotonic() - began)
            return Idle(started, 100 * busy, _resident(process.pid))


def _configuration(place: Place, definitions: int) -> dict[str, object]:
    """Everything is due once a day: never, as long as this lasts, but at midnight."""
    store = {"url": place.store_url} | ({"schema": place.store_schema} if place.store_schema else {})
    unreachable = {"type": "pushwoosh", "api_key": "key", "app_code": "AAAAA-BBBBB", "base_url": "http://127.0.0.1:9"}
    return {
        "version": 1,
        "store": store,
        "sources": {"shop": place.source_url},
        "destinations": {"sink": unreachable},
        "defaults": {"schedule": "every 1 days"},
        "alerts": [{"type": "slack", "url": "http://127.0.0.1:9/"}],
        "audiences": [
            {"name": f"Audience {number}", "sql": f"SELECT user_id FROM person WHERE score > {number}"}
            for number in range(definitions)
        ],
    }


@contextmanager
def _daemon(config: Path) -> Iterator[subprocess.Popen[str]]:
    command = ["daemon", "--web-listen", "127.0.0.1:0", "--config", str(config)]
    process = subprocess.Popen(
        [sys.executable, "-m", "sync", *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()
    assert process.returncode == 0, process.returncode


def _until_ready(process: subprocess.Popen[str]) -> float:
    """Seconds from the process's start (which was a moment ago) until it says that it is ready."""
    began = time.monotonic()
    assert process.stdout is not None
    said = next(line for line in process.stdout if line.startswith(_LISTENING))
    url = said.removeprefix(_LISTENING).strip()
    next(line for line in process.stdout if line.startswith("running: "))
    while time.monotonic() - began < _PATIENCE:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=_PATIENCE):  # noqa: S310 - our own
                return time.monotonic() - began
        except urllib.error.HTTPError:
            time.sleep(0.02)
    raise AssertionError("it is never ready")


def _used(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> float:
    """Resident memory of a process, in MB."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    (found,) = [each for each in status if each.startswith("VmRSS")]
    return int(found.split()[1]) / 1024
