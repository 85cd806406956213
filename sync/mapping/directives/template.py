"""``{"@template": "Hello {{traits.name}}"}``: text with the values at paths in it.

Two passes: ``{{{path}}}`` first, then ``{{path}}`` over the result, so that a value put in by three braces may itself
hold placeholders. Nothing is escaped. A template without three braces is taken apart once, at load.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sync.errors import InvalidEvent
from sync.mapping.check import Checker, Path
from sync.mapping.paths import Pieces, found, split, walker
from sync.mapping.scope import Directive, Node, Resolve, Scope, constant
from sync.mapping.values import BLANKS, LONGEST_TEXT, MISSING, text_of


def _check(checker: Checker, argument: object, path: Path) -> None:
    checker.text_or_directive(argument, path)


def _build(scope: Scope, argument: object) -> Node:
    given = scope.node(argument)
    if not given.constant:
        return _given_by_event(scope, given)
    template = given.value()
    if not isinstance(template, str):
        return scope.failure("the template must be a text")
    scope.reads.update(_reads(template))
    if "{{{" in template:
        too_long = _too_long(scope)
        return Node(lambda event: _expanded(template, event, too_long))
    return _taken_apart(scope, template)


def _reads(template: str) -> Iterator[Pieces]:
    """The paths in three braces, then those in two of what is left without them."""
    for braces in (3, 2):
        left, done = [], 0
        for start, path, end in placeholders(template, braces):
            yield split(path)
            left.append(template[done:start])
            done = end
        template = "".join((*left, template[done:]))


def _given_by_event(scope: Scope, given: Node) -> Node:
    scope.reads.add(())
    too_long = _too_long(scope)
    refusal = scope.refusal("the template must be a text, and this event gives something else")

    def resolve(event: object) -> object:
        template = given.resolve(event)
        if not isinstance(template, str):
            raise InvalidEvent(refusal)
        return _expanded(template, event, too_long)

    return Node(resolve)


def _taken_apart(scope: Scope, template: str) -> Node:
    parts: list[Resolve] = []
    done = 0
    for start, path, end in placeholders(template, 2):
        if start > done:
            parts.append(constant(template[done:start]).resolve)
        parts.append(walker(split(path)))
        done = end
    if not parts:
        return constant(template)
    if done < len(template):
        parts.append(constant(template[done:]).resolve)
    too_long = _too_long(scope)

    def resolve(event: object) -> object:
        event = {} if event is MISSING else event
        return _joined((part(event) for part in parts), too_long)

    return Node(resolve)


def placeholders(template: str, braces: int) -> Iterator[tuple[int, str, int]]:
    """Where each placeholder begins, the path in it, and where it ends.

    The text between the braces is anything but ``}``, and not nothing. The first ``}`` decides for every brace that
    opens before it, so each character is looked at once, however many braces there are.
    """
    opening, closing = "{" * braces, "}" * braces
    done = 0
    while (start := template.find(opening, done)) >= 0:
        inner = start + braces
        done = template.find("}", inner)
        if done < 0:
            return
        if done > inner and template.startswith(closing, done):
            path = template[inner:done].strip(BLANKS)
            done += braces
            yield start, path, done


def _expanded(template: str, event: object, too_long: str) -> str:
    event = {} if event is MISSING else event
    for braces in (3, 2):
        template = _joined(_filled(template, event, braces), too_long)
    return template


def _filled(template: str, event: object, braces: int) -> Iterator[object]:
    done = 0
    for start, path, end in placeholders(template, braces):
        yield template[done:start]
        yield found(path)(event)
        done = end
    yield template[done:]


def _joined(values: Iterable[object], too_long: str) -> str:
    texts = []
    length = 0
    for value in values:
        text = value if isinstance(value, str) else "" if value is None or value is MISSING else text_of(value)
        length += len(text)
        if length > LONGEST_TEXT:
            raise InvalidEvent(too_long)
        texts.append(text)
    return "".join(texts)


def _too_long(scope: Scope) -> str:
    return scope.refusal(f"the text grows beyond {LONGEST_TEXT} characters")


DIRECTIVE = Directive("@template", _check, _build)
