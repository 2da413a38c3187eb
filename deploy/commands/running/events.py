"""`wattledger events`: what is published of decisions."""

from __future__ import annotations

from deploy.errors import DeployError
from deploy.output import print_file, say


class UnknownKindError(DeployError):
    """No event is of that kind."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(f"no event is of the kind {kind}: `wattledger events schema` lists them")


def schema(kind: str = "", /) -> int:
    """Print the JSON Schema of a kind of event; without a kind, list the kinds.

    docs/events/README.md says how the events are read, and how their schemas may change.

    Args:
        kind: For example session.rated.
    """
    from projections.publishing.event_kinds import EVENT_TYPES
    from projections.publishing.schemas import schema_text

    if not kind:
        say(*EVENT_TYPES)
    elif kind in EVENT_TYPES:
        print_file(schema_text(EVENT_TYPES[kind]))
    else:
        raise UnknownKindError(kind)
    return 0
