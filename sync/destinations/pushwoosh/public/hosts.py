"""Where requests go: to the configured host, or for an hour to the one that an answer's ``base_url`` asks for.

A host that is asked for gets the token, so it is followed within the same registered domain only, and over https. An hour
later the configured host is asked again: a move that was a mistake ends by itself.
"""

from __future__ import annotations

import ipaddress

import httpx

from sync.clock import Clock

BELIEVED_FOR = 3600.0
"""Seconds for which a host is used that an answer asked for."""


class Hosts:
    """Of one destination. ``base_url`` is scheme and host, without the path."""

    def __init__(self, base_url: str, clock: Clock) -> None:
        self._configured = httpx.URL(base_url)
        self._clock = clock
        self._moved: httpx.URL | None = None
        self._until = 0.0

    @property
    def configured(self) -> httpx.URL:
        """The configured host's address."""
        return self._configured

    @property
    def current(self) -> httpx.URL:
        """The address to use now."""
        if self._moved is not None and self._clock.monotonic() >= self._until:
            self._moved = None
        return self._moved or self._configured

    def move(self, told: object) -> bool:
        """Follow what an answer says; whether it can be followed. Only scheme, host and port are taken from it."""
        origin = _origin(told)
        if origin is None or not _may_follow(self._configured, origin):
            return False
        self._moved = None if origin == _origin(str(self._configured)) else origin
        self._until = self._clock.monotonic() + BELIEVED_FOR
        return True


def _origin(told: object) -> httpx.URL | None:
    if not isinstance(told, str):
        return None
    try:
        url = httpx.URL(told)
        if not url.host or url.userinfo:
            return None
        return httpx.URL(scheme=url.scheme, host=url.host, port=url.port)
    except (httpx.InvalidURL, ValueError, TypeError):
        return None


def _may_follow(configured: httpx.URL, told: httpx.URL) -> bool:
    same_host = told.host.lower() == configured.host.lower()
    if told.scheme != "https":
        # Plain http is configured for this very machine only (a sandbox): there it may name another port.
        return same_host and told.scheme == configured.scheme == "http"
    domain = registered_domain(configured.host)
    return same_host or (domain is not None and f".{told.host.lower()}".endswith(f".{domain}"))


def registered_domain(host: str) -> str | None:
    """The part of a host's name that somebody registered; ``None`` for addresses and single names.

    Where a country's code follows a short name (``example.co.uk``), three pieces are taken: one too many is safe.
    """
    name = host.lower().rstrip(".")
    try:
        ipaddress.ip_address(name)
    except ValueError:
        pieces = name.split(".")
    else:
        return None
    if len(pieces) < 2 or not all(pieces):
        return None
    needed = 3 if len(pieces[-1]) == 2 and len(pieces[-2]) <= 3 else 2
    return ".".join(pieces[-needed:]) if len(pieces) >= needed else None
