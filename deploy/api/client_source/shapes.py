"""The shapes that go in and out, as structs: one for each schema that has a name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any, Final

from deploy.api.client_source.types import Schema, type_of

MADE: Final = "Made from the OpenAPI document by `make client`: change that."
WIDTH: Final = 96
_HEAD: Final = f'''"""The shapes that go in and out. {MADE}"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType
'''


def shapes_source(schemas: Mapping[str, Schema]) -> str:
    """Return the module of all *schemas*, by name."""
    parts = [_HEAD]
    for name, schema in sorted(schemas.items()):
        lines = _enum(name, schema) if "enum" in schema else _struct(name, schema)
        parts.append("\n".join(["", "", *lines, ""]))
    return "".join(parts)


def prose(text: str, indent: str = "    ") -> list[str]:
    """Return a docstring's lines."""
    paragraphs = [" ".join(each.split()) for each in text.strip().split("\n\n")]
    if len(paragraphs) == 1 and len(paragraphs[0]) + len(indent) + 6 <= WIDTH:
        return [f'{indent}"""{paragraphs[0]}"""']
    lines: list[str] = []
    for number, paragraph in enumerate(paragraphs):
        if number:
            lines.append("")
        opening = '"""' if not number else ""
        lines += wrap(paragraph, WIDTH, initial_indent=indent + opening, subsequent_indent=indent)
    return [*lines, f'{indent}"""']


def _enum(name: str, schema: Schema) -> Iterator[str]:
    yield f"class {name}(StrEnum):"
    yield from prose(schema.get("description") or f"What `{name}` may be.")
    yield ""
    for value in schema["enum"]:
        yield f'    {_constant(str(value))} = "{value}"'


def _constant(value: str) -> str:
    word = re.sub(r"\W+", "_", value).upper() or "NONE"
    return f"N_{word}" if word[0].isdigit() else word


def _struct(name: str, schema: Schema) -> Iterator[str]:
    yield f"class {name}(Struct, frozen=True, kw_only=True):"
    yield from prose(schema.get("description") or f"`{name}`, as the interface has it.")
    properties: Mapping[str, Any] = schema.get("properties", {})
    if properties:
        yield ""
    required: Sequence[str] = schema.get("required", ())
    for field, described in properties.items():
        kind = type_of(described)
        if field in required:
            yield f"    {field}: {kind}"
        else:
            parts = [each for each in kind.split(" | ") if each != "None"]
            nothing = ["None"] if "None" in kind.split(" | ") else []
            yield f"    {field}: {' | '.join([*parts, 'UnsetType', *nothing])} = UNSET"
