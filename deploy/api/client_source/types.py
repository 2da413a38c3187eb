"""What a schema of the document is in Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]
_SCALARS: Final[Mapping[tuple[str, str | None], str]] = {
    ("string", None): "str",
    ("string", "date-time"): "datetime",
    ("string", "date"): "date",
    ("string", "binary"): "bytes",
    ("integer", None): "int",
    ("number", None): "float",
    ("boolean", None): "bool",
    ("null", None): "None",
}


def reference_of(schema: Schema) -> str | None:
    """Return the name of the shape that *schema* refers to."""
    said = schema.get("$ref")
    return None if said is None else str(said).rpartition("/")[2]


def type_of(schema: Schema) -> str:
    """Return the annotation of a value that *schema* describes."""
    name = reference_of(schema)
    if name is not None:
        return name
    either = schema.get("oneOf") or schema.get("anyOf")
    if either:
        kinds = dict.fromkeys(map(type_of, either))
        return " | ".join(sorted(kinds, key=lambda each: each == "None"))
    if "enum" in schema:
        return f"Literal[{', '.join(_quoted(each) for each in schema['enum'] if each is not None)}]"
    return _plain(schema)


def _plain(schema: Schema) -> str:
    match schema.get("type"):
        case "array":
            return f"list[{type_of(schema.get('items', {}))}]"
        case "object":
            return f"dict[str, {_values(schema)}]"
        case None:
            return "Any"
        case kind:
            scalar = _SCALARS.get((kind, schema.get("format")))
            return scalar or _SCALARS[kind, None]


def _values(schema: Schema) -> str:
    said = schema.get("additionalProperties")
    return type_of(said) if isinstance(said, Mapping) and said else "Any"


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)
