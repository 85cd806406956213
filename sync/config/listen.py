"""Where a part of the daemon listens: ``HOST:PORT``, or ``off``."""

from __future__ import annotations

import errno
import ipaddress
import re
from dataclasses import dataclass

_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Address:
    """A host (name or IP address, without brackets) and a port; port 0 is a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this host can reach it. A name other than ``localhost`` may mean anything."""
        return self.host == "localhost" or (_is_ip(self.host) and ipaddress.ip_address(self.host).is_loopback)

    @property
    def is_everywhere(self) -> bool:
        """Whether it stands for all of this host's addresses."""
        return _is_ip(self.host) and ipaddress.ip_address(self.host).is_unspecified


def parse(value: object) -> Address | None:
    """An address; ``None`` for ``off``, which YAML reads as false. Raises ``ValueError`` with the rest of a sentence."""
    if is_off(value):
        return None
    host, _, port = value.strip().rpartition(":") if isinstance(value, str) else ("", "", "")
    bare = host.removeprefix("[").removesuffix("]")
    bracketed = host == f"[{bare}]"
    known = _is_ip(bare) and (":" in bare) == bracketed if bracketed or ":" in bare else _HOST_NAME.fullmatch(bare)
    if not known or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError("must be HOST:PORT, like `127.0.0.1:9464` or `[::1]:9464` (port 0 is a free one), or `off`")
    return Address(bare, int(port))


def is_off(value: object) -> bool:
    """Whether it says to listen nowhere."""
    return value is False or (isinstance(value, str) and value.strip().lower() == "off")


def clash(one: Address | None, other: Address | None) -> bool:
    """Whether both cannot be listened on at once, as far as their texts tell."""
    if one is None or other is None or one.port != other.port or one.port == 0:
        return False
    return one.host == other.host or one.is_everywhere or other.is_everywhere or (one.is_loopback and other.is_loopback)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def why_not(error: OSError) -> str:
    """Why nobody can listen there, as the middle of a sentence."""
    if error.errno == errno.EADDRINUSE:
        return "it is in use"
    if error.errno == errno.EACCES:
        return "this user may not listen on that port"
    return error.strerror or str(error)
