"""Variables and files are filled in everywhere, and what they hold is never repeated."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.config import Settings, load
from sync.errors import ConfigurationError

Load = Callable[..., Settings]
Problems = Callable[..., list[str]]

HEAD = "version: 1\nsources: {s: 'sqlite:///s'}\n"


@pytest.mark.parametrize(
    ("text", "env", "sql"),
    [
        ("${A}", {"A": "x"}, "x"),
        ("select ${A}, ${B} from t", {"A": "1", "B": "2"}, "select 1, 2 from t"),
        ("${A:-x y}", {}, "x y"),
        ("${A:-x}", {"A": ""}, "x"),
        ("${A:-x}", {"A": "y"}, "y"),
        ("$${A} $$ $A", {}, "${A} $$ $A"),
        ("${A}", {"A": "${B}"}, "${B}"),
    ],
)
def test_references_are_filled_in_once(settings_of: Load, text: str, env: dict[str, str], sql: str) -> None:
    assert settings_of(f"{HEAD}traits: [{{name: A, sql: '{text}'}}]\n", env).definitions[0].sql == sql


def test_a_file_is_read_without_its_last_line_end(settings_of: Load, tmp_path: pathlib.Path) -> None:
    (tmp_path / "key").write_text("s3cret\n")
    text = f"version: 1\ndestinations: {{d: {{type: pushwoosh, app_code: c, api_key: '${{file:{tmp_path}/key}}'}}}}\n"
    assert settings_of(text).destinations["d"].api_key.get_secret_value() == "s3cret"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("${NOPE}", "the variable NOPE is not set: set it, or give `${NOPE:-default}`"),
        ("${file:/nowhere/at/all}", "the file it names cannot be read (No such file or directory)"),
        ("${file:/}", "the file it names cannot be read"),
        ("${file:/dev/zero}", "the file it names is larger than 64 KB"),
        ("${}", "has a `${…}` that names no variable"),
        ("${1A}", "has a `${…}` that names no variable"),
        ("${A", "has a `${` without its `}`"),
    ],
)
def test_what_cannot_be_filled_in_is_a_problem_of_its_place(problems_of: Problems, text: str, said: str) -> None:
    (problem,) = problems_of(f"{HEAD}traits: [{{name: A, sql: '{text}'}}]\n")
    assert problem.startswith(f"sync.yaml:3: traits[0].sql: {said}")


def test_an_empty_secret_is_refused(problems_of: Problems) -> None:
    (problem,) = problems_of(
        "version: 1\ndestinations: {d: {type: pushwoosh, app_code: c, api_key: '${K}'}}\n", {"K": ""}
    )
    assert problem == "sync.yaml:2: destinations.d.api_key: must not be empty"


EVERYWHERE = """\
version: ${S}
project: ${S}
store: {url: "${S}", schema: "${S}"}
sources: {a: {url: "${S}", statement_timeout: "${S}"}, b: "sqlite://${S}@/x"}
destinations:
  d:
    type: ${S}
    api_key: "${S} "
    app_code: "${S} "
    transport: ${S}
    base_url: https://user:${S}@host
    limits: {rate: "${S}", concurrency: "${S}", deadline: "${S}", lease: "${S}", quiet_period: "${S}"}
    retry: {window: "${S}", attempts: "${S}", longest_delay: "${S}"}
defaults: {source: "${S}", destinations: ["${S}"], schedule: "${S}"}
audiences:
  - {name: "${S}", sql: "${S}", table: "${S}", source: "${S}", destinations: "${S}", schedule: "after: ${S}"}
  - {name: "${S}", key: "${S}", guard: {max_exits: "${S}"}, on_delete: "${S}", enabled: "${S}", schedule: {after: "${S}"}}
  - {name: "${S}", table: {name: "${S}", user_id: "${S}"}, with: ["${S}"], schedule: {cron: "${S}", timezone: "${S}"}}
traits:
  - {name: "${S}", sql: "${S}", schedule: "every ${S}"}
  - {name: "${S}", sql: x, schedule: {every: "${S}", jitter: "${S}", catch_up: "${S}"}, guard: "${S}"}
  - "${S}"
"""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(tail=st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12))
def test_no_problem_repeats_what_a_variable_holds(tmp_path: pathlib.Path, tail: str) -> None:
    path = tmp_path / "sync.yaml"
    path.write_text(EVERYWHERE, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load(path, {"S": f"zq7hunter{tail}"})
    error: BaseException | None = caught.value
    assert len(caught.value.problems) > 25
    while error is not None:
        assert "zq7hunter" not in str(error).lower()
        error = error.__cause__ or error.__context__


LITERALS = EVERYWHERE.replace("${S}", "zq7hunter")


def test_no_problem_repeats_what_stands_in_the_file_as_a_value(problems_of: Problems) -> None:
    # Names of definitions, and keys derived from them, may be named when they stand in the file.
    text = LITERALS.replace('name: "zq7hunter"', 'name: "A"')
    assert not any("zq7hunter" in problem for problem in problems_of(text))
