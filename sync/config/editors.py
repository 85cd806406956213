"""The JSON Schema of ``sync.yaml``, from the same models that read it, so that an editor and ``check`` agree."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from sync.config.schema import Document
from sync.config.section import Section

_REFERENCE = {"type": "string", "pattern": r"\$\{"}


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12); accepts the shorthand forms, and ``${VAR}`` where a number or a choice is wanted."""
    schema = Document.model_json_schema(by_alias=True, schema_generator=_Generator)
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema, "title": "sync.yaml"}


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, and what only the file's form adds."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        found = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        if not issubclass(model, Section) or model.shorthand is None:
            return found
        return {"anyOf": [{"type": "string", "description": model.shorthand_meaning}, found]}

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        return {"anyOf": [super().int_schema(schema), _REFERENCE]}

    def bool_schema(self, schema: core_schema.BoolSchema) -> JsonSchemaValue:
        return {"anyOf": [super().bool_schema(schema), _REFERENCE]}

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        return {"anyOf": [super().enum_schema(schema), _REFERENCE]}
