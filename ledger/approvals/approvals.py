"""The tariff versions on record: proposals, approvals and retirements, with four eyes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from eventsourcing.application import AggregateNotFoundError
from eventsourcing.persistence import IntegrityError

from ledger.aggregates.store import DecisionApplication
from ledger.approvals.record import MOVES, TariffAct, TariffRecord, TariffState
from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.errors import LedgerError
from ledger.master_data.assignments import Assignment
from ledger.master_data.tariff_versions import TariffVersion, published
from tariffs.model.canonical import canonical_json

_PAGE: Final = 500


class TariffApprovals(DecisionApplication):
    """Keeps the record of every version that was proposed. Close it after use."""

    name = "tariffs"

    def versions(self, tariff_id: str) -> tuple[TariffRecord, ...]:
        """Return the recorded versions of one tariff, from number 1 on."""
        return tuple(self._numbered(tariff_id))

    def records(self) -> Iterator[TariffRecord]:
        """Yield every recorded version, in the order in which they were proposed."""
        after = 0
        while True:
            page = self.recorder.select_notifications(after, _PAGE, inclusive_of_start=False)
            for notification in page:
                after = notification.id
                if notification.originator_version == 1:
                    yield self.repository.get(UUID(str(notification.originator_id)))
            if len(page) < _PAGE:
                return

    def pending(self, tariff_id: str) -> TariffRecord:
        """Return the version of a tariff that waits for a second pair of eyes.

        Raises:
            NothingPendingError: If none does.
        """
        for record in reversed(self.versions(tariff_id)):
            if record.is_pending:
                return record
        raise NothingPendingError(tariff_id)

    def propose(
        self,
        version: TariffVersion,
        assignments: Sequence[Assignment] = (),
        *,
        by: str,
        at: datetime,
        holds_from: datetime | None,
    ) -> TariffRecord:
        """Record a proposal; one of the same tariff that still waits is replaced by it.

        The same proposal by the same person is not made twice.

        Raises:
            ContendedTariffError: If somebody else changed this tariff at the same moment.
        """
        known = self.versions(version.tariff.id)
        waiting = [r for r in known if r.state == TariffState.PROPOSED.value]
        record = _record(
            version, assignments, by=by, at=at, holds_from=holds_from, number=len(known) + 1
        )
        for other in waiting:
            if _says(other) == _says(record):
                return other
            other.replace(by=by, at=at, number=record.number)
        # One save: never two proposals of a tariff that wait, and never none after a crash.
        self.keep(*waiting, record)
        return record

    def adopt(self, version: TariffVersion, *, at: datetime, holds_from: datetime) -> TariffRecord:
        """Return the record of a version that holds; make one if it was declared without."""
        known = self.versions(version.tariff.id)
        for record in reversed(known):
            can_retire = (TariffState(record.state), TariffAct.RETIRE) in MOVES
            if record.sha256 == version.sha256 and (can_retire or record.is_pending):
                return record
        record = _record(version, (), by="", at=at, holds_from=None, number=len(known) + 1)
        record.adopt(holds_from=holds_from)
        return record

    def keep(self, *records: TariffRecord) -> None:
        """Save what changed, all of it or nothing.

        Raises:
            ContendedTariffError: If somebody else changed one of them meanwhile.
        """
        try:
            self.save(*records)
        except IntegrityError:
            raise ContendedTariffError(records[-1].tariff_id) from None

    def _numbered(self, tariff_id: str) -> Iterator[TariffRecord]:
        number = 1
        while True:
            try:
                identity = TariffRecord.create_id(tariff_id=tariff_id, number=number)
                yield self.repository.get(identity)
            except AggregateNotFoundError:
                return
            number += 1


def changes_of(record: TariffRecord) -> tuple[Change, ...]:
    """Return what an approved (or retired) version declares to the books."""
    key, holds_from = record.tariff_id, record.holds_from
    if record.state == TariffState.RETIRED.value:
        return (Change(kind=Kind.TARIFF, key=key, entity=None, valid_from=record.holds_until),)
    version = published(record.tariff)
    return (
        Change(kind=Kind.TARIFF, key=key, entity=version, valid_from=holds_from),
        *(
            Change(kind=Kind.ASSIGNMENT, key=each.key(), entity=each, valid_from=holds_from)
            for each in record.assigned
        ),
    )


def _record(
    version: TariffVersion,
    assignments: Sequence[Assignment],
    *,
    by: str,
    at: datetime,
    holds_from: datetime | None,
    number: int,
) -> TariffRecord:
    return TariffRecord(
        tariff_id=version.tariff.id,
        number=number,
        sha256=version.sha256,
        text=canonical_json(version.tariff).decode(),
        assignments=canonical_json(tuple(assignments)).decode(),
        holds_from=holds_from,
        by=by,
        at=at,
    )


def _says(record: TariffRecord) -> tuple[object, ...]:
    return record.sha256, record.assignments, record.holds_from, record.author


class NothingPendingError(LedgerError):
    """No version of this tariff waits for approval."""

    def __init__(self, tariff_id: str) -> None:
        super().__init__(
            f"no version of tariff {tariff_id} waits for approval: `wattledger tariff versions` "
            "shows how each stands"
        )
        self.tariff_id = tariff_id


class ContendedTariffError(LedgerError):
    """Two people changed the record of a tariff at the same moment."""

    def __init__(self, tariff_id: str) -> None:
        super().__init__(f"somebody else has just changed the record of tariff {tariff_id}")
        self.tariff_id = tariff_id
