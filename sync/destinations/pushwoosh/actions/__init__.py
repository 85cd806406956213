"""The actions of Pushwoosh, each in a file of its own: fields, defaults and the body of its request.

===================  =======================================================
call                 what an action is made of
update_user_profile  *Create or Update User Profiles*: ``track-user``
track_event          *Track Event*: ``post-events``, alone or batched
===================  =======================================================
"""

from __future__ import annotations

from functools import cache

from sync.destinations.pushwoosh.actions import track_event, update_user_profile
from sync.destinations.pushwoosh.actions.call import Call
from sync.mapping.action import Action
from sync.mapping.mapping import Mapping, compile_subscription

CALLS: dict[str, Call] = {each.action.slug: each for each in (update_user_profile.CALL, track_event.CALL)}
"""Every action's call, by the slug that Segment writes as ``partnerAction``."""

ACTIONS: dict[str, Action] = {slug: each.action for slug, each in CALLS.items()}
"""Every action by its slug."""


@cache
def presets() -> tuple[Mapping, ...]:
    """The two mappings that stand in for a configuration without any."""
    return tuple(preset(each) for each in ACTIONS.values())


def preset(action: Action) -> Mapping:
    """The mapping that the documentation offers for ``action``."""
    return compile_subscription(action.preset, action, action.subscribe, action.default_mapping())
