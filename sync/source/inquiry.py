"""All that a run asks of a query's source, over one connection: how far its tables have come, and then answers.

Each of them is read in a read-only transaction of its own, with a timeout of its own, so that nothing is held open while
the store works. What the tables are like is looked up once, before anything is read: should it change in between, a
statement fails, or the next run finds the tables to be others and reads everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from sync.errors import QueryTooDeep
from sync.model.definition import Definition
from sync.model.watermark import Since, Survey
from sync.source import changes, reader
from sync.source.connection import Source
from sync.source.lenient import make_lenient
from sync.source.questions import Posed, posed, question
from sync.source.reader import Answer


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Use `inquire` to get one. ``survey`` is what there was before anything else is asked."""

    survey: Survey
    _source: Source
    _connection: Connection
    _definition: Definition
    _posed: Posed

    @contextmanager
    def answer(self, as_of: datetime) -> Iterator[Answer]:
        """Everybody's answer, as `sync.source.reader.answer` gives it."""
        asked = question(self._posed, as_of)
        with self._turn(), reader.answered(self._source, self._connection, self._definition, as_of, asked) as found:
            yield found

    @contextmanager
    def candidates(self, as_of: datetime, since: Since) -> Iterator[Answer]:
        """The users whose answer can have changed, with what it is now: of who is in it no more, there is no value."""
        asked = changes.question_of_changes(self._posed, as_of, since)
        with self._turn(), reader.candidates(self._source, self._connection, self._definition, asked) as found:
            yield found

    def _turn(self) -> AbstractContextManager[None]:
        return _turn(self._source, self._connection)


@contextmanager
def inquire(source: Source, definition: Definition) -> Iterator[Inquiry]:
    """Begin to ask; raises `QueryError` where a table or a column is missing."""
    with reader.named(definition), source.read(ours=True) as connection:
        make_lenient(connection)
        with _turn(source, connection), source.translated():
            found = posed(source, connection, definition)
            survey = changes.survey(source, connection, definition, found)
        yield Inquiry(survey, source, connection, definition, found)


@contextmanager
def _turn(source: Source, connection: Connection) -> Iterator[None]:
    """A transaction, ended when nothing more can be asked in it; but for one that is lost, which `Source.read` drops."""
    source.restart_timeout()
    with source.translated():
        transaction = connection.begin()
    try:
        yield
    except QueryTooDeep:  # the same may be asked in another way
        transaction.rollback()
        raise
    with source.translated():
        transaction.rollback()
