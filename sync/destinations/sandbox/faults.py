"""Which faults the sandbox can be told to have. All are off by default; the values say how, nothing here acts.

``docs/sandbox.md`` says of each whether the request is applied, and gives an example.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong from now on; raises ``ValueError`` with a sentence for a value that makes no sense.

    Before the request is applied, in the order in which they are looked at:

    ``status``                  answer this HTTP status (200 to 599); below 300 the request is applied
    ``status_count``            … only to the next so many requests, then ``status`` goes off
    ``retry_after``             … with this ``Retry-After`` header: seconds, or a text sent as it is
    ``redirect``                302 to this URL
    ``rate_limit``              requests a second, with one second's worth of burst; beyond it 429
    ``rate_limit_retry_after``  … with a ``Retry-After`` header in whole seconds
    ``error_rate``              share of requests answered 500, 0 to 1
    ``fail_users``              user ids answered 400, as an error about that user
    ``status_code``             200, with this ``status_code`` in its body; only 200 itself is applied

    When it is applied:

    ``latency``                 seconds from the request's arrival to the answer (of every request)
    ``apply_late``              apply at the end of the latency instead of on arrival, even if the client hung up

    After it was applied, in the answer; the first that is set wins:

    ``drop_count``              close the connection without an answer for the next so many requests
    ``drop_rate``               … for this share of requests, 0 to 1
    ``malformed``               bytes that are not HTTP
    ``garbage``                 200 with a body that is not JSON, although it says so
    ``oversize``                200 with a body of so many bytes, streamed without a length
    ``drip``                    200, then a byte of the body every so many seconds, for 100 bytes
    ``skipped``                 200 naming these tags as skipped; they are not stored

    Of the documented API:

    ``argument_status``         answer 210 in a 400 (as the service does) or in a 200 (as its documentation says)
    ``base_url``                ask in every answer to be asked here from now on
    ``bulk_polls``              say so many times that a bulk request is pending before it is done
    ``bulk_fails``              say in the end that the whole bulk request failed; nothing of it is applied
    """

    status: int | None = None
    status_count: int | None = None
    retry_after: float | str | None = None
    redirect: str | None = None
    rate_limit: float | None = None
    rate_limit_retry_after: bool = True
    error_rate: float = 0.0
    fail_users: frozenset[str] = frozenset()
    status_code: int | None = None
    latency: float = 0.0
    apply_late: bool = False
    drop_count: int | None = None
    drop_rate: float = 0.0
    malformed: bool = False
    garbage: bool = False
    oversize: int | None = None
    drip: float | None = None
    skipped: frozenset[str] = frozenset()
    argument_status: int = 400
    base_url: str | None = None
    bulk_polls: int = 0
    bulk_fails: bool = False

    def __post_init__(self) -> None:
        for name in ("fail_users", "skipped"):
            value = getattr(self, name)
            if isinstance(value, list | tuple | set) and all(isinstance(item, str) for item in value):
                object.__setattr__(self, name, frozenset(value))
        for name, (holds, wanted) in _RULES.items():
            if not holds(getattr(self, name)):
                raise ValueError(f"fault {name} must be {wanted}")

    @classmethod
    def from_json(cls, value: object) -> Faults:
        """Faults from a JSON object; what it leaves out is off. Raises ``ValueError``."""
        if not isinstance(value, dict):
            raise ValueError("faults must be a JSON object")  # noqa: TRY004 - one kind of error for the caller to show
        return cls(**known_faults(value))

    def to_json(self) -> dict[str, object]:
        """Every field by its name; sets become sorted lists."""
        return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in asdict(self).items()}


def known_faults(changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """``changes`` itself; raises ``ValueError`` when one of its names is no fault."""
    names = [field.name for field in fields(Faults)]
    for name in changes:
        if name not in names:
            raise ValueError(f'there is no fault "{name}"; there are: {", ".join(names)}')
    return changes


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _at_least(least: float, *, exclusive: bool = False, whole: bool = False) -> Callable[[object], bool]:
    def holds(value: object) -> bool:
        if not _is_number(value) or (whole and not isinstance(value, int)):
            return False
        return value > least if exclusive else value >= least  # type: ignore[operator]

    return holds


def _between(least: float, most: float, *, whole: bool = False) -> Callable[[object], bool]:
    above = _at_least(least, whole=whole)
    return lambda value: above(value) and value <= most  # type: ignore[operator]


def _or_none(holds: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or holds(value)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


def _is_names(value: object) -> bool:
    return isinstance(value, frozenset) and all(isinstance(name, str) for name in value)


_COUNT = (_or_none(_at_least(1, whole=True)), "a whole number from 1")
_SHARE = (_between(0, 1), "between 0 and 1")
_SWITCH = (lambda value: isinstance(value, bool), "true or false")
_NAMES = (_is_names, "a list of strings")

_RULES: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "status": (_or_none(_between(200, 599, whole=True)), "an HTTP status from 200 to 599"),
    "status_count": _COUNT,
    "retry_after": (
        _or_none(lambda value: _is_text(value) or _at_least(0)(value)),
        "seconds from 0, or the header's text",
    ),
    "redirect": (_or_none(_is_text), "a URL"),
    "rate_limit": (_or_none(_at_least(0, exclusive=True)), "requests a second, more than 0"),
    "rate_limit_retry_after": _SWITCH,
    "error_rate": _SHARE,
    "fail_users": _NAMES,
    "status_code": (_or_none(_at_least(0, whole=True)), "a whole number from 0"),
    "latency": (_at_least(0), "seconds from 0"),
    "apply_late": _SWITCH,
    "drop_count": _COUNT,
    "drop_rate": _SHARE,
    "malformed": _SWITCH,
    "garbage": _SWITCH,
    "oversize": (_or_none(_at_least(1, whole=True)), "a whole number of bytes from 1"),
    "drip": (_or_none(_at_least(0, exclusive=True)), "seconds, more than 0"),
    "skipped": _NAMES,
    "argument_status": (lambda value: value in (200, 400), "200 or 400"),
    "base_url": (_or_none(_is_text), "a URL"),
    "bulk_polls": (_at_least(0, whole=True), "a whole number from 0"),
    "bulk_fails": _SWITCH,
}
