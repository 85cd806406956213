"""Ports that nobody has."""

from __future__ import annotations

import socket
from random import SystemRandom

_OUTSIDE = range(20_000, 30_000)
"""Not among those that the system hands out: neither a server on port 0 nor a connection gets one of these meanwhile."""


def unused_port() -> int:
    """One on which nobody listens, to be refused on or to listen on later."""
    for port in SystemRandom().sample(_OUTSIDE, 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
