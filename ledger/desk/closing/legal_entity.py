"""Whose months are closed, and by which calendar they begin and end."""

from __future__ import annotations

from datetime import tzinfo

from ledger.declared.declarations import Declarations, Kind
from ledger.errors import LedgerError
from ledger.master_data.legal_entities import LegalEntity
from tariffs.zones import zone


def calendar_of(declarations: Declarations, legal_entity: str) -> tzinfo:
    """Return the calendar of a legal entity, as it was last declared.

    Raises:
        UndeclaredEntityError: If it never was.
    """
    for row in reversed(declarations.history(Kind.LEGAL_ENTITY, legal_entity)):
        if isinstance(row.entity, LegalEntity):
            return zone(row.entity.time_zone)
    raise UndeclaredEntityError(legal_entity, declarations.keys(Kind.LEGAL_ENTITY))


def the_legal_entity(declarations: Declarations, given: str | None) -> str:
    """Return the legal entity that is meant: the only one, where none is given.

    Raises:
        UndeclaredEntityError: If it was never declared, or there are several.
    """
    known = declarations.keys(Kind.LEGAL_ENTITY)
    if given is None and len(known) == 1:
        return known[0]
    if given is None or given not in known:
        raise UndeclaredEntityError(given, known)
    return given


class UndeclaredEntityError(LedgerError):
    """No such legal entity was declared, or it is not clear which one is meant."""

    def __init__(self, given: str | None, known: tuple[str, ...]) -> None:
        among = f"there are {', '.join(known)}" if known else "none is declared"
        what = f"there is no legal entity {given}" if given else "say --legal-entity ID"
        super().__init__(f"{what}: {among}")
        self.given, self.known = given, known
