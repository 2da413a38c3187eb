"""What became of the tariff versions on record, move by move, for those who follow it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

from ledger.approvals.approvals import TariffApprovals
from ledger.approvals.record import TariffRecord, TariffState


class TariffMove(StrEnum):
    """What was decided about a version."""

    PROPOSED = "proposed"
    ADOPTED = "adopted"
    APPROVED = "approved"
    REJECTED = "rejected"
    REPLACED = "replaced"
    RETIREMENT_PROPOSED = "retirement_proposed"
    RETIREMENT_REJECTED = "retirement_rejected"
    RETIRED = "retired"


class RecordedMove(NamedTuple):
    """What was recorded of a version under a number, and the version's record right after it.

    Numbers rise in the order of the commits (the library's store locks its table for each save),
    with gaps. `move` None: nothing that anybody decided was noted.
    """

    number: int
    move: TariffMove | None
    at: datetime
    record: TariffRecord


_ALWAYS: Final = {
    "Adopted": TariffMove.ADOPTED,
    "Replaced": TariffMove.REPLACED,
    "RetirementProposed": TariffMove.RETIREMENT_PROPOSED,
}


def recorded_moves(approvals: TariffApprovals, *, after: int, limit: int) -> Iterator[RecordedMove]:
    """Yield up to *limit* of what was recorded after the number *after*, in its order."""
    found = approvals.recorder.select_notifications(after, limit, inclusive_of_start=False)
    for each in found:
        happened: Any = approvals.mapper.to_domain_event(each)
        identity = UUID(str(each.originator_id))
        record: TariffRecord = approvals.repository.get(identity, version=each.originator_version)
        # An adoption has no time of its own: it is saved with the record that it makes.
        at = getattr(happened, "at", record.proposed_at)
        yield RecordedMove(each.id, _move(type(happened).__name__, record), at, record)


def _move(happened: str, record: TariffRecord) -> TariffMove | None:
    """Return what *happened*, an event of the record by name, that left *record* as it is."""
    state = TariffState(record.state)
    match happened:
        case "Proposed":
            # An adopted one was proposed by nobody.
            return TariffMove.PROPOSED if record.author else None
        case "Approved":
            return TariffMove.RETIRED if state is TariffState.RETIRED else TariffMove.APPROVED
        case "Rejected":
            is_back = state is TariffState.APPROVED
            return TariffMove.RETIREMENT_REJECTED if is_back else TariffMove.REJECTED
        case _:
            return _ALWAYS.get(happened)
