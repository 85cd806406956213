"""A destination that takes many users in one request, and all that is used to send to it: what its loops have in common."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from sync.clock import Clock
from sync.deliver.channel import Channel
from sync.destinations.bulk import Bulk, InBulk
from sync.model.delivery import DeliverySettings
from sync.store.engine import Database


@dataclass(frozen=True, slots=True)
class Served:
    """One destination while somebody holds it."""

    database: Database
    destination: InBulk
    requests: Bulk
    name: str
    settings: DeliverySettings
    channel: Channel
    clock: Clock
    random: Random
