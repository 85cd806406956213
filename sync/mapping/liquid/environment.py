"""Templates, read once and bounded: no loops, no files, no clock, a limited length of texts."""

from __future__ import annotations

from functools import cache
from typing import TextIO

from liquid import Environment, RenderContext
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.echo_tag import EchoNode, EchoTag
from liquid.exceptions import LiquidError
from liquid.expression import Expression
from liquid.template import BoundTemplate
from liquid.undefined import Undefined
from liquid.utils import ReadOnlyChainMap

from sync.mapping.liquid.comparisons import COMPARISONS
from sync.mapping.liquid.filters import REFUSED, filters
from sync.mapping.liquid.texts import text
from sync.mapping.paths import member
from sync.mapping.values import LONGEST_TEXT, MISSING

_NOT_ALLOWED = ("case", "for", "break", "continue", "include", "render", "tablerow", "ifchanged", "doc")
"""Tags that Segment switched off or liquidjs has not. Without them a template takes time in its own length only."""


class Unusable(ValueError):
    """A template cannot be used; says why in a sentence."""


def template(source: str) -> BoundTemplate:
    """Read a template.

    Raises:
        Unusable: it is no Liquid, or uses what is switched off.
    """
    try:
        read = _environment().from_string(source)
        analysis = read.analyze(include_partials=False)
    except LiquidError as error:
        raise Unusable(f"is not valid Liquid{_place(error)}, or uses a tag that is not allowed") from None
    _compare_as_javascript(read)
    if refused := sorted(REFUSED.intersection(analysis.filters)):
        raise Unusable(f"the filter `{refused[0]}` is not allowed: write it without")
    return read


def _compare_as_javascript(read: BoundTemplate) -> None:
    """Have conditions compare as JavaScript does, also what is not of one type, where python-liquid gives up."""
    context = RenderContext(read)
    nodes = list(read.nodes)
    expressions: list[Expression] = []
    while nodes:
        node = nodes.pop()
        nodes.extend(node.children(context, include_partials=False))
        expressions.extend(node.expressions())
    while expressions:
        expression = expressions.pop()
        expressions.extend(expression.children())
        expression.__class__ = COMPARISONS.get(type(expression), type(expression))


def paths(read: BoundTemplate) -> set[tuple[str, ...]]:
    """The paths of the event that a template reads; one that hangs on a value ends before it."""
    found = set()
    for segments in read.global_variable_segments(include_partials=False):
        pieces = []
        for segment in segments:
            if isinstance(segment, list):
                break
            pieces.append(str(segment))
        found.add(tuple(pieces))
    return found


def _place(error: LiquidError) -> str:
    where = error.context()
    return f" at line {where[0]}, column {where[1] + 1}" if where else ""


class _Context(RenderContext):
    """Finds variables in the event and what the template assigned; ``now`` and ``today`` are ordinary names."""

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)  # type: ignore[arg-type]
        self.scope = ReadOnlyChainMap(self.locals, self.globals, self.counters)

    def get_item(self, obj: object, key: object) -> object:
        """A member as JavaScript finds it, or ``size``, ``first`` and ``last`` of a list."""
        if isinstance(key, Undefined) or isinstance(obj, Undefined):
            raise KeyError
        found = self._own(obj, key)
        if found is MISSING:
            found = _computed(obj, key)
        if found is MISSING:
            raise KeyError
        return found

    def _own(self, obj: object, key: object) -> object:
        if isinstance(obj, list) and isinstance(key, int):
            return obj[key] if -len(obj) <= key < len(obj) else MISSING
        return member(obj, text(key)) if isinstance(obj, (dict, list)) else MISSING


def _computed(obj: object, key: object) -> object:
    if key == "size" and isinstance(obj, (list, dict)):
        return len(obj)
    if key == "size" and isinstance(obj, str):
        return member(obj, "length") if obj else 0
    if key in {"first", "last"} and isinstance(obj, list) and obj:
        return obj[0 if key == "first" else -1]
    return MISSING


class _Template(BoundTemplate):
    context_class = _Context


def _print(node: OutputNode, context: RenderContext, buffer: TextIO) -> int:
    value = node.expression.evaluate(context)
    return buffer.write(_printed(value))


def _printed(value: object) -> str:
    if isinstance(value, Undefined) or value is MISSING:
        return ""
    if not (value is None or isinstance(value, (str, bool, int, float, list, dict))):
        raise LiquidError("cannot be printed", token=None)
    return text(value)


class _OutputNode(OutputNode):
    render_to_output = _print


class _EchoNode(EchoNode):
    render_to_output = _print


class _Output(Output):
    node_class = _OutputNode


class _Echo(EchoTag):
    node_class = _EchoNode


class _Environment(Environment):
    template_class = _Template
    output_stream_limit = LONGEST_TEXT
    local_namespace_limit = 4 * LONGEST_TEXT
    suppress_blank_control_flow_blocks = False

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        for name in _NOT_ALLOWED:
            del self.tags[name]
        self.add_tag(_Output)
        self.add_tag(_Echo)
        self.filters = filters()


@cache
def _environment() -> Environment:
    return _Environment(strict_filters=False)
