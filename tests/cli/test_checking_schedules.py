"""``check`` notes definitions that never run by themselves."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.command import engage_sync


def noted(folder: Path, *audiences: dict[str, object]) -> list[str]:
    """The notes of ``check --offline``; none of them is a fault."""
    document = {
        "version": 1,
        "sources": {"shop": "sqlite:///shop.db"},
        "destinations": {"pw": {"type": "pushwoosh", "api_key": "k", "app_code": "c"}},
        "audiences": [{"sql": "x"} | each for each in audiences],
    }
    config = folder / "sync.yaml"
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    said = engage_sync("check", "--offline", "--config", str(config))
    assert said.code == 0, said.err
    return [line for line in said.out.splitlines() if line.startswith("note")]


def test_who_follows_a_definition_that_is_switched_off_is_noted_and_so_is_who_follows_them(tmp_path: Path) -> None:
    off = {"name": "A", "enabled": False}
    assert noted(tmp_path, off, {"name": "B", "schedule": "after: A"}, {"name": "C", "schedule": "after: B"}) == [
        f"note   audience {key} never runs by itself: it waits for a (`after:`), which is switched off (`enabled: false`)"
        for key in ("b", "c")
    ]


def test_who_follows_what_runs_is_not_noted_nor_is_who_is_switched_off(tmp_path: Path) -> None:
    assert noted(tmp_path, {"name": "A"}, {"name": "B", "schedule": "after: A"}) == []
    off = {"name": "A", "enabled": False}
    assert noted(tmp_path, off, {"name": "B", "schedule": "after: A", "enabled": False}) == []
