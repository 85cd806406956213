"""What only the daemon knows of itself, as health and metrics show it. The daemon writes, the web service reads.

Every change is one assignment, so that any thread may make it.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Vitals:
    """One daemon's own state.

    ``outdated``: another daemon announced a newer configuration, so this one takes no ticks. ``stopping``: it was told to
    end and drains. ``looked_at``: the monotonic instant of the ticker's last look. ``services`` says of each, by its name,
    why it does not work; nothing when it does.
    """

    outdated: bool = False
    stopping: bool = False
    looked_at: float | None = None
    services: dict[str, str] = field(default_factory=dict)

    def up(self, service: str) -> None:
        """The service works."""
        self.services[service] = ""

    def down(self, service: str, reason: str) -> None:
        """The service failed and is to be started again. ``reason`` is for people, without values and secrets."""
        self.services[service] = reason
