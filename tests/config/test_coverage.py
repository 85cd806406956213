"""Which definitions a destination's mappings take nothing of, as far as that is certain."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from sync.config import Settings
from sync.config.coverage import unheard

Load = Callable[..., Settings]

SHOP = """\
version: 1
sources: {shop: "sqlite:///shop.db"}
audiences:
  - {name: Vip, sql: x}
  - {name: Paused, sql: x, enabled: false}
  - {name: Elsewhere, sql: x, destinations: []}
traits:
  - {name: Spend, sql: x}
destinations:
  pw:
    type: pushwoosh
    api_key: k
    app_code: c
"""
BOTH = ["vip", "spend"]


def keys(settings_of: Load, *triggers: str, identify_per: str | None = None) -> list[str]:
    """The keys that are not heard of where these are the triggers of the mappings."""
    mappings = [{"action": "updateUserProfile", "subscribe": trigger} for trigger in triggers]
    said = f"    identify_per: {identify_per}\n" if identify_per else ""
    settings = settings_of(f"{SHOP}{said}    mappings: {json.dumps(mappings)}\n")
    return [each.key for each in unheard(settings, settings.destinations["pw"])]


def test_the_presets_take_everything(settings_of: Load) -> None:
    settings = settings_of(SHOP)
    assert unheard(settings, settings.destinations["pw"]) == []


@pytest.mark.parametrize(
    ("triggers", "unheard_of"),
    [
        ([], BOTH),
        (['type = "track"'], BOTH),
        (['type = "track"', 'type = "identify"'], []),
        (['type = "identify" and event = "A"'], BOTH),
        (['context.personas.computation_class = "audience"'], ["spend"]),
        (['context.personas.computation_key = "spend"'], ["vip"]),
        (['context.personas.computation_class = "audience"', 'context.personas.computation_class = "trait"'], []),
        (['context.personas.computation_id = "aud_1"'], []),
        (['type = "identify" and traits.plan = "pro"'], []),
        (['userId = "u1"'], []),
    ],
)
def test_a_definition_is_unheard_where_no_trigger_can_match(
    settings_of: Load, triggers: list[str], unheard_of: list[str]
) -> None:
    assert keys(settings_of, *triggers) == unheard_of


def test_without_personas_a_trigger_sees_none(settings_of: Load) -> None:
    assert keys(settings_of, "context.personas != null", identify_per="computation") == []
    assert keys(settings_of, "context.personas = null", identify_per="computation") == BOTH
