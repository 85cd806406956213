"""Which token goes where. Pushwoosh has two kinds, and refuses the wrong one.

A *device* token stands in the header ``Authorization`` and opens what apps do: profiles, tags, events. A *server* token
stands in the body as ``auth`` and opens the account besides: tags in bulk, the list of tags.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TokenKind(StrEnum):
    """What kind of token ``api_key`` is."""

    DEVICE = "device"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one destination; one of the two is there."""

    device: str | None
    server: str | None

    @classmethod
    def given(cls, key: str, kind: TokenKind, server: str | None) -> Tokens:
        """From ``api_key``, its kind, and the server token that may stand beside a device token."""
        return cls(key, server) if kind is TokenKind.DEVICE else cls(None, key)

    @property
    def in_header(self) -> str:
        """What the header takes where a method wants one: the device token where there is one."""
        return self.device or self.server or ""

    @property
    def in_body(self) -> str | None:
        """What the body takes as ``auth``, where a device token in the header would do."""
        return self.server if self.device is None else None

    def all(self) -> tuple[str, ...]:
        """Everything that must not be repeated to anybody."""
        return tuple(token for token in (self.device, self.server) if token)
