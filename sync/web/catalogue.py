"""Every metric there is: its name, its kind, what tells its series apart, what it means.

Labels are keys of definitions, names of destinations, services and leases, and words of our own: never a user. What comes
from the store is the same in every daemon (take the ``max``); what a daemon counts is its own (take the ``sum``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sync.model.outcome import FILTERED, INVALID, Verdict


class Kind(StrEnum):
    """Prometheus's types: a counter only grows, and starts anew with the process."""

    GAUGE = "gauge"
    COUNTER = "counter"


class Origin(StrEnum):
    """Who knows it."""

    STORE = "store"
    DAEMON = "daemon"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. A counter's ``name`` is without the ``_total`` that Prometheus wants at its end."""

    name: str
    kind: Kind
    origin: Origin
    labels: tuple[str, ...]
    meaning: str

    @property
    def full_name(self) -> str:
        """As scraped."""
        return f"{self.name}_total" if self.kind is Kind.COUNTER else self.name


def _gauge(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(f"engage_sync_{name}", Kind.GAUGE, Origin.STORE, labels, meaning)


def _own(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(f"engage_sync_{name}", Kind.GAUGE, Origin.DAEMON, labels, meaning)


def _counter(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(f"engage_sync_{name}", Kind.COUNTER, Origin.DAEMON, labels, meaning)


FRESHNESS = _gauge(
    "definition_freshness_seconds", "Time since the last recorded run; `+Inf` before the first.", "definition"
)
MEMBERS = _gauge("definition_members", "Users with a value now.", "definition")
RUN_STATUS = _gauge(
    "definition_last_run_status",
    "1 for how the newest run ended: `succeeded`, `held`, `failed` or `lost`; 0 for the others.",
    "definition",
    "status",
)
RUN_SECONDS = _gauge("definition_last_run_seconds", "How long that run took.", "definition")
ENTERED = _gauge(
    "definition_last_run_entered",
    "Users who entered in the newest recorded run, which is one that succeeded or held.",
    "definition",
)
EXITED = _gauge("definition_last_run_exited", "Users who left in it.", "definition")
CHANGED = _gauge("definition_last_run_changed", "Users whose value changed in it.", "definition")
HELD = _gauge("definition_last_run_held", "Users whose exit it held: somebody must decide.", "definition")
BROKEN = _gauge(
    "definition_refresh_broken",
    "1 while it is refreshed in full because incremental runs had missed changes, until somebody acknowledges it.",
    "definition",
)
BACKLOG = _gauge(
    "backlog_users",
    "Users who are owed something, by state: `due`, `sending`, `waiting` (for another try), `confirm`, `parked`.",
    "destination",
    "state",
)
OLDEST_OWED = _gauge(
    "oldest_owed_seconds",
    "How long the user who has waited longest has been owed something; parked ones aside.",
    "destination",
)
BREAKER = _gauge(
    "breaker_state",
    "1 for the state of the destination's breaker: `closed`, `open` or `half_open`; 0 for the others.",
    "destination",
    "state",
)
EVENTS = _gauge(
    "event_backlog",
    "Events that the destination has still to get, by state: `unread` (counted up to 100,000), `waiting` (for another try, "
    "or for an earlier one of their user), `parked`.",
    "destination",
    "state",
)
EVENT_LAG = _gauge(
    "event_lag_seconds",
    "How long ago the oldest event that is unread or waiting was received; 0 when none is.",
    "destination",
)
DELETIONS = _gauge(
    "deletions_pending",
    "Users who were forgotten and whom the destination has still to delete, by state: `owed` (tried until it accepts), "
    "`refused` (until somebody asks again).",
    "destination",
    "state",
)
DELETION_AGE = _gauge(
    "deletion_oldest_seconds",
    "How long the oldest of them could have been done; 0 when there is none.",
    "destination",
)
LEASE_HOLDER = _gauge(
    "lease_holder_info", "1 for the process that leads, or that delivers to a destination.", "lease", "host", "pid"
)
LEASE_TERM = _gauge("lease_term", "How often the lease has changed hands.", "lease")
TICK_LAG = _gauge("tick_lag_seconds", "How long the oldest tick that nobody has taken has been due; 0 when none is.")
TICKS = _gauge("ticks", "Ticks by state: `due` (also those of which the time has not come) and `running`.", "state")
OLDEST_TRANSACTION = _gauge(
    "store_oldest_transaction_seconds",
    "How long another connection has kept a transaction open on the store's server; 0 on SQLite.",
)
LOG_AGE = _gauge("log_age_seconds", "How long ago the oldest event that is kept was received; 0 when none is.")
STORE_BYTES = _gauge("store_bytes", "Size of the store: SQLite's file, or PostgreSQL's tables with their indexes.")

STORE_UP = _own("store_up", "1 when the store could be read for this answer; else what comes from it is left out.")
STORE_SECONDS = _own("store_read_seconds", "How long reading the store took.")
CURRENT = _own(
    "configuration_current", "0 when another daemon announced a newer configuration: this one takes no ticks."
)
SERVICE_UP = _own(
    "service_up", "1 for each part of the daemon that works, 0 for one that failed and is tried again.", "service"
)
TICKER_AGE = _own("ticker_look_age_seconds", "Time since the ticker last looked for what is due.")
INFO = _own("info", "1, with the version of engage-sync.", "version")

RUNS = _counter("runs", "Runs that ended in this daemon, by how.", "definition", "status")
RUN_TIME = _counter("run_seconds", "Time that runs took in this daemon.", "definition")
ENTERED_TOTAL = _counter("entered", "Users who entered, recorded by this daemon.", "definition")
EXITED_TOTAL = _counter("exited", "Users who left, recorded by this daemon.", "definition")
CHANGED_TOTAL = _counter("changed", "Users whose value changed, recorded by this daemon.", "definition")
MISSED = _counter(
    "refresh_missed",
    "Users whom incremental runs should have found changed, as a full run of this daemon found.",
    "definition",
)
DELIVERED = _counter("delivered", "Users who got all that was owed to them.", "destination")
DEFERRED = _counter("deferred", "Times that a user was put off for another try.", "destination")
REFUSED = _counter("refused", "Users who were parked because the destination refuses their data.", "destination")
PARKED = _counter("parked", "Users who were parked, for whatever reason.", "destination")
EXCHANGES = _counter(
    "exchanges",
    "Requests by what became of them: `accepted`, `refused`, `not_sent`, `not_applied`, `unknown`, `fault`; "
    "and events without a request: `filtered`, `invalid`.",
    "destination",
    "verdict",
)
COLLECTED = _counter(
    "collect_events", "Events that clients were told are stored, also those that were there already.", "source"
)
COLLECTED_BYTES = _counter("collect_bytes", "Bytes of what was posted, inflated.")
DUPLICATES = _counter("collect_duplicates", "Events that were there already.")
SUPPRESSED = _counter("collect_suppressed", "Events that were left out because their user is suppressed.")
COLLECT_REFUSED = _counter(
    "collect_refused",
    "Events, and whole requests, that were not taken, by why; `source` is empty where the key is wrong or missing.",
    "source",
    "reason",
)
FEED_EVENTS = _counter("feed_events", "Events that were read from a table with `forward`.", "feed")
FEED_SKIPPED = _counter("feed_rows_skipped", "Rows of it that cannot be events.", "feed")
FORWARDED = _counter(
    "forwarded",
    "Times that something became of an event at a destination, by what: the verdicts of `engage_sync_exchanges_total`, and "
    "`suppressed`.",
    "destination",
    "verdict",
)
EVENTS_PARKED = _counter("events_parked", "Events that were parked, for whatever reason.", "destination")
DELETED = _counter(
    "deletions",
    "Times that a destination was told to delete a user, by what became of it: `done`, `refused`, `owed` (tried again).",
    "destination",
    "outcome",
)

VERDICTS = (*Verdict, FILTERED, INVALID)
"""What may become of what is sent to a destination."""

EVENT_VERDICTS = (*VERDICTS, "suppressed")
"""What may become of an event of the log there."""

METRICS = tuple(each for each in globals().copy().values() if isinstance(each, Metric))
"""All of them, in the order above."""
