"""How soon a PostgreSQL server that vanished without a word is noticed: a power cut, a lost network, a silent firewall.

Nobody says so then, and a statement would wait for its answer for ever, with a thread and perhaps a lease in hand. The
operating system asks instead whether the other side still answers. A query that takes long is no silence.
"""

from __future__ import annotations

from collections.abc import Container

_PATIENCE = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,  # milliseconds; the rest is in seconds
}


def patience(theirs: Container[str] = ()) -> dict[str, int]:
    """Connection parameters by which a silent server is given up after about 25 seconds; what ``theirs`` has is left out."""
    return {name: value for name, value in _PATIENCE.items() if name not in theirs}
