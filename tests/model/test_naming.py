"""Names become keys by the published rule, and stay keys."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.model.naming import RESERVED_KEYS, snake_case

VECTORS = [
    ("sampleText", "sample_text"),
    ("SAMPLE 2 TEXT", "sample_2_text"),
    ("5TEst", "5test"),
    ("2FA Enabled", "2fa_enabled"),
    ("CStringRef", "cstring_ref"),
    ("FOO:BAR$BAZ", "foo_bar_baz"),
    ("something.com", "something_com"),
    ("samPLE text", "sam_ple_text"),
    ("lk0B@bFmjrLQ_Z6YL", "lk0_b_b_fmjr_lq_z6yl"),
    ("p_z9Rg", "p_z9_rg"),
    ("sample___text", "sample_text"),
    ("Order Completed Last 30days", "order_completed_last_30days"),
    ("Order Completed Last 30 Days", "order_completed_last_30_days"),
    ("VIP's & Big-Spenders (>$100)", "vip_s_big_spenders_100"),
    ("iOS Users", "i_os_users"),
    ("HTTPServer Users", "httpserver_users"),
    ("顧客リスト", ""),
    ("Покупатели", ""),
    ("  --  ", ""),
    ("", ""),
    ("_leading and trailing_", "leading_and_trailing"),
    ("café owners", "caf_owners"),
    ("12abc5DE", "12abc5_de"),
    ("a_9Rg", "a_9rg"),
]


@pytest.mark.parametrize(("name", "key"), VECTORS)
def test_the_published_vectors_hold(name: str, key: str) -> None:
    assert snake_case(name) == key


@given(st.text())
def test_a_key_is_its_own_key_and_has_only_safe_characters(name: str) -> None:
    key = snake_case(name)
    assert snake_case(key) == key
    assert re.fullmatch(r"([a-z0-9]+(_[a-z0-9]+)*)?", key)


def test_the_reserved_keys_are_the_fields_of_the_profile_action() -> None:
    assert len(RESERVED_KEYS) == 15
    assert all(snake_case(key) == key for key in RESERVED_KEYS)
