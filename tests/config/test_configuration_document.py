"""The JSON Schema, the documentation and the reader agree."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sync.config import Settings, json_schema

Load = Callable[..., Settings]

DOCUMENT = (pathlib.Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)


def properties(schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key that the schema knows, with what it says about it."""
    if isinstance(schema, dict):
        own = schema.get("properties", {})
        yield from own.items()
        for value in (*own.values(), *(value for key, value in schema.items() if key != "properties")):
            yield from properties(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from properties(value)


def test_every_key_is_in_the_documentation() -> None:
    keys = {key for key, _ in properties(json_schema())}
    assert {"quiet_period", "with", "schema", "catch_up", "statement_timeout", "max_exits"} <= keys
    assert {key for key in keys if f"`{key}`" not in DOCUMENT} == set()


def test_every_key_of_the_documentation_is_one() -> None:
    keys = {key for key, _ in properties(json_schema())}
    assert set(re.findall(r"^\| `([a-z_]+)`", DOCUMENT, re.MULTILINE)) <= keys


def test_every_key_has_a_description() -> None:
    assert [key for key, about in properties(json_schema()) if not about.get("description")] == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_the_documentation_loads(settings_of: Load, tmp_path: pathlib.Path, example: str) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    example = example.replace("/run/secrets/pushwoosh_api_key", str(tmp_path / "secret"))
    names = dict.fromkeys(("PUSHWOOSH_API_KEY", "PUSHWOOSH_APP_CODE", "WEB_TOKEN", "ALERTS_SECRET"), "x")
    names |= {name: name for name in ("WEB_WRITE_KEY", "IOS_WRITE_KEY", "WEBHOOK_SECRET")}
    urls = dict.fromkeys(("SHOP_DATABASE_URL", "WAREHOUSE_URL"), "sqlite:///shop.db")
    addresses = dict.fromkeys(("ALERTS_URL", "SLACK_URL"), "https://alerts.example/x")
    assert settings_of(example, names | urls | addresses)


def test_the_schema_takes_the_short_forms() -> None:
    definitions = json_schema()["$defs"]
    for section in ("StoreSection", "SourceSection", "ScheduleSection"):
        kinds = {form.get("type") for form in definitions[section]["anyOf"]}
        assert kinds == {"string", "object"}
    concurrency = definitions["LimitsSection"]["properties"]["concurrency"]
    assert {form["type"] for form in concurrency["anyOf"]} == {"integer", "string"}


def test_the_schema_refuses_unknown_keys_and_resolves_in_itself() -> None:
    schema = json_schema()
    assert schema["additionalProperties"] is False
    references = set(re.findall(r"'#/\$defs/(\w+)'", repr(schema)))
    assert references <= set(schema["$defs"])
