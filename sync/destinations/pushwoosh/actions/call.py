"""What an action of Pushwoosh is made of: its fields, its address, and its body."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sync.mapping.action import Action

JsonObject = dict[str, object]

Body = Callable[[JsonObject, str], JsonObject]
"""From (payload, application code) to what one event becomes."""

Envelope = Callable[[Sequence[object]], JsonObject]
"""From what several events became to one request's body."""


@dataclass(frozen=True, slots=True)
class Call:
    """One action and the request that carries it.

    ``body`` may raise :class:`~sync.errors.InvalidEvent`, and may use up the payload's first level. Without an
    ``envelope`` each event is a request of its own, and what it becomes is the request's whole body.
    """

    action: Action
    path: str
    body: Body
    envelope: Envelope | None = None
