"""Which user each device was last linked to, as far as this process knows; what it does not know is linked again.

To link again what is linked changes nothing, so the memory may be small, and may forget: when the process ends, after a
while (an app links its device too, and nobody tells us), and as soon as a device is about to be linked to another user.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b

from sync.clock import Clock

MOST = 50_000
"""Devices that are remembered; the ones that were not seen for the longest time go first."""

LIFETIME = 3600.0
"""Seconds for which a link is believed."""


class Links:
    """Of one destination. A link is the request that made it: device, user, offset and platform."""

    def __init__(self, clock: Clock, most: int = MOST, lifetime: float = LIFETIME) -> None:
        self._clock = clock
        self._most = most
        self._lifetime = lifetime
        self._known: OrderedDict[str, tuple[bytes, float]] = OrderedDict()

    def holds(self, hwid: str, link: bytes) -> bool:
        """Whether the device has this link already. When it has another one, nobody knows which it has from now on."""
        found = self._known.get(hwid)
        if found is None:
            return False
        if found[0] != _digest(link) or self._clock.monotonic() - found[1] >= self._lifetime:
            del self._known[hwid]
            return False
        self._known.move_to_end(hwid)
        return True

    def learn(self, hwid: str, link: bytes) -> None:
        """The link was accepted."""
        self._known[hwid] = (_digest(link), self._clock.monotonic())
        self._known.move_to_end(hwid)
        if len(self._known) > self._most:
            self._known.popitem(last=False)


def _digest(link: bytes) -> bytes:
    return blake2b(link, digest_size=16).digest()
