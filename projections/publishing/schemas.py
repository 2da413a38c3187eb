"""The schema of each kind of event, from its type."""

from __future__ import annotations

from typing import Any

import msgspec

from projections.publishing.event_kinds import kind_of_event
from projections.publishing.event_types import DecisionEvent


def event_schema(event_type: type[DecisionEvent]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a kind of event."""
    (schema,), definitions = msgspec.json.schema_components([event_type])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{kind_of_event(event_type)}, version {event_type.version}",
        **schema,
        "$defs": definitions,
    }


def schema_text(event_type: type[DecisionEvent]) -> str:
    """Return the JSON Schema of a kind of event as docs/events holds it."""
    text = msgspec.json.format(msgspec.json.encode(event_schema(event_type)), indent=2).decode()
    return f"{text}\n"
