"""``init`` writes a configuration that loads, and never overwrites; ``schema`` prints JSON."""

from __future__ import annotations

import json
import pathlib

import pytest
from click.testing import CliRunner

from sync.cli.project import init, schema
from sync.config import Schedule, load
from sync.errors import UsageError
from sync.model.definition import Kind


def variables(path: pathlib.Path) -> dict[str, str]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_what_init_writes_loads_once_the_example_variables_are_set(tmp_path: pathlib.Path) -> None:
    directory = tmp_path / "new" / "shop"
    result = CliRunner().invoke(init, [str(directory)], catch_exceptions=False)
    assert result.exit_code == 0
    settings = load(directory / "sync.yaml", variables(directory / ".env.example"))

    assert [(found.kind, found.key) for found in settings.definitions] == [
        (Kind.AUDIENCE, "order_completed_last_30days"),
        (Kind.AUDIENCE, "big_spenders"),
        (Kind.TRAIT, "total_spend"),
    ]
    assert settings.sources["shop"].url.get_secret_value() == "sqlite:///shop.db"
    assert settings.schedules["total_spend"] == Schedule(after="big_spenders")


@pytest.mark.parametrize("existing", ["sync.yaml", ".env.example"])
def test_init_overwrites_nothing_and_then_writes_nothing(tmp_path: pathlib.Path, existing: str) -> None:
    (tmp_path / existing).write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        CliRunner().invoke(init, [str(tmp_path)], catch_exceptions=False)
    assert [path.name for path in tmp_path.iterdir()] == [existing]
    assert (tmp_path / existing).read_text() == "mine"


def test_init_says_when_it_cannot_write(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        CliRunner().invoke(init, [str(tmp_path / "file" / "below")], catch_exceptions=False)


def test_schema_prints_a_json_schema() -> None:
    printed = json.loads(CliRunner().invoke(schema, [], catch_exceptions=False).output)
    assert printed["$schema"].startswith("https://json-schema.org/")
    assert printed["required"] == ["version"]
