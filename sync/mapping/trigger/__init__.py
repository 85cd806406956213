"""Triggers: which events a mapping takes, in the small language (FQL) of Segment's subscriptions.

Read once, when the configuration is loaded; an event costs one call. What Segment's screens write means here what it
means there. What only the looseness of its parser lets through is an error with a position.

==========  =======================================================================
tokens      text → tokens, cut as Segment cuts them
names       the fields a trigger reads, and what to say about all other names
parser      tokens → tree: grammar, and the sentence for whatever is not in it
meaning     what one comparison asks, from its field, operator and value
tree        comparisons and junctions
evaluation  tree → a function of an event
==========  =======================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sync.errors import InvalidSubscription
from sync.mapping.trigger.evaluation import Condition, compiled
from sync.mapping.trigger.parser import Parser
from sync.mapping.trigger.tokens import tokens
from sync.mapping.trigger.tree import paths

__all__ = ["LONGEST", "Trigger", "compile_trigger"]

LONGEST = 100_000
"""Characters in a trigger; Segment gives up on a single text of this length."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """Says of an event whether a mapping takes it. Never raises, never changes the event.

    ``fields`` are the paths it reads, such as ``("context", "personas", "computation_class")``.
    """

    text: str
    fields: frozenset[tuple[str, ...]]
    _matches: Condition = field(repr=False, compare=False)

    def __call__(self, event: object) -> bool:
        """Whether the event matches; what is not an object has no members."""
        return self._matches(event if isinstance(event, dict) else {})


def compile_trigger(text: str, *, tolerant: bool = False) -> Trigger:
    """The trigger written as ``text``.

    ``tolerant`` is for comparing with Segment: a part that Segment accepts although it cannot mean what it says
    (``properties.price <=100`` is never true there, ``foo = 1`` is skipped) then has Segment's result instead of being
    an error. Configuration is never read so.

    Raises:
        InvalidSubscription: the first thing that is wrong, with its position from 1.
    """
    if len(text) > LONGEST:
        raise InvalidSubscription(f"the trigger is longer than {LONGEST:,} characters", LONGEST + 1)
    tree = Parser(tokens(text), tolerant=tolerant).read()
    return Trigger(text, paths(tree), compiled(tree))
