"""A daemon in a process of its own, which can be signalled and killed; what it says is kept in a file."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.children import Child
from tests.proofs import Road, until

_numbers = count(1)


def schedule(road: Road, schedule: str = "every 2 seconds", **sections: object) -> None:
    """Let the road's definitions run on a schedule; ``sections`` take the place of those in the file."""
    document: dict[str, Any] = orjson.loads(road.config.read_bytes())
    document["defaults"] = {"schedule": schedule}
    document.update(sections)
    road.config.write_bytes(orjson.dumps(document))


class Running:
    """One daemon on a road's configuration. ``out`` is where its stdout goes, where that is not to be the log."""

    def __init__(
        self,
        road: Road,
        *arguments: str,
        web: str | None = "127.0.0.1:0",
        die_at: str = "-",
        occurrence: int = 1,
        out: Path | None = None,
    ) -> None:
        self.road = road
        self._log = road.folder / f"daemon-{next(_numbers)}.log"
        listen = () if web is None else ("--web-listen", web)
        command = ["daemon", *listen, *arguments, "--config", str(road.config)]
        self.process = Child("tests.victim", [die_at, str(occurrence), *command], self._log, out=out)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def said(self) -> str:
        return self._log.read_text()

    def events(self, name: str) -> list[Mapping[str, Any]]:
        """The events of that name so far."""
        lines = (line for line in self.said.splitlines(keepends=True) if line.startswith("{") and line.endswith("\n"))
        return [event for event in map(orjson.loads, lines) if event["event"] == name]

    def hear(self, name: str, times: int = 1, seconds: float = 60.0) -> Mapping[str, Any]:
        """Wait until it has said something so often; gives what it said last."""
        self.until(lambda: len(self.events(name)) >= times, f"no {name}", seconds)
        return self.events(name)[-1]

    def until(self, holds: Any, otherwise: str, seconds: float = 60.0) -> None:
        """Wait for something that this daemon does."""

        held = False  # what is true at one look need not be at the next one

        def looked() -> bool:
            nonlocal held
            time.sleep(0.02)  # both this and what it looks at cost the daemon's time
            held = bool(holds())
            return held or self.process.poll() is not None

        try:
            until(looked, otherwise, seconds)
        except AssertionError:
            self.process.send_signal(signal.SIGUSR1)  # the victim shows its stacks
            time.sleep(0.2)
            pytest.fail(f"{otherwise}:\n{self.said}")
        assert held or holds(), f"it has ended with {self.process.poll()}: {otherwise}:\n{self.said}"

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self, seconds: float = 90.0) -> int:
        """Wait for its end; gives its exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGUSR1)
            time.sleep(0.2)
            pytest.fail(f"it does not end:\n{self.said}")

    def stop(self) -> None:
        """Told to end, it does so in good order."""
        self.signal(signal.SIGTERM)
        assert self.ended() == 0, self.said
        assert self.said.rstrip().endswith("stopped"), self.said


@contextmanager
def running(
    road: Road, *arguments: str, web: str | None = "127.0.0.1:0", die_at: str = "-", occurrence: int = 1
) -> Iterator[Running]:
    """A daemon that has started; killed at the end if it still runs. ``web=None``: it listens where the file says."""
    found = Running(road, *arguments, web=web, die_at=die_at, occurrence=occurrence)
    try:
        found.hear("daemon.started")
        yield found
    finally:
        if found.process.poll() is None:
            os.kill(found.pid, signal.SIGCONT)
            found.process.kill()
        found.process.wait()
