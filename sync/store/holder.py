"""Who holds a lease: a process that can be proven dead by its neighbours on the same host.

A pid alone proves nothing: it is reused, and it means something else in another container. So a holder is
(host, boot id, pid namespace, pid, start time); only a process that shares the first three may judge the last two.
"""

from __future__ import annotations

import os
import socket
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import orjson


@dataclass(frozen=True, slots=True)
class Holder:
    """One process. ``started`` is in clock ticks since boot; 0 where the system does not tell."""

    host: str
    boot: str
    namespace: str
    pid: int
    started: int

    def text(self) -> str:
        """The JSON that is stored."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def parse(cls, text: str) -> Holder:
        """From the stored JSON."""
        return cls(**orjson.loads(text))

    def provably_dead(self) -> bool:
        """True only where this process can see that the holder is gone; False means "cannot tell" or "alive"."""
        here = this_process()
        if not self.boot or (self.host, self.boot, self.namespace) != (here.host, here.boot, here.namespace):
            return False
        return _start_of(self.pid) != self.started and not _hidden(self.pid)


@cache
def this_process() -> Holder:
    """The holder that stands for the running process."""
    pid = os.getpid()
    return Holder(socket.gethostname(), _read("/proc/sys/kernel/random/boot_id"), _namespace(), pid, _start_of(pid))


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _hidden(pid: int) -> bool:
    """Whether there is such a process and the system keeps it from us (``/proc`` mounted with ``hidepid``)."""
    if Path(f"/proc/{pid}/stat").exists():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _start_of(pid: int) -> int:
    """The start time of ``pid``, -1 when there is no such process; a zombie has ended and counts as gone."""
    stat = _read(f"/proc/{pid}/stat")
    if not stat:
        return -1
    # The command name, in parentheses, may itself hold blanks and parentheses.
    fields = stat.rpartition(")")[2].split()
    return -1 if fields[0] == "Z" else int(fields[19])


os.register_at_fork(after_in_child=this_process.cache_clear)
