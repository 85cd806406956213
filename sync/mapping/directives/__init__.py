"""Segment's directives: one small file each, and this register.

A new one is a file with a ``DIRECTIVE`` (how its argument is checked, and what it is compiled to) and its line below.

================== ==================================================================
path               ``@path``: the value at a path
template           ``@template``: text with ``{{paths}}`` in it
liquid             ``@liquid``: text with Shopify's template language in it
literal            ``@literal``: what stands there, resolved
condition          ``@if``: one of two values
case               ``@case``: text in small or capital letters
replace            ``@replace``: text with other text in place of some
array_path         ``@arrayPath``: a list, each item in a new shape
encoding           ``@json``: to JSON text and back
flatten            ``@flatten``: nested objects as one
merge              ``@merge``: several objects as one
transform          ``@transform``: a mapping on what another mapping made
exclude_when_null  ``@excludeWhenNull``: null as missing
================== ==================================================================
"""

from __future__ import annotations

from typing import Final

from sync.mapping.directives import (
    array_path,
    case,
    condition,
    encoding,
    exclude_when_null,
    flatten,
    liquid,
    literal,
    merge,
    path,
    replace,
    template,
    transform,
)
from sync.mapping.scope import Directive

DIRECTIVES: Final[dict[str, Directive]] = {
    module.DIRECTIVE.name: module.DIRECTIVE
    for module in (
        path,
        template,
        liquid,
        literal,
        condition,
        case,
        replace,
        array_path,
        encoding,
        flatten,
        merge,
        transform,
        exclude_when_null,
    )
}
"""Every directive by its name, ``@`` included."""
