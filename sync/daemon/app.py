"""Open what a command works with: settings, store, sources, destinations. The only place that puts them together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from sync.clock import Clock, SystemClock
from sync.config import Settings, load
from sync.deliver.outlet import Outlet
from sync.destinations.pushwoosh.transport import AnyPushwoosh, connected
from sync.errors import UsageError
from sync.model.definition import Definition
from sync.model.feed import COLLECTOR
from sync.source.connection import Source
from sync.source.kept import Kept
from sync.source.tables import COLLECTED
from sync.store import definitions, revision
from sync.store.engine import Database, connect

COLLECTOR_TIMEOUT = 300.0
"""The ``statement_timeout`` of the source that is always there."""


class App:
    """Everything by name. ``database`` is opened on first use; ``close`` gives everything back."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self._database: Database | None = None
        self._scratch: TemporaryDirectory[str] | None = None
        self._sources: dict[str, Source] = {}
        self._kept: defaultdict[str, Kept] = defaultdict(Kept)

    @classmethod
    def load(cls, path: Path, environment: Mapping[str, str]) -> App:
        """From a configuration file; raises `ConfigurationError` with every problem."""
        return cls(load(path, environment))

    def connect(self) -> Database:
        """The store as it is, whatever its schema."""
        if self._database is None:
            store = self.settings.store
            self._database = connect(store.url.get_secret_value(), store.schema, self.clock)
        return self._database

    def database(self) -> Database:
        """The store, with a schema that fits and owned by this project. A fresh SQLite file is set up on the way."""
        database = self.connect()
        if database.is_fresh_file():
            _migrate(database)
        revision.check(database)
        with database.read() as connection:
            owner = definitions.owner(connection)
        if owner != self.settings.project:
            with database.write() as connection:
                definitions.claim_project(connection, self.settings.project, database.now(connection))
        return database

    def database_to_look_at(self) -> Database:
        """The store for commands that write nothing: one that does not exist yet is an empty one elsewhere."""
        database = self.connect()
        if not database.is_fresh_file():
            revision.check(database)
            with database.read() as connection:
                definitions.check_owner(definitions.owner(connection), self.settings.project)
            return database
        database.close()
        self._database = connect(self._empty_store(), clock=self.clock)
        return self._database

    def _empty_store(self) -> str:
        """The URL of a store that holds nothing, gone with us: it stands in for one that does not exist yet."""
        if self._scratch is None:
            self._scratch = TemporaryDirectory(prefix="engage-sync-")
            with closing(connect(f"sqlite:///{self._scratch.name}/empty.db", clock=self.clock)) as database:
                _migrate(database)
        return f"sqlite:///{self._scratch.name}/empty.db"

    def migrate(self) -> tuple[str | None, str]:
        """Bring the store's schema up to date; gives the revisions before and after."""
        return _migrate(self.connect(), self.settings.store.schema)

    def source(self, name: str) -> Source:
        """A source by its name."""
        if name not in self._sources:
            self._sources[name] = self.own_source(name)
        return self._sources[name]

    def own_source(self, name: str) -> Source:
        """A source that nobody else works with: its statement timeout runs for one reader at a time."""
        if name == COLLECTOR:
            return self._collector_source()
        settings, kept = self.settings.sources[name], self._kept[name]
        url = settings.url.get_secret_value()
        return Source(name, url, settings.statement_timeout, tables=settings.tables, kept=kept)

    def _collector_source(self) -> Source:
        """What the collector received: the store's own database, as a source that is read like any other.

        Definitions read the views ``collected_events`` and ``collected_profiles``.
        """
        database, store = self.connect(), self.settings.store
        if database.dialect == "sqlite":
            fresh = database.is_fresh_file()
            url = self._empty_store() if fresh else database.engine.url.render_as_string(hide_password=False)
        else:
            url = store.url.get_secret_value()
        kept = self._kept[COLLECTOR]
        return Source(
            COLLECTOR, url, COLLECTOR_TIMEOUT, schema=store.schema, setting="store", tables=COLLECTED, kept=kept
        )

    def destination(self, name: str) -> AnyPushwoosh:
        """A destination by its name."""
        settings = self.settings.destinations[name]
        access = settings.access
        return connected(
            access.transport,
            name=name,
            api_key=settings.api_key.get_secret_value(),
            app_code=settings.app_code,
            base_url=settings.base_url,
            token=access.token,
            server_token=None if access.server_token is None else access.server_token.get_secret_value(),
            clock=self.clock,
            mappings=settings.mappings,
        )

    def outlets(self, names: Iterable[str]) -> list[Outlet]:
        """Destinations with their delivery settings."""
        chosen = [(name, self.settings.destinations[name]) for name in names]
        return [Outlet(self.destination(name), found.delivery, found.identify_per) for name, found in chosen]

    def quiet(self) -> float:
        """Seconds after which whatever was sent to any destination has arrived."""
        settings = [each.delivery for each in self.settings.destinations.values()]
        return max((each.deadline + each.quiet_period for each in settings), default=0.0)

    def select(self, names: Sequence[str]) -> list[Definition]:
        """Definitions by name or key; all enabled ones when none is named."""
        if not names:
            return [each for each in self.settings.definitions if each.enabled]
        chosen = list(dict.fromkeys(self.settings.definition(name) for name in names))
        for each in chosen:
            if not each.enabled:
                raise UsageError(f"{each.kind} {each.name!r} is switched off (`enabled: false`): switch it on first")
        return chosen

    def check_destination(self, name: str) -> None:
        """Raise `UsageError` for a destination that the configuration does not have."""
        if name not in self.settings.destinations:
            known = ", ".join(self.settings.destinations) or "none"
            raise UsageError(f"there is no destination {name!r} in {self.settings.path} (it has: {known})")

    def close(self) -> None:
        """Give connections back."""
        for kept in self._kept.values():
            kept.close()
        if self._database is not None:
            self._database.close()
        if self._scratch is not None:
            self._scratch.cleanup()


def _migrate(database: Database, schema: str | None = None) -> tuple[str | None, str]:
    # Alembic takes longer to load than most commands take to run, and few of them need it.
    from sync.store.migrate import migrate

    return migrate(database, schema)
