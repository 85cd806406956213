"""``check`` says what somebody who wrote mappings may not expect."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.command import Said, engage_sync


def checked(folder: Path, mappings: list[dict[str, object]], *arguments: str, audiences: int = 1) -> Said:
    """``check --offline`` on a configuration with these mappings."""
    config = folder / "sync.yaml"
    document = {
        "version": 1,
        "sources": {"shop": "sqlite:///shop.db"},
        "destinations": {"pw": {"type": "pushwoosh", "api_key": "k", "app_code": "c", "mappings": mappings}},
        "audiences": [{"name": f"Vip {number}", "sql": "x"} for number in range(audiences)],
    }
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    said = engage_sync("check", "--offline", "--config", str(config), *arguments)
    assert said.code == 0, said.err
    return said


def test_check_says_which_mapping_switches_on_one_call_for_each_computation(tmp_path: Path) -> None:
    asks = {
        "name": "Vips",
        "action": "updateUserProfile",
        "subscribe": 'context.personas.computation_class = "audience"',
    }
    said = checked(tmp_path, [asks])
    assert (
        'destination pw: one call for each audience and trait (identify_per: computation), because mapping "Vips"'
        in (said.out)
    )
    assert len(checked(tmp_path, [asks | {"enabled": False}, {"action": "updateUserProfile"}]).out.splitlines()) == 1


def test_check_notes_what_no_mapping_takes_and_finds_no_fault_in_it(tmp_path: Path) -> None:
    said = checked(tmp_path, [{"action": "trackEvent"}], audiences=7)
    assert said.out.splitlines()[1] == (
        "note   destination pw: no enabled mapping takes the changes of audience vip_0, audience vip_1, audience vip_2, "
        "audience vip_3, audience vip_4 and 2 more: they are not sent"
    )
    (_, noted) = checked(tmp_path, [{"action": "trackEvent"}], "--json").json["checks"]
    assert noted["what"].startswith("destination pw: no enabled mapping takes the changes of audience vip_0: ")
    assert (noted["problem"], noted["verdict"]) == (None, "note")


def test_check_notes_placeholders_that_are_always_empty(tmp_path: Path) -> None:
    fields = {"external_id": {"@path": "$.userId"}, "city": {"@template": "{{$.traits.city}}"}}
    said = checked(tmp_path, [{"name": "Cities", "action": "updateUserProfile", "mapping": fields}])
    assert said.out.splitlines()[1:] == [
        'note   destination pw: mapping "Cities": `{{$.traits.city}}` is always empty: write `{{traits.city}}`'
    ]


def test_check_tells_a_wrong_configuration_as_json_too(tmp_path: Path) -> None:
    config = tmp_path / "sync.yaml"
    config.write_text("version: 2\nprojekt: a\n", encoding="utf-8")
    said = engage_sync("check", "--json", "--config", str(config))
    assert said.code == 2
    problems = [line.removeprefix("error: ") for line in said.err.splitlines()]
    assert len(problems) == 2
    assert said.json == {"checks": [{"what": str(config), "problem": each, "verdict": "error"} for each in problems]}


def test_check_tells_a_missing_configuration_as_json_too(tmp_path: Path) -> None:
    said = engage_sync("check", "--json", "--config", str(tmp_path / "sync.yaml"))
    (check,) = said.json["checks"]
    assert (said.code, said.err) == (2, f"error: {check['problem']}\n")
