"""Ids that have been sent out never change."""

from __future__ import annotations

import re

from sync.model.computation import computation_id
from sync.model.definition import Kind


def test_the_id_of_a_definition_is_the_same_for_ever() -> None:
    assert computation_id("shop", Kind.AUDIENCE, "a") == "aud_DnT7teSc6n35qbhSi8FjGoYwhXw"


def test_an_id_looks_like_segments_own_and_differs_by_project_kind_and_key() -> None:
    ids = [
        computation_id("shop", Kind.AUDIENCE, "a"),
        computation_id("shop", Kind.TRAIT, "a"),
        computation_id("shop", Kind.AUDIENCE, "b"),
        computation_id("other", Kind.AUDIENCE, "a"),
    ]
    assert len({each[4:] for each in ids}) == len(ids)
    assert all(re.fullmatch(r"(aud|tra)_[0-9A-Za-z]{27}", each) for each in ids)
    assert [each[:4] for each in ids] == ["aud_", "tra_", "aud_", "aud_"]
