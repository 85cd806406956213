"""What an account's list of tags says, and what it lacks."""

from __future__ import annotations

import pytest

from sync.destinations.pushwoosh.public.listing import Lacking, lacking, read_listing
from sync.destinations.pushwoosh.public.tag_types import TagType, holding


def test_types_are_read_by_number_and_by_name() -> None:
    body = (
        b'{"status_code":200,"response":{"tags":[{"name":"a","type":5},{"name":"b","type":"2"},{"name":"c","type":"Price"},'
        b'{"name":"d","type":99},{"name":"e"},{"type":1},"odd"]}}'
    )
    assert read_listing(body) == {
        "a": TagType.BOOLEAN,
        "b": TagType.STRING,
        "c": TagType.PRICE,
        "d": None,
        "e": None,
    }


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"response":null}', b'{"response":{"tags":{}}}'])
def test_an_answer_without_a_list_says_nothing(body: bytes) -> None:
    assert read_listing(body) is None


def test_what_is_missing_and_what_has_another_type_are_told_apart() -> None:
    needed = {name: holding(value) for name, value in {"a": True, "b": 1, "c": "x", "d": None, "City": "x"}.items()}
    listing = {"b": TagType.STRING, "c": TagType.STRING, "d": TagType.LIST, "City": TagType.LIST}
    assert lacking(needed, listing) == Lacking({"a": holding(True)}, {"b": (TagType.STRING, holding(1))})


def test_a_type_that_nobody_knows_is_no_mistake() -> None:
    assert lacking({"a": holding(True)}, {"a": None}) == Lacking({}, {})
