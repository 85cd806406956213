"""What is no fault in a mapping and yet hardly meant: for whoever wrote it, when the configuration is checked."""

from __future__ import annotations

from collections.abc import Iterator

from sync.mapping.check import shown
from sync.mapping.directives.template import placeholders


def remarks(mapping: object) -> tuple[str, ...]:
    """A sentence for each; of a mapping that compiles."""
    return tuple(dict.fromkeys(_empty_placeholders(mapping)))


def _empty_placeholders(part: object) -> Iterator[str]:
    """``{{$.event}}``: in a template, other than in ``@path``, ``$`` is the name of a member."""
    if isinstance(part, list):
        for item in part:
            yield from _empty_placeholders(item)
    elif isinstance(part, dict):
        template = part.get("@template")
        if isinstance(template, str):
            yield from _in_template(template)
        for member in part.values():
            yield from _empty_placeholders(member)


def _in_template(template: str) -> Iterator[str]:
    for braces in (3, 2):
        for _, path, _ in placeholders(template, braces):
            rather = path.removeprefix("$.")
            if rather not in (path, ""):
                before, after = "{" * braces, "}" * braces
                yield f"`{before}{shown(path)}{after}` is always empty: write `{before}{shown(rather)}{after}`"
