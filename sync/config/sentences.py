"""Each of pydantic's errors as a sentence: what is wrong and what to do, never with the value."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sync.config.problems import Path, Problems, did_you_mean, listed
from sync.config.section import key_names

_SENTENCES = {
    "string_type": "must be text: put quotes around it",
    "string_unicode": "must be valid Unicode text",
    "list_type": "must be a list: start each item with `- `",
    "model_type": "must be a mapping: write its keys below it, as `key: value`",
    "dict_type": "must be a mapping: write its keys below it, as `key: value`",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of a sensible size",
    "int_from_float": "must be a whole number",
    "finite_number": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
}
_PATTERNS = {
    "^[a-z0-9_]+$": "must be of small Latin letters, digits and `_` only",
    "^[a-z][a-z0-9_-]*$": "must start with a small Latin letter and go on with small letters, digits, `_` and `-`",
}


def report(error: ValidationError, model: type[BaseModel], problems: Problems) -> None:
    """Add one problem for each of the error's details."""
    for details in error.errors(include_url=False, include_input=False):
        path: Path = tuple(step for step in details["loc"] if step != "[key]")
        sentence = _sentence(details, path, model)
        # A shorthand has no keys in the file: name the text itself, unless a key is what is missing.
        if details["type"] != "missing":
            path = _standing(path, problems)
        problems.add(path, sentence)


def _standing(path: Path, problems: Problems) -> Path:
    while path and path not in problems.lines:
        path = path[:-1]
    return path


def _sentence(details: ErrorDetails, path: Path, model: type[BaseModel]) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "missing":
        return "is missing: add it"
    if kind == "extra_forbidden":
        return _unknown_key(str(path[-1]), _section_at(model, path[:-1]))
    if kind == "value_error":
        return str(context["error"])
    return _SENTENCES.get(kind) or _bounded(kind, context)


def _bounded(kind: str, context: dict[str, Any]) -> str:
    match kind:
        case "literal_error" | "enum":
            return f"must be {context['expected']}"
        case "greater_than_equal":
            return f"must be at least {context['ge']}"
        case "less_than_equal":
            return f"must be at most {context['le']}"
        case "string_too_long":
            return f"must be at most {context['max_length']} characters long"
        case "string_too_short":
            return "must not be empty"
        case "string_pattern_mismatch":
            return _PATTERNS.get(context["pattern"], "has characters that are not allowed here")
    return "cannot be used here: see docs/configuration.md"


def _unknown_key(key: str, section: type[BaseModel] | None) -> str:
    if section is None:
        return "is not a known key: remove it"
    known = key_names(section)
    return f"is not a known key{did_you_mean(key, known) or f': use one of {listed(known)}'}"


def _section_at(model: type[BaseModel], path: Path) -> type[BaseModel] | None:
    """The model that reads the mapping at ``path``."""
    section: type[BaseModel] | None = model
    inside = False
    for step in path:
        if section is None:
            return None
        if inside:  # a name in a mapping or an index in a list of sections
            inside = False
            continue
        field = next((field for name, field in section.model_fields.items() if (field.alias or name) == step), None)
        annotation = field.annotation if field else None
        inside = getattr(annotation, "__origin__", None) in {dict, list}
        section = _section_in(annotation)
    return section


def _section_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((found for argument in get_args(annotation) if (found := _section_in(argument))), None)
