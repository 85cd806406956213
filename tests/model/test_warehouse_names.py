"""Names as Segment's and RudderStack's warehouses spell them: the samples of their own tests and documentation."""

from __future__ import annotations

import pytest

from sync.model.warehouse import spelled, spellings


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Order Completed", "order_completed"),
        ("accountType", "account_type"),
        ("inviteYourCustomersAddInvites", "invite_your_customers_add_invites"),
        ("   $#$sample   2    Text   ", "sample_2_text"),
        ("SAMPLE 2 TEXT", "sample_2_text"),
        ("FOO:BAR$BAZ", "foo_bar_baz"),
        ("HTMLParser", "htmlparser"),
        ("order2Id", "order_2id"),
    ],
)
def test_segment(name: str, expected: str) -> None:
    assert expected in spellings([name])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("omega v2", "omega_v2"),
        ("omega v2", "omega_v_2"),
        ("9mega", "_9mega"),
        ("9mega________-________90", "_9_mega_90"),
        ("Cízǔ", "c_z"),
        ("CamelCase123Key", "camel_case123_key"),
        ("CamelCase123Key", "camel_case_123_key"),
        ("path to $1,00,000", "path_to_1_00_000"),
        ("abc123def456", "abc123_def456"),
        ("__abc_123_def_456", "__abc_123_def_456"),
        ("HTMLParser", "html_parser"),
        ("isISO8601", "is_iso_8601"),
        ("my 2nd order", "my_2nd_order"),
        ("order", "_order"),
        ("a" * 70, "a" * 63),
    ],
)
def test_rudderstack(name: str, expected: str) -> None:
    assert expected in spellings([name])


def test_steps_into_objects_are_joined() -> None:
    assert spellings(["productInfo", "skuId"])[0] == "product_info_sku_id"


def test_a_name_without_latin_letters_and_digits_has_no_spelling() -> None:
    assert spellings(["@#$%"]) == []


def test_what_is_there_decides() -> None:
    assert spelled(["omega v2"], ["omega_v_2", "other"]) == "omega_v_2"
    assert spelled(["omega v2"], ["OMEGA_V2"]) == "OMEGA_V2"
    assert spelled(["omega v2"], ["omega"]) is None
