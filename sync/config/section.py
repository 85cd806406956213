"""What every section of ``sync.yaml`` has in common: known keys only, short forms, and keys without a value left out."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema, model_validator


class Section(BaseModel):
    """A mapping of known keys. A key without a value counts as left out."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    shorthand: ClassVar[str | None] = None
    """The key that a plain text instead of the mapping stands for."""

    shorthand_meaning: ClassVar[str] = "Short for the `url`."

    @model_validator(mode="before")
    @classmethod
    def _normalise(cls, data: Any) -> Any:
        if isinstance(data, str) and cls.shorthand:
            data = cls.expand(data)
        if not isinstance(data, dict):
            return data
        known = key_names(cls)
        return {key: value for key, value in data.items() if value is not None or key not in known}

    @classmethod
    def expand(cls, text: str) -> dict[str, Any]:
        """The mapping that ``text`` is short for."""
        return {str(cls.shorthand): text}


def key_names(section: type[BaseModel]) -> list[str]:
    """The keys of a section as they are written in the file."""
    return [field.alias or name for name, field in section.model_fields.items()]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Listed = BeforeValidator(_listed)
"""One text is a list of one."""

Names = Annotated[
    list[str],
    Listed,
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
