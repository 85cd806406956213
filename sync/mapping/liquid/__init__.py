"""Liquid, the template language of ``@liquid``: python-liquid reads it, and here is what the templates may do.

Segment runs liquidjs, whose idea of numbers, texts and filters is JavaScript's. Ours are written after it, with bounds
and without a clock; a filter of liquidjs that is not here is refused at load, never silently another one.

===========  ===================================================================
environment  the limits, the tags, how values are looked up and printed
comparisons  ``<`` and its like
filters      every filter by its name, and those that are refused
texts        filters on texts
numbers      filters on numbers
lists        filters on lists, and ``default``
dates        the filter ``date``
===========  ===================================================================

Importing python-liquid takes a fifth of a second, so only a mapping that uses it does.
"""
