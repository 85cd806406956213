"""What a valid request means, whichever API it came by: the sandbox remembers only this, and the log."""

from __future__ import annotations

from dataclasses import dataclass

from sync.destinations.sandbox.validation import JsonObject


@dataclass(frozen=True, slots=True)
class Profile:
    """Something said of a user, or of a device when ``user_id`` is ``None``. ``body`` has the shape of ``track-user``."""

    user_id: str | None
    body: JsonObject
    device_id: str | None = None


@dataclass(frozen=True, slots=True)
class Meaning:
    """``links`` are (device, user), ``events`` have the shape of ``post-events``, ``deleted`` are users.

    ``asks`` is true when nothing is to change.
    """

    profiles: tuple[Profile, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    events: tuple[JsonObject, ...] = ()
    deleted: tuple[str, ...] = ()
    asks: bool = False

    @property
    def users(self) -> tuple[str, ...]:
        """Everybody it is about, each once."""
        found = [profile.user_id for profile in self.profiles]
        found += [user for _, user in self.links]
        found += [user for event in self.events if isinstance(user := event.get("user_id"), str)]
        return tuple(dict.fromkeys(user for user in (*found, *self.deleted) if user is not None))


NOTHING = Meaning()
