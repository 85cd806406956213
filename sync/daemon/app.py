"""Open what a command works with: settings, store, sources, destinations. The only place that puts them together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from sync.clock import Clock, SystemClock
from sync.config import Settings, load
from sync.deliver.outlet import Outlet
from sync.destinations.pushwoosh.destination import Pushwoosh
from sync.errors import UsageError
from sync.model.definition import Definition
from sync.source.connection import Source
from sync.store import definitions, migrate
from sync.store.engine import Database, connect


class App:
    """Everything by name. ``database`` is opened on first use; ``close`` gives everything back."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self._database: Database | None = None
        self._scratch: TemporaryDirectory[str] | None = None
        self._sources: dict[str, Source] = {}

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
            migrate.migrate(database)
        migrate.check(database)
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
            migrate.check(database)
            with database.read() as connection:
                definitions.check_owner(definitions.owner(connection), self.settings.project)
            return database
        database.close()
        self._scratch = TemporaryDirectory(prefix="engage-sync-")
        self._database = connect(f"sqlite:///{self._scratch.name}/empty.db", clock=self.clock)
        migrate.migrate(self._database)
        return self._database

    def migrate(self) -> tuple[str | None, str]:
        """Bring the store's schema up to date; gives the revisions before and after."""
        return migrate.migrate(self.connect(), self.settings.store.schema)

    def source(self, name: str) -> Source:
        """A source by its name."""
        if name not in self._sources:
            self._sources[name] = self.own_source(name)
        return self._sources[name]

    def own_source(self, name: str) -> Source:
        """A source that nobody else works with: its statement timeout runs for one reader at a time."""
        settings = self.settings.sources[name]
        return Source(name, settings.url.get_secret_value(), settings.statement_timeout)

    def destination(self, name: str) -> Pushwoosh:
        """A destination by its name."""
        settings = self.settings.destinations[name]
        return Pushwoosh(
            name=name,
            api_key=settings.api_key.get_secret_value(),
            app_code=settings.app_code,
            base_url=settings.base_url,
            clock=self.clock,
            mappings=settings.mappings,
        )

    def outlets(self, names: Iterable[str]) -> list[Outlet]:
        """Destinations with their delivery settings."""
        chosen = [(name, self.settings.destinations[name]) for name in names]
        return [Outlet(self.destination(name), found.delivery, found.identify_per) for name, found in chosen]

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
        if self._database is not None:
            self._database.close()
        if self._scratch is not None:
            self._scratch.cleanup()
