"""Whether a newer JSON Schema of an event may take the place of an older one.

Events stay in the topic, and readers are not changed all at once: a reader of the old schema must
read new events, and one of the new schema old events. So only an optional field may be added;
what describes may change. Anything else is an event of another kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]
_DESCRIBES: Final = frozenset({"title", "description", "examples", "$comment", "$schema", "$defs"})
_LOOKED_INTO: Final = frozenset({"properties", "required", "items", "anyOf", "prefixItems"})


def incompatibilities(older: Schema, newer: Schema) -> list[str]:
    """Return what of *newer* breaks a reader, each with its path; nothing if all is well."""
    return list(_differences(older, newer, _At(older, newer, "")))


class _At:
    """Two documents at the same path: what their references refer to."""

    def __init__(self, older: Schema, newer: Schema, path: str) -> None:
        self.older, self.newer, self.path = older, newer, path

    def below(self, name: str) -> _At:
        return _At(self.older, self.newer, f"{self.path}/{name}")


def _differences(older: Schema, newer: Schema, at: _At) -> Iterator[str]:
    older, newer = _resolved(older, at.older), _resolved(newer, at.newer)
    for keyword in sorted((older.keys() | newer.keys()) - _DESCRIBES - _LOOKED_INTO):
        if older.get(keyword) != newer.get(keyword):
            yield f"{at.path}: {keyword} was {older.get(keyword)!r}, is {newer.get(keyword)!r}"
    yield from _of_fields(older, newer, at)
    if ("items" in older) != ("items" in newer):
        yield f"{at.path}: items are told in one of them only"
    elif isinstance(items := older.get("items"), Mapping):
        yield from _differences(items, newer["items"], at.below("items"))
    for keyword in ("anyOf", "prefixItems"):
        choices, now = older.get(keyword, ()), newer.get(keyword, ())
        if len(choices) != len(now):
            yield f"{at.path}: {keyword} had {len(choices)} choices, has {len(now)}"
        for number, pair in enumerate(zip(choices, now, strict=False)):
            yield from _differences(*pair, at.below(f"{keyword}/{number}"))


def _of_fields(older: Schema, newer: Schema, at: _At) -> Iterator[str]:
    fields, now = older.get("properties", {}), newer.get("properties", {})
    required, needed = set(older.get("required", ())), set(newer.get("required", ()))
    for name in sorted(fields.keys() - now.keys()):
        yield f"{at.path}/{name}: the field is gone"
    for name in sorted(now.keys() - fields.keys()):
        if name in needed:
            yield f"{at.path}/{name}: a new field must be optional: older events lack it"
    for name in sorted(fields.keys() & now.keys()):
        if (name in required) != (name in needed):
            was, are = (_word(name in each) for each in (required, needed))
            yield f"{at.path}/{name}: it was {was}, is {are}"
        yield from _differences(fields[name], now[name], at.below(name))


def _word(is_required: bool) -> str:  # noqa: FBT001 - one word for each
    return "required" if is_required else "optional"


def _resolved(schema: Schema, document: Schema) -> Schema:
    """Return *schema*, or what it refers to within *document*."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: Any = document
    for name in str(reference).removeprefix("#/").split("/"):
        found = found[name]
    beside = {key: value for key, value in schema.items() if key != "$ref"}
    return {**_resolved(found, document), **beside}
