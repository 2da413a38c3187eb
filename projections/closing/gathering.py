"""A month looked at as a whole: its checklist, and all that is kept of it when it closes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from psycopg import Connection

from ledger.books.feed import DESK_PARTITION
from ledger.books.periods import ClosedMonths, load_marks
from ledger.database import dsn_of
from ledger.desk.closing.desk import KeptReports
from ledger.invoices.issuer import InvoiceIssuer
from ledger.periods.record import ChecklistItem
from projections.balances.document_numbers import given_by
from projections.balances.energy import EnergyDay
from projections.closing.checklist import Told, checklist
from projections.closing.month_balance import balance_bytes, month_balance
from projections.closing.month_reports import energy_days, month_reports
from projections.closing.period_scope import PeriodScope
from projections.replay.replay import ReplayReport
from tariffs.model.canonical import canonical_json


class MonthGathering:
    """Looks at the month of a scope.

    Args:
        connection: To the books.
        scope: Which month of which legal entity.
        replay: Replays the log; None: nobody does, and that item is left unchecked.
        told: Told how many items of the checklist are done, of how many, and which comes next.
    """

    def __init__(
        self,
        connection: Connection[Any],
        scope: PeriodScope,
        *,
        replay: Callable[[], ReplayReport] | None,
        told: Told = lambda _done, _total, _item: None,
    ) -> None:
        self._connection, self._scope = connection, scope
        self._replay, self._told = replay, told

    def checklist(self, only: str | None = None) -> tuple[ChecklistItem, ...]:
        """Return what is left to do, of all items or of one."""
        with InvoiceIssuer(dsn_of(self._connection)) as issuer:
            return checklist(
                self._connection,
                self._scope,
                energy=lambda: self._energy,
                replay=self._replay,
                given=given_by(issuer),
                only=only,
                told=self._told,
            )

    def kept(self) -> KeptReports:
        """Return its checklist, its trial balance and its reports, as they are to be kept."""
        connection, scope = self._connection, self._scope
        # Before all else: who opens the month meanwhile has another number, and nothing is closed.
        marks = ClosedMonths(load_marks(connection, DESK_PARTITION))
        number = marks.last_number_of(scope.legal_entity, scope.month)
        checked = self.checklist()
        balance = month_balance(connection, scope.month, legal_entity=scope.legal_entity)
        reports = month_reports(connection, scope, self._energy)
        return KeptReports(
            number=number,
            checklist=checked,
            trial_balance=balance_bytes(balance),
            reports=canonical_json(reports),
        )

    @cached_property
    def _energy(self) -> Sequence[EnergyDay]:
        return energy_days(self._connection, self._scope)
