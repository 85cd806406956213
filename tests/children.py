"""Commands in processes of their own that can be signalled and killed, without a second of imports for each.

A server that has loaded everything and does nothing forks them (``multiprocessing``'s), so they begin as fresh as those
that a shell starts. What a child says goes to a file.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import pkgutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from multiprocessing import connection
from pathlib import Path

ROOT = Path(__file__).parent.parent
_NURSERY = multiprocessing.get_context("forkserver")
_NURSERY.set_forkserver_preload(["tests.loaded"])

_ONE_ASKS = threading.Lock()
"""How a child has ended can be read once. Whoever starts one asks after all others too: of two threads that ask at the
same time, one would be told nothing and take it for 255."""


class Child:
    """``live(ARGUMENTS)`` of a module, in the root of the project. It has what is used here of `subprocess.Popen`.

    What it says goes to ``log``; what it says on stdout to ``out``, where that is given.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        out: Path | None = None,
    ) -> None:
        self._log = log
        log.touch()
        birth = (module, [*arguments], dict(environment or os.environ), out or log, log)
        self._process = _NURSERY.Process(target=_live, args=birth, daemon=True)
        with _ONE_ASKS:
            self._process.start()

    @property
    def pid(self) -> int:
        found = self._process.pid
        assert found is not None
        return found

    @property
    def said(self) -> str:
        """What it has said so far."""
        return self._log.read_text(encoding="utf-8", errors="backslashreplace")

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def poll(self) -> int | None:
        """Its exit code if it has ended; minus the signal if one has ended it."""
        with _ONE_ASKS:
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        connection.wait([self._process.sentinel], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(["child"], timeout or 0.0)
        return code

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """Wait for its end; gives what it said."""
        self.wait(timeout)
        return self.said, None

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def load_everything() -> None:
    """Import all that a command may import."""
    package = importlib.import_module("sync")
    for module in pkgutil.walk_packages(package.__path__, "sync."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def _live(module: str, arguments: list[str], environment: dict[str, str], out: Path, log: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    for number, path in ((1, out), (2, log)):
        with path.open("ab", buffering=0) as said:
            os.dup2(said.fileno(), number)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    sys.argv = [module, *arguments]
    importlib.import_module(module).live(arguments)
