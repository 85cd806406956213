"""What a valid configuration becomes: frozen values that the rest of the program reads."""

from __future__ import annotations

import hashlib
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal

from pydantic import SecretStr

from sync.config import listen
from sync.config.listen import Address
from sync.config.schedule import Schedule
from sync.destinations.pushwoosh.public.tokens import TokenKind
from sync.destinations.pushwoosh.transport import Transport
from sync.errors import UsageError
from sync.mapping.mapping import Mapping as SegmentMapping
from sync.model.alert import Watch
from sync.model.definition import Definition
from sync.model.delivery import DeliverySettings
from sync.model.feed import EventsTable, ProfilesTable, Tables, Warehouse
from sync.model.identify import IdentifyPer
from sync.model.retention import Retention


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """The engine's own database; ``url`` is SQLite's or ``postgresql+psycopg://…``, ``schema`` only with the latter."""

    url: SecretStr
    schema: str | None = None


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """One of the customer's databases. ``statement_timeout`` in seconds. With a ``warehouse``, no other tables are named."""

    name: str
    url: SecretStr
    statement_timeout: float = 300.0
    events: tuple[EventsTable, ...] = ()
    profiles: ProfilesTable | None = None
    warehouse: Warehouse | None = None

    @property
    def tables(self) -> Tables:
        """What the query language reads."""
        return Tables(self.events, self.profiles, warehouse=self.warehouse)


@dataclass(frozen=True, slots=True)
class Access:
    """Which of Pushwoosh's APIs is spoken, and with tokens of which kind; ``server_token`` only beside a device token."""

    transport: Transport
    token: TokenKind = TokenKind.DEVICE
    server_token: SecretStr | None = None


SEGMENT_ACCESS = Access(Transport.SEGMENT)


@dataclass(frozen=True, slots=True)
class PushwooshSettings:
    """One Pushwoosh application. ``base_url`` has no slash at its end.

    ``mappings`` are the enabled ones, in the file's order. ``switched_by`` names the mapping because of which
    ``identify_per`` is ``computation``, where the file does not say.
    """

    name: str
    api_key: SecretStr
    app_code: str
    base_url: str
    delivery: DeliverySettings
    mappings: tuple[SegmentMapping, ...]
    identify_per: IdentifyPer
    switched_by: str | None = None
    access: Access = SEGMENT_ACCESS


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Where the daemon shows health and metrics: nowhere when ``listen`` is ``None``."""

    listen: Address | None
    token: SecretStr | None = None

    def listening_on(self, text: str) -> WebSettings:
        """The same at another address, as ``--web-listen`` says it. Raises ``UsageError``."""
        try:
            address = listen.parse(text)
        except ValueError as error:
            raise UsageError(f"--web-listen {error}") from None
        if address is not None and not address.is_loopback and self.token is None:
            raise UsageError(
                f"--web-listen {address} can be reached from other hosts: "
                "set `web.token` in the configuration, or listen on 127.0.0.1"
            )
        return replace(self, listen=address)


@dataclass(frozen=True, slots=True)
class CollectorSettings:
    """The HTTP API for SDKs and webhooks: not served when ``listen`` is ``None``.

    ``keys`` are the write keys, ``webhooks`` the keys of signatures (``None``: unsigned posts are taken), both by name,
    and no name is in both: it is the source of what comes in by it.
    """

    listen: Address | None
    keys: Mapping[str, SecretStr]
    webhooks: Mapping[str, SecretStr | None]

    def listening_on(self, text: str) -> CollectorSettings:
        """The same at another address, as ``--collector-listen`` says it. Raises ``UsageError``."""
        try:
            return replace(self, listen=listen.parse(text))
        except ValueError as error:
            raise UsageError(f"--collector-listen {error}") from None


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """Somebody who is told of changes. ``index`` is the place in the file, for logs; ``url`` is a secret too.

    ``secret`` is there for a ``webhook``, and only there.
    """

    index: int
    type: Literal["webhook", "slack"]
    url: SecretStr
    secret: SecretStr | None
    watch: Watch

    @property
    def id(self) -> str:
        """Tells this receiver from others in the store, which must not know its address (12 hex digits)."""
        return hashlib.sha256(f"{self.type} {self.url.get_secret_value()}".encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Settings:
    """A valid ``sync.yaml``: ``definitions`` are audiences, then traits, in the file's order; ``schedules`` by key.

    ``fingerprint`` is of the very text that these settings were read from.
    ``delete_events``: whether Segment's ``delete`` events forget their users.
    """

    path: pathlib.Path
    fingerprint: str
    project: str
    store: StoreSettings
    sources: Mapping[str, SourceSettings]
    destinations: Mapping[str, PushwooshSettings]
    definitions: tuple[Definition, ...]
    schedules: Mapping[str, Schedule]
    web: WebSettings
    retention: Retention
    alerts: tuple[AlertSettings, ...]
    collector: CollectorSettings | None = None
    delete_events: bool = False

    def listening_on(self, *, web: str | None, collector: str | None) -> Settings:
        """The same at other addresses, as ``--web-listen`` and ``--collector-listen`` say them. Raises ``UsageError``."""
        found = self if web is None else replace(self, web=self.web.listening_on(web))
        if collector is not None:
            if found.collector is None and listen.is_off(collector):
                return found
            if found.collector is None:
                raise UsageError(f"--collector-listen wants a `collector:` with write keys in {self.path}: add one")
            found = replace(found, collector=found.collector.listening_on(collector))
        if found.collector is not None and listen.clash(found.web.listen, found.collector.listen):
            raise UsageError(
                f"the collector and `web` cannot both listen on {found.collector.listen}: "
                "give one another port with --collector-listen or --web-listen"
            )
        return found

    def definition(self, name_or_key: str) -> Definition:
        """The definition of that key, else of that name. Raises ``UsageError`` that offers what comes close."""
        for found in self.definitions:
            if found.key == name_or_key:
                return found
        named = [found for found in self.definitions if found.name == name_or_key]
        if len(named) == 1:
            return named[0]
        if named:
            keys = ", ".join(found.key for found in named)
            raise UsageError(f"several definitions in {self.path} are called {name_or_key!r}: say which by key: {keys}")
        known = [text for found in self.definitions for text in (found.key, found.name)]
        close = get_close_matches(name_or_key, known, n=3)
        hint = f"did you mean {' or '.join(map(repr, close))}?" if close else "`engage-sync status` shows them all"
        raise UsageError(f"there is no definition {name_or_key!r} in {self.path}: {hint}")
