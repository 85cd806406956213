"""Where a table really is: enough to tell whether the store's own connection sees the very same one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Location:
    """A table on one PostgreSQL server. ``server`` is (start of the server, database, role): another role may see other
    rows. ``types`` are the columns' type names by column."""

    server: tuple[str, str, str]
    schema: str
    table: str
    types: dict[str, str]
    statement_timeout: float
