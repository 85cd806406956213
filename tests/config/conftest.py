"""Loading a configuration from its text."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping

import pytest

from sync.config import Settings, load
from sync.errors import ConfigurationError

Load = Callable[..., Settings]
Problems = Callable[..., list[str]]


@pytest.fixture
def settings_of(tmp_path: pathlib.Path) -> Load:
    """Settings from a text and the environment."""

    def settings(text: str, env: Mapping[str, str] | None = None) -> Settings:
        path = tmp_path / "sync.yaml"
        path.write_text(text, encoding="utf-8")
        return load(path, env or {})

    return settings


@pytest.fixture
def problems_of(settings_of: Load, tmp_path: pathlib.Path) -> Problems:
    """The problems of a text, from ``sync.yaml`` on (without the directory)."""

    def problems(text: str, env: Mapping[str, str] | None = None) -> list[str]:
        with pytest.raises(ConfigurationError) as caught:
            settings_of(text, env)
        return [problem.removeprefix(f"{tmp_path}/") for problem in caught.value.problems]

    return problems
