"""Segment's audience query language: from text to a typed tree, and from the tree to SQL.

==========  ==========================================================================
tree        what a query means: conditions, values, streams; frozen, and without SQL
parser      text → tree, in one step
grammar     which signs stand where
syntax      text → what was written, with its tokens
misplaced   what to say about a sign that stands where it cannot
checker     what was written → tree: what may follow what, and what must come last
arguments   literals, lists, durations and dates as arguments of functions
names       the functions there are, and what to say about all others
references  definitions that refer to others: put in place, or refused when they go in circles
reads       which events and traits a query reads
memory      how far back a query looks
text        tree → text, in one canonical form
==========  ==========================================================================
"""

from sync.language.parser import parse

__all__ = ["parse"]
