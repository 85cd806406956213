"""``--json`` prints what docs/commands.md shows: the same keys, all the way down."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.command import Project

DOCS = Path(__file__).parents[2] / "docs" / "commands.md"

# What stands in these is named by the user, or by what came of it.
_FREE = {"counts", "owed", "sent", "by_verdict", "last_run", "body", "traits"}


def documented(name: str) -> Any:
    section = DOCS.read_text(encoding="utf-8").partition(f"\n## `{name}`\n")[2].partition("\n## ")[0]
    found = re.search(r"```json\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return json.loads(found.group(1))


def same_shape(shown: object, real: object, where: str) -> None:
    """Both are objects with the same keys, or lists of such, or neither."""
    if isinstance(shown, dict) and isinstance(real, dict):
        assert set(real) == set(shown), where
        for key in shown.keys() - _FREE:
            same_shape(shown[key], real[key], f"{where}.{key}")
    elif isinstance(shown, list) and isinstance(real, list):
        for each in real:
            same_shape(shown[0] if shown else each, each, f"{where}[]")
    else:
        assert isinstance(shown, dict | list) == isinstance(real, dict | list), where


def test_every_report_has_the_documented_shape(synced: Project, tmp_path: Path) -> None:
    lines = tmp_path / "events.jsonl"
    lines.write_text('{"type": "identify", "userId": "u3", "messageId": "m", "traits": {"plan": "pro"}}\n{}')
    synced.write(collector={"listen": "off", "keys": {"web": "a-write-key"}})
    same_shape(documented("events send"), synced.json("events", "send", str(lines)), "events send")
    for name, *arguments in (
        ("check",),
        ("migrate",),
        ("status",),
        ("runs show", "1"),
        ("parked list",),
        ("user show", "u3"),
        ("events show", "m"),
        ("user suppress", "u4"),
        ("user unsuppress", "u4"),
        ("user forget", "u4", "--yes"),
        ("audience list",),
        ("audience members", "number", "--limit", "1"),
    ):
        same_shape(documented(name), synced.json(*name.split(), *arguments), name)


def test_every_sync_has_the_documented_shape(synced: Project) -> None:
    definitions = [{"name": "Newcomer", "sql": "select 'new' as user_id"}, {"name": "Broken", "sql": "select"}]
    synced.write(audiences=definitions[:1])
    planned = synced.json("plan")
    assert planned["definitions"][0]["sample"]
    assert planned["removed"]
    same_shape(documented("plan"), planned, "plan")
    synced.write(audiences=definitions)
    done = synced.json("delta")
    assert all(done[key] for key in ("runs", "failed", "removed", "delivered"))
    same_shape(documented("delta"), done | {"removed": []}, "delta")
    same_shape(documented("plan")["removed"], done["removed"], "removed")
    same_shape(documented("parked redrive"), synced.json("parked", "redrive", "--all", "--no-deliver"), "redrive")
    same_shape(documented("parked drop"), synced.json("parked", "drop", "--all"), "drop")
