"""``check`` compares the tags that definitions need with those that Pushwoosh has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sync.destinations.sandbox import Sandbox, SandboxThread
from tests.command import Project, Said
from tests.shop import Shop

AUDIENCES = [
    {"name": "Big Spenders", "sql": "select user_id, email, value as plan from answer", "with": ["email", "plan"]}
]
TRAITS = [
    {"name": "Number", "sql": "select user_id, cast(value as integer) as value from answer"},
    {"name": "Brand", "sql": "select user_id, email as value from answer"},
]
SHOP = [("u1", 1, "a@b.c"), ("u2", 2, "d@e.f")]


@contextmanager
def project(shop: Shop, folder: Path, tags: dict[str, int], **settings: object) -> Iterator[Project]:
    """A destination of the documented API, whose account has these tags."""
    shop.answers(SHOP)
    sandbox = Sandbox(api_keys=["device"], server_tokens=["server"], tags=tags)
    with SandboxThread(sandbox) as server:
        made = Project(folder, sandbox)
        pushwoosh = {
            "type": "pushwoosh",
            "transport": "public-api",
            "api_key": "device",
            "server_token": "server",
            "app_code": "APP",
            "base_url": server.url,
        }
        made.write(
            version=1,
            store=f"sqlite:///{folder / 'store.db'}",
            sources={"shop": {"url": shop.url}},
            destinations={"pw": {**pushwoosh, **settings}},
            audiences=AUDIENCES,
            traits=TRAITS,
        )
        yield made


def about_tags(said: Said) -> list[str]:
    return [line for line in (said.out + said.err).splitlines() if "tag" in line and "destination pw" in line]


def test_missing_tags_are_named_with_the_types_to_create_them_with(sqlite_shop: Shop, tmp_path: Path) -> None:
    with project(sqlite_shop, tmp_path, {"plan": 2}) as made:
        said = made("check")
    unknown = "(of the type of its values, of which none is known yet)"
    assert (said.code, about_tags(said)) == (
        0,
        [
            (
                "note   destination pw: these tags do not exist, create them in the Control Panel: "
                f"Email {unknown}, big_spenders (Boolean), number {unknown}, brand {unknown}"
            )
        ],
    )


def test_a_traits_type_is_told_by_the_values_that_were_decided(sqlite_shop: Shop, tmp_path: Path) -> None:
    with project(sqlite_shop, tmp_path, {"plan": 2, "Email": 2}) as made:
        made.done("delta", "--no-deliver")
        [told] = about_tags(made("check"))
    assert told.endswith(": big_spenders (Boolean), number (Integer, or Price if it may have decimals), brand (String)")


def test_a_tag_of_another_type_is_an_error(sqlite_shop: Shop, tmp_path: Path) -> None:
    with project(sqlite_shop, tmp_path, {"plan": 2, "Email": 2, "big_spenders": 1, "number": 6, "brand": 2}) as made:
        said = made("check")
    assert (said.code, len(about_tags(said))) == (2, 1)
    assert "error: destination pw: tag big_spenders has the type Integer, and its values need Boolean" in said.err


def test_an_account_that_has_them_all_is_right(sqlite_shop: Shop, tmp_path: Path) -> None:
    with project(sqlite_shop, tmp_path, {"plan": 2, "Email": 2, "big_spenders": 5, "number": 1, "brand": 2}) as made:
        said = made("check")
    assert (said.code, about_tags(said)) == (0, ["ok     destination pw: has the tags that the definitions need"])


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("unknown", "the account or its token may not (401 unauthorized)"),
        ("device", "the account or its token may not (200 Token restrictions forbid this operation)"),
        (None, "that needs a server token (`server_token`)"),
    ],
)
def test_an_account_that_may_not_be_asked_is_said_to_be_so(
    sqlite_shop: Shop, tmp_path: Path, token: str | None, why: str
) -> None:
    settings = {"server_token": token} if token else {"server_token": ""}
    with project(sqlite_shop, tmp_path, {}, **settings) as made:
        said = made("check")
    told = f"note   destination pw: its tags could not be compared with what the definitions need: {why}"
    assert (said.code, about_tags(said)) == (0, [told])


def test_tags_are_those_that_the_mappings_make_of_it(sqlite_shop: Shop, tmp_path: Path) -> None:
    renamed = {"VIP": {"@path": "$.traits.big_spenders"}}
    fields = {"external_id": {"@path": "$.userId"}, "custom_attributes": renamed}
    with project(sqlite_shop, tmp_path, {}, mappings=[{"action": "updateUserProfile", "mapping": fields}]) as made:
        [told] = about_tags(made("check"))
    assert told.endswith(": VIP (Boolean)")


def test_what_apps_tell_of_themselves_needs_tags_where_they_are_listened_to(sqlite_shop: Shop, tmp_path: Path) -> None:
    tags = {"plan": 2, "Email": 2, "big_spenders": 5, "number": 1, "brand": 2, "Language": 2, "City": 3}
    with project(sqlite_shop, tmp_path, tags) as made:
        made.write(collector={"listen": "off", "keys": {"web": "k"}})
        [told] = about_tags(made("check"))
    assert told == (
        "note   destination pw: Pushwoosh's own tags Application Version, Country, Device Model, OS Version are not "
        "listed: create them if they turn out missing"
    )


def test_offline_nobody_is_asked(sqlite_shop: Shop, tmp_path: Path) -> None:
    with project(sqlite_shop, tmp_path, {}) as made:
        assert about_tags(made.done("check", "--offline")) == []
        assert made.sandbox.requests == 0
