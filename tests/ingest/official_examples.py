"""The smallest messages that the official schemas allow, made from the schemas."""

from __future__ import annotations

import uuid
from typing import Any

from ocpp.messages import get_validator

REQUEST, RESPONSE = 2, 3


def smallest(version: str, action: str, kind: int = REQUEST) -> Any:  # noqa: ANN401 - any JSON
    """Return the smallest payload that the schema of *action* allows; *version* is 1.6 or so."""
    validator = get_validator(kind, action, version)
    payload = _smallest(validator.schema, validator.schema)
    validator.validate(payload)
    return payload


def _smallest(schema: dict[str, Any], root: dict[str, Any]) -> Any:  # noqa: ANN401, PLR0911 - any JSON
    if "$ref" in schema:
        return _smallest(root["definitions"][schema["$ref"].rpartition("/")[2]], root)
    if "enum" in schema:
        return schema["enum"][0]
    match schema["type"]:
        case "object":
            names = schema.get("required", [])
            return {name: _smallest(schema["properties"][name], root) for name in names}
        case "array":
            return [_smallest(schema["items"], root)]
        case "string" if schema.get("format") == "date-time":
            return "2026-03-02T12:00:00Z"
        case "string" if schema.get("format") == "uri":
            return "https://example.org/file"
        case "string":
            return str(uuid.UUID(int=7))[: schema.get("maxLength", 36)]
        case "boolean":
            return True
        case _:
            return 1
