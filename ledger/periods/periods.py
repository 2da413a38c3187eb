"""The accounting periods on record, and saving them together with what follows in the books."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final
from uuid import UUID

from eventsourcing.application import AggregateNotFoundError
from eventsourcing.persistence import IntegrityError
from psycopg import Connection

from ledger.aggregates.store import DecisionApplication
from ledger.books.periods import MarkAct, MonthMark
from ledger.errors import LedgerError
from ledger.periods.record import AccountingPeriod

_PAGE: Final = 500


class AccountingPeriods(DecisionApplication):
    """Keeps the record of every period that anybody closed. Close it after use."""

    name = "periods"

    def find(self, legal_entity: str, month: str) -> AccountingPeriod:
        """Return the record of a period; of one that nobody touched, a new one."""
        identity = AccountingPeriod.create_id(legal_entity=legal_entity, month=month)
        try:
            return self.repository.get(identity)
        except AggregateNotFoundError:
            return AccountingPeriod(legal_entity=legal_entity, month=month)

    def periods(self, legal_entity: str | None = None) -> list[AccountingPeriod]:
        """Return every period on record (of one legal entity), by legal entity and month."""
        found = [
            each
            for each in self._records()
            if legal_entity is None or each.legal_entity == legal_entity
        ]
        return sorted(found, key=lambda each: (each.legal_entity, each.month))

    def keep(
        self, period: AccountingPeriod, *, within: Callable[[Connection[Any]], None] | None = None
    ) -> None:
        """Save what changed, in one transaction with what *within* writes.

        Raises:
            ContendedPeriodError: If somebody else changed the period meanwhile.
        """
        try:
            self.save(period, within=within)
        except IntegrityError:
            raise ContendedPeriodError(period.month) from None

    def document_marks(self) -> list[MonthMark]:
        """Return the marks between documents, as they were recorded when months were closed.

        Their position is that of `booked_position`; they are in the order of their numbers.
        """
        found = []
        for notification in self._events():
            happened: Any = self.mapper.to_domain_event(notification)
            kind = type(happened).__name__
            if kind in _MARKING:
                period: AccountingPeriod = self.repository.get(
                    UUID(str(notification.originator_id))
                )
                at = happened.booked_up_to + 1
                row = (period.legal_entity, happened.number, period.month)
                found.append(MonthMark(*row, _MARKING[kind], at))
        return sorted(found, key=lambda each: (each.legal_entity, each.number))

    def _records(self) -> Iterator[AccountingPeriod]:
        for notification in self._events():
            if notification.originator_version == 1:
                yield self.repository.get(UUID(str(notification.originator_id)))

    def _events(self) -> Iterator[Any]:
        after = 0
        while True:
            page = self.recorder.select_notifications(after, _PAGE, inclusive_of_start=False)
            for notification in page:
                after = notification.id
                yield notification
            if len(page) < _PAGE:
                return


_MARKING: Final = {"SoftClosed": MarkAct.CLOSE, "Reopened": MarkAct.OPEN}
"""Events that mark the month in the log and among the documents."""


class ContendedPeriodError(LedgerError):
    """Two people changed a period at the same moment."""

    def __init__(self, month: str) -> None:
        super().__init__(f"somebody else has just changed {month}: look at it again")
        self.month = month
