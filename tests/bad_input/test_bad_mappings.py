"""A wrong mapping is found before anything is sent: where it stands, at which character, and by every command alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.bad_input.conftest import Synced, definitions, is_one_sentence
from tests.command import API_KEY, engage_sync

PROFILE: dict[str, Any] = {"external_id": {"@path": "$.userId"}}
RIGHT: dict[str, Any] = {"name": "VIPs", "partnerAction": "updateUserProfile", "mapping": PROFILE}


def wrong(**keys: object) -> dict[str, Any]:
    """A mapping in which these keys are wrong."""
    return RIGHT | keys


FAULTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "mixed and/or": (
        wrong(subscribe='type = "track" and event = "A" or event = "B"'),
        ["mappings[0].subscribe", "at character 32", "parenthes"],
    ),
    "unknown field in a trigger": (wrong(subscribe='anonymousId = "a"'), ["mappings[0].subscribe", "at character 1 "]),
    "stray token": (wrong(subscribe='type = "track" ]'), ["mappings[0].subscribe", "at character 16"]),
    "unterminated string": (
        wrong(subscribe='type = "track" and event = "A'),
        ["mappings[0].subscribe", "at character 28", "clos"],
    ),
    "missing value": (wrong(subscribe="type ="), ["mappings[0].subscribe", "at character 7"]),
    "upper-case junction": (
        wrong(subscribe='type = "track" OR type = "page"'),
        ["mappings[0].subscribe", "at character 16"],
    ),
    "unknown directive": (wrong(mapping={"email": {"@pth": "$.a"}}), ["mappings[0].mapping.email", "@path"]),
    "directive with a neighbour": (
        wrong(mapping={"email": {"@path": "$.a", "x": 1}}),
        ["mappings[0].mapping.email"],
    ),
    "unknown field of the action": (wrong(mapping={"emial": "x"}), ["mappings[0].mapping.emial", "`email`"]),
    "unknown action": (wrong(partnerAction="trackEvnt"), ["mappings[0].partnerAction", "did you mean `trackEvent`?"]),
    "required field without a mapping": (
        wrong(partnerAction="trackEvent", mapping={"external_id": {"@path": "$.userId"}, "name": "x"}),
        ["mappings[0].mapping.timestamp", "required"],
    ),
    "no object": (wrong(mapping="$.traits"), ["mappings[0].mapping", "must be an object"]),
}


def written(folder: Path, mappings: list[Any]) -> Path:
    """A configuration with these mappings."""
    config = folder / "sync.yaml"
    destination = {"type": "pushwoosh", "api_key": API_KEY, "app_code": "APP", "mappings": mappings}
    content = {
        "version": 1,
        "store": f"sqlite:///{folder}/store.db",
        "sources": {"shop": f"sqlite:///{folder}/shop.db"},
        "destinations": {"pushwoosh": destination},
        **definitions(),
    }
    config.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return config


def line_of(config: Path, text: str) -> int:
    """The line (from 1) in which ``text`` stands."""
    lines = config.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


@pytest.mark.parametrize("fault", FAULTS)
def test_check_finds_a_wrong_mapping_offline_with_its_place(tmp_path: Path, fault: str) -> None:
    mapping, words = FAULTS[fault]
    config = written(tmp_path, [mapping])
    said = engage_sync("check", "--offline", "--config", str(config))
    is_one_sentence(said, 2, f"{config}:", "destinations.pushwoosh.", '(mapping "VIPs")', *words)
    assert said.out == ""


def test_fifty_one_mappings_are_refused_and_fifty_are_not(tmp_path: Path) -> None:
    said = engage_sync("check", "--offline", "--config", str(written(tmp_path, [RIGHT] * 50)))
    assert said.code == 0, said.err
    config = written(tmp_path, [dict(RIGHT) for _ in range(51)])
    said = engage_sync("check", "--offline", "--config", str(config))
    place = f"{config}:{line_of(config, 'mappings:')}: destinations.pushwoosh.mappings: "
    is_one_sentence(said, 2, place, "51", "50 is the most")


def test_every_fault_of_every_mapping_is_told_at_once(tmp_path: Path) -> None:
    config = written(tmp_path, [mapping | {"name": name} for name, (mapping, _) in FAULTS.items()])
    said = engage_sync("check", "--offline", "--config", str(config))
    assert said.code == 2
    lines = said.err.splitlines()
    assert len(lines) == len(FAULTS)
    for line, name in zip(lines, FAULTS, strict=True):
        assert f'(mapping "{name}")' in line
        assert f"{config}:" in line
    assert "Traceback" not in said.err


def test_a_faulty_trigger_and_a_faulty_field_stand_in_their_own_lines(tmp_path: Path) -> None:
    faulty = wrong(subscribe='type = "track', mapping=PROFILE | {"email": {"@nope": 1}})
    config = written(tmp_path, [faulty])
    said = engage_sync("check", "--offline", "--config", str(config))
    trigger, field = said.err.splitlines()
    if ".mapping.email" in trigger:
        trigger, field = field, trigger
    assert f"{config}:{line_of(config, 'subscribe:')}: " in trigger
    assert any(f"{config}:{line_of(config, text)}: " in field for text in ("email:", "@nope"))


def test_every_command_refuses_it_and_nothing_is_sent(synced: Synced, unchanged: Any) -> None:
    with unchanged(synced):
        destination = synced.project.document["destinations"]["pushwoosh"]
        destination["mappings"] = [wrong(subscribe='type = "identify" and')]
        synced.asks("select 'new' as user_id")
        for command in (["check"], ["plan"], ["delta"], ["backfill"], ["status"]):
            is_one_sentence(synced.run(*command), 2, "mappings[0].subscribe", '(mapping "VIPs")', "at character 22")


def test_a_directive_without_quotes_in_yaml_says_what_to_quote(tmp_path: Path) -> None:
    config = written(tmp_path, [RIGHT])
    config.write_text(config.read_text().replace("'@path'", "@path").replace('"@path"', "@path"))
    said = engage_sync("check", "--offline", "--config", str(config))
    is_one_sentence(said, 2, f"{config}:", "put quotes around a key or a text that starts with `@`")
