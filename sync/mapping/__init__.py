"""Segment's mappings: which events a destination gets (triggers), and what becomes of them (directives, field schemas).

Everything is compiled once, when the configuration is loaded; an event costs function calls, never parsing. Pure: no
I/O, no clock, no state, and an event is never changed.

===========  ========================================================================
trigger/     FQL, the language of triggers: text → tokens → tree → function of an event
directives/  ``@path``, ``@template``, …: one small file each
compiler     a whole mapping: checked, then compiled to a function of an event
check        everything that is wrong with a mapping, found at load, with its path
scope        what directives are built with: nodes, and where in the mapping they stand
complete     mappings that are complete in themselves: the one at the top, and ``@transform``'s first
liquid/      the template language of ``@liquid``: its filters and limits
paths        ``$.traits.email``: the two rules by which Segment walks an event
values       JavaScript's ideas of missing, false, text and number, where they show on the wire
action       what an action of a destination declares: its fields, their types and defaults
validation   payloads against an action's fields: what is empty, what is missing, what is wrong
coercion     from a value of the wrong type to a field's type, where there is a way
dates        date-like values as RFC 3339
mapping      a trigger, an action and field mappings, ready to take events
apart        by what a mapping tells users apart
remarks      what is no fault in a mapping and yet hardly meant
===========  ========================================================================
"""
