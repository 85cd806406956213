"""What one HTTP exchange meant, as a value that delivery matches on (architecture: Outcomes)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """Six meanings, each with one transition of the slot.

    ``ACCEPTED``      the destination holds what was sent.
    ``REFUSED``       wrong *for this user* (400, 413, 422): sending it again cannot help.
    ``NOT_SENT``      no byte left (connect error, pool timeout): try again, nothing in doubt.
    ``NOT_APPLIED``   the destination said "not now" (408, 423, 425, 429, 503 with Retry-After): try again.
    ``UNKNOWN``       bytes may have left and no clear answer came: try again, and confirm after success (R4).
    ``FAULT``         the destination itself is set up wrongly or gone (401, 403, 404, 3xx, …): nobody's data is at fault.
    """

    ACCEPTED = "accepted"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    NOT_APPLIED = "not_applied"
    UNKNOWN = "unknown"
    FAULT = "fault"


FILTERED = "filtered"
"""Stands in place of a verdict where no mapping wants an event: nothing is sent, and the event is done with."""

INVALID = "invalid"
"""Stands in place of a verdict where a mapping wants an event and can make no request of it; nobody was asked."""

DEFERRED = frozenset({Verdict.NOT_SENT, Verdict.NOT_APPLIED, Verdict.UNKNOWN})
"""Verdicts after which the same values are tried again later."""

MAY_HAVE_ARRIVED = frozenset({Verdict.ACCEPTED, Verdict.UNKNOWN})
"""Verdicts after which the destination has what was sent, or may have it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One exchange's verdict.

    ``status`` is the HTTP status, ``None`` when no answer came. ``detail`` is a short text for people (an error's name
    or the start of the answer, never a secret). ``retry_after`` is in seconds, from the ``Retry-After`` header.
    ``code`` is what the body says in place of a status that it contradicts. ``warnings`` are things worth telling although it was accepted (``response.skipped``).
    """

    verdict: Verdict
    status: int | None = None
    detail: str = ""
    retry_after: float | None = None
    warnings: tuple[str, ...] = ()
    code: int | None = None
