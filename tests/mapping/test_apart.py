"""By what a mapping tells users apart is known before there is an event."""

from __future__ import annotations

from typing import Any

import pytest

from sync.mapping.apart import user_fields
from sync.mapping.trigger import compile_trigger

IDENTIFY = 'type = "identify"'
PLAIN = {"@path": "$.userId"}


@pytest.mark.parametrize(
    ("subscribe", "mapping", "fields"),
    [
        (IDENTIFY, {"external_id": PLAIN}, {"external_id"}),
        (IDENTIFY, {"external_id": PLAIN, "email": {"@path": "$.traits.email"}}, {"external_id"}),
        (IDENTIFY, {"external_id": PLAIN, "custom_attributes": {"id": PLAIN}}, None),
        (IDENTIFY, {"external_id": PLAIN, "email": {"@path": "$.messageId"}}, None),
        (IDENTIFY, {"external_id": PLAIN, "email": {"@path": "$."}}, None),
        (IDENTIFY, {"external_id": PLAIN, "email": {"@path": {"@path": "$.traits.of"}}}, None),
        (IDENTIFY, {"external_id": PLAIN, "email": {"@template": "{{{traits.of}}}"}}, None),
        (IDENTIFY, {"external_id": PLAIN, "email": {"@liquid": "{{ traits.of }}"}}, None),
        (IDENTIFY, {"external_id": {"@template": "{{userId}}"}}, None),
        (IDENTIFY, {"@path": "$.traits"}, None),
        (IDENTIFY, {"__segment_internal_directive": {"@merge": {"objects": []}}}, None),
        ('userId != "x"', {"external_id": PLAIN}, None),
        (IDENTIFY, {"email": "a"}, set()),
    ],
)
def test_only_where_nothing_else_reads_it_the_user_stands_in_fields_of_its_own(
    subscribe: str, mapping: dict[str, Any], fields: set[str] | None
) -> None:
    assert user_fields(compile_trigger(subscribe), mapping) == fields
