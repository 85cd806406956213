"""The error tree. A class says what the caller should do; its message is one sentence: what, where, what to do.

::

    SyncError                    one clear sentence, no traceback; exit 2 = mend something, exit 1 = try again
    ├── UsageError               2  the command line or the request makes no sense
    ├── ConfigurationError       2  sync.yaml is wrong; carries every problem found
    ├── StoreError               2  the engine's own database
    │   ├── SchemaError          2  the schema is too old, too new or missing: says which command to run
    │   └── StoreUnavailable     1  cannot be reached, is locked or full: nothing was recorded
    ├── SourceError              2  the customer's database
    │   ├── SourceUnavailable    1  cannot be reached, or took too long
    │   ├── QueryError           2  the definition's SQL does not run (syntax, missing table, a write)
    │   │   └── QueryTooDeep     2  SQLite cannot follow what a `query:` was compiled to
    │   └── DataError            2  the answer cannot be used (NULL, empty or doubled user ids, bad values)
    ├── RunError                 1  one run could not go on
    │   ├── RunLost              1  another process took the run over: nothing was recorded
    │   │   └── RunSuperseded    1  a newer configuration was announced: nothing was recorded
    │   ├── RunBusy              1  another process is refreshing this definition now
    │   └── AsOfError            2  an instant earlier than the one already recorded
    ├── InvalidQuery             2  a `query:` is wrong: says in which line and column
    └── MappingError             2  Segment's mapping language: a trigger, a mapping, or an event for it
        ├── InvalidSubscription  2  the trigger does not parse: says at which character
        ├── InvalidMapping       2  a directive is wrong: carries every problem with its path
        └── InvalidEvent         2  this one event cannot be turned into a request

Never put a secret, a trait's value or a whole user row into a message; user ids may be named. Messages are for the
person who asked. A log is read by others, and kept: it gets ``for_log``, which names no user and repeats no database.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class SyncError(Exception):
    """Base of everything we raise on purpose; ``exit_code`` is what a command ends with."""

    exit_code = 2

    def __init__(self, sentence: str = "", *, for_log: str | None = None) -> None:
        super().__init__(sentence)
        self._for_log = for_log

    @property
    def for_log(self) -> str:
        """The sentence as it may stand in a log: without users, and without what a database said of its rows."""
        return str(self) if self._for_log is None else self._for_log


class UsageError(SyncError):
    """The command line makes no sense as given."""


class ConfigurationError(SyncError):
    """``sync.yaml`` is wrong. ``problems`` holds one sentence each, with file, line where known, and path."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class StoreError(SyncError):
    """The engine's own database cannot be used as asked."""


class SchemaError(StoreError):
    """The store's schema does not fit this version."""


class StoreUnavailable(StoreError):
    """The store cannot be reached or written now; nothing was recorded."""

    exit_code = 1


class SourceError(SyncError):
    """The customer's database cannot be used as asked. Its sentence may name users, or quote a row."""

    _logged: ClassVar[str] = "the source cannot be used as asked (`engage-sync runs` says why)"

    @property
    def for_log(self) -> str:
        return self._logged if self._for_log is None else self._for_log


class SourceUnavailable(SourceError):
    """The source cannot be reached now, or took longer than its statement timeout."""

    exit_code = 1
    _logged = "the source cannot be reached, or took too long (`engage-sync runs` says more)"


class QueryError(SourceError):
    """A definition's SQL was refused by the source."""

    _logged = "the source does not run the query, or its answer lacks a column (`engage-sync runs` says which)"


class QueryTooDeep(QueryError):
    """More stands inside something else than SQLite's parser has room for."""


class DataError(SourceError):
    """A definition's answer cannot be used; names the first offenders."""

    _logged = "the answer cannot be used (`engage-sync runs` says which users or rows)"


class RunError(SyncError):
    """One run could not go on."""

    exit_code = 1


class RunLost(RunError):
    """Another process took this run over; nothing was recorded by this one."""


class RunSuperseded(RunLost):
    """A newer configuration was announced while this run went by an older one; nothing was recorded by it."""


class RunBusy(RunError):
    """Another process is refreshing this definition now."""


class AsOfError(RunError):
    """Asked to evaluate at an instant earlier than the one already recorded."""

    exit_code = 2


class InvalidQuery(SyncError):
    """A definition in Segment's query language is wrong. ``line`` and ``column`` are inside its text, from 1."""

    def __init__(self, sentence: str, line: int, column: int) -> None:
        self.sentence = sentence
        self.line = line
        self.column = column
        super().__init__(f"line {line}, column {column}: {sentence}")


class MappingError(SyncError):
    """Something in Segment's mapping language, or an event for it, cannot be used."""


class InvalidSubscription(MappingError):
    """A trigger does not parse. ``position`` counts characters from 1."""

    def __init__(self, sentence: str, position: int) -> None:
        self.sentence = sentence
        self.position = position
        super().__init__(f"character {position}: {sentence}")


class InvalidMapping(MappingError):
    """A mapping is wrong. ``problems`` holds (path inside the mapping, sentence) for everything found."""

    def __init__(self, problems: Sequence[tuple[tuple[str | int, ...], str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{'.'.join(map(str, path))}: {said}" if path else said for path, said in problems))


class InvalidEvent(MappingError):
    """This event cannot be turned into a request by this mapping, and never will be: says why, without its values."""
