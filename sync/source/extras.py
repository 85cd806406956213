"""Drivers that are there only if somebody wanted them."""

from __future__ import annotations

from importlib.util import find_spec

from sync.errors import ConfigurationError


def installed(setting: str, extra: str, *modules: str) -> None:
    """Raise `ConfigurationError`, with what to install, unless all modules are there."""
    if any(find_spec(each) is None for each in modules):
        raise ConfigurationError(
            [f"{setting}: the driver for this database is not installed: run `pip install 'engage-sync[{extra}]'`"]
        )
