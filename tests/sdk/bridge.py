"""What clients are tested with: a daemon that collects, the sandbox that it forwards to, and scripts for Node."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from sync.destinations.sandbox import Sandbox, SandboxThread
from tests.children import ROOT
from tests.proofs import until

HERE = Path(__file__).parent
OLDEST_NODE = 20
KEY = "write-key-of-the-tests"
PATIENCE = 60.0
"""Seconds for what usually takes a fraction of one."""

# What the presets send, told apart by its message id; and group and alias, which the presets do not send.
_TOLD_APART = {"message_id": {"@path": "$.messageId"}}
_EVENT = {
    "external_id": {"@path": "$.userId"},
    "timestamp": {"@path": "$.timestamp"},
    "enable_batching": True,
}
MAPPINGS = [
    {
        "name": "Profiles",
        "partnerAction": "updateUserProfile",
        "subscribe": 'type = "identify"',
        "mapping": {
            "external_id": {"@path": "$.userId"},
            "email": {"@path": "$.traits.email"},
            "user_agent": {"@path": "$.context.userAgent"},
            "custom_attributes": {"@path": "$.traits"},
        },
    },
    {
        "name": "Tracks and views",
        "partnerAction": "trackEvent",
        "subscribe": 'type = "track" or type = "page" or type = "screen"',
        "mapping": {
            **_EVENT,
            "name": {
                "@if": {"exists": {"@path": "$.event"}, "then": {"@path": "$.event"}, "else": {"@path": "$.name"}}
            },
            "properties": {"@merge": {"direction": "right", "objects": [{"@path": "$.properties"}, _TOLD_APART]}},
        },
    },
    {
        "name": "Groups and aliases",
        "partnerAction": "trackEvent",
        "subscribe": 'type = "group" or type = "alias"',
        "mapping": {
            **_EVENT,
            "name": {"@path": "$.type"},
            "properties": {
                "group": {"@path": "$.groupId"},
                "before": {"@path": "$.previousId"},
                "company": {"@path": "$.traits.company"},
                **_TOLD_APART,
            },
        },
    },
]


@dataclass
class Bridge:
    """``url`` is where the collector listens, ``log`` what its daemon says."""

    url: str
    sandbox: Sandbox
    log: Path
    key: str = KEY
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def person(self) -> str:
        """The id of somebody nobody else knows."""
        return f"person-{next(self._numbers)}"

    def post(self, path: str, document: Mapping[str, object]) -> int:
        """Post as plainly as can be; gives the status."""
        return httpx.post(self.url + path, json=document, auth=(self.key, ""), timeout=PATIENCE).status_code

    def arrived(self, person: str, number: int) -> list[dict[str, Any]]:
        """All events about ``person`` at the sandbox, in order, once there are so many.

        None is on its way then: one more is posted behind them, and a person's events keep their order.
        """
        self.wait(lambda: len(self._events(person)) >= number, f"{number} events of {person}")
        assert self.post("/v1/track", {"userId": person, "event": "The End"}) == 200
        self.wait(lambda: self._events(person)[-1]["name"] == "The End", f"the end of {person}")
        return self._events(person)[:-1]

    def _events(self, person: str) -> list[dict[str, Any]]:
        # Of one user, the sandbox keeps the latest alone.
        return [dict(event) for event in self.sandbox.events() if event["user_id"] == person]

    def profiles(self, person: str, number: int = 1) -> list[dict[str, Any]]:
        """The bodies of all profile requests about ``person``, once there are so many."""
        self.wait(lambda: len(self.sandbox.history(person)) >= number, f"{number} profiles of {person}")
        return [dict(request.body or {}) for request in self.sandbox.history(person)]

    def wait(self, holds: Callable[[], bool], what: str) -> None:
        try:
            until(holds, f"not arrived: {what}", PATIENCE)
        except AssertionError as error:
            pytest.fail(f"{error}\n{self.sandbox.complaints}\n{self.log.read_text()[-4000:]}")


@contextmanager
def bridging(folder: Path) -> Iterator[Bridge]:
    """Run a daemon and its sandbox."""
    sandbox = Sandbox(api_keys=["key"])
    with SandboxThread(sandbox) as server:
        config, log = folder / "sync.yaml", folder / "daemon.log"
        config.write_bytes(orjson.dumps(_configuration(folder, server.url)))  # JSON is YAML
        with log.open("wb") as said:
            command = [sys.executable, "-m", "sync", "daemon", "--config", str(config)]
            daemon = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT)
        try:
            yield Bridge(f"http://{_address(daemon, log)}", sandbox, log)
        finally:
            daemon.kill()
            daemon.wait()
    assert sandbox.complaints == []
    assert "Traceback" not in log.read_text()


def _configuration(folder: Path, sandbox: str) -> Mapping[str, object]:
    return {
        "version": 1,
        "store": f"sqlite:///{folder / 'store.db'}",
        "web": {"listen": "off"},
        "collector": {"listen": "127.0.0.1:0", "keys": {"web": KEY}},
        "destinations": {
            "pushwoosh": {
                "type": "pushwoosh",
                "api_key": "key",
                "app_code": "CODE",
                "base_url": sandbox,
                "batch": {"linger": "100ms"},
                "mappings": MAPPINGS,
            }
        },
    }


def _address(daemon: subprocess.Popen[bytes], log: Path) -> str:
    def listening() -> list[str]:
        lines = [line for line in log.read_text().splitlines() if line.startswith("{")]
        events = [orjson.loads(line) for line in lines if line.endswith("}")]
        return [event["address"] for event in events if event["event"] == "collect.listening"]

    until(lambda: bool(listening()) or daemon.poll() is not None, "the daemon does not listen", PATIENCE)
    assert daemon.poll() is None, log.read_text()
    return listening()[0]


def run_node(script: str, **environment: str) -> subprocess.Popen[str]:
    """Start one of the clients' scripts beside this file."""
    return subprocess.Popen(
        [shutil.which("node") or "node", script],
        cwd=HERE,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@cache
def no_node() -> str | None:
    """Why scripts for Node cannot be run, if they cannot."""
    node = shutil.which("node")
    if node is None:
        return "needs `node`: not installed"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        return f"needs `node` {OLDEST_NODE} or newer: this is {version}"
    if not (HERE / "node_modules" / ".package-lock.json").exists():
        return "needs the clients' packages: run `npm ci --prefix tests/sdk --omit=optional --ignore-scripts`"
    return None


def no_chromium() -> str | None:
    """Why no page can be opened, if none can."""
    return None if shutil.which("chromium") else "needs `chromium`: not installed (Debian: apt-get install chromium)"
