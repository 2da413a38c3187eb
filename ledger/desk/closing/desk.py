"""Closing months: soft-closed by one person, checked and closed by another, opened again by two.

The record of the period and the marks that say so to every partition come in one transaction
(the marks through the outbox), so that a kill leaves both or neither. Meanwhile no document is
booked: it stands before the mark or after it. Whoever comes to the desk next carries marks that
a kill left behind to the log.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, LiteralString

from psycopg import Connection

from ledger.books.feed import DESK_PARTITION
from ledger.books.periods import (
    ClosedMonths,
    MarkAct,
    MonthMark,
    load_marks,
    lock_documents,
    month_after,
    month_before,
    month_begins,
    store_marks,
)
from ledger.database import dsn_of
from ledger.declared.store import load_declarations
from ledger.desk.closing.legal_entity import calendar_of
from ledger.desk.closing.refusals import (
    MarksNotTakenError,
    MonthOrderError,
    NothingToSignOffError,
    NotOverYetError,
    ReasonNeededError,
)
from ledger.desk.recording import WAIT_SECONDS_MAX, WorkOff
from ledger.invoices.invoicer import waiting_since
from ledger.invoices.issuer import InvoiceIssuer
from ledger.log.envelope import PeriodMark, encode_line
from ledger.log.event_log import EventLog
from ledger.log.outbox import carry, put
from ledger.periods.periods import AccountingPeriods, ContendedPeriodError
from ledger.periods.record import (
    AccountingPeriod,
    ChecklistItem,
    PeriodAct,
    PeriodState,
)
from ledger.users.pairs import check_pair
from ledger.users.roles import Permission

_PAUSE_SECONDS: Final = 0.05
_EARLIER: LiteralString = """
SELECT min(period) FROM journal_entry WHERE legal_entity = %s AND period > %s AND period < %s
"""
_BOOKED: LiteralString = "SELECT notification_id FROM booked_position"
_POSITIONS: LiteralString = """
SELECT partition, position FROM period_mark
WHERE legal_entity = %s AND number = %s AND partition >= 0
"""
_CLOSE: LiteralString = """
INSERT INTO closed_period (legal_entity, month) VALUES (%s, %s)
ON CONFLICT (legal_entity) DO UPDATE SET month = excluded.month
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptReports:
    """What is kept of a closed month: its checklist, and canonical JSON.

    `number`: of the last mark of the month as this was gathered. One that was opened again and
    soft-closed anew meanwhile has another one, and other entries.
    """

    number: int
    checklist: tuple[ChecklistItem, ...]
    trial_balance: bytes
    reports: bytes


class PeriodDesk:
    """Where months are closed and opened again; *work_off* takes the worker's turn (None: it runs).

    Every act raises ContendedPeriodError where somebody else changed the period meanwhile, and
    IllegalPeriodMoveError or SecondPersonError where it is not for this state, or this person.
    """

    def __init__(
        self,
        connection: Connection[Any],
        periods: AccountingPeriods,
        log: EventLog,
        work_off: WorkOff | None,
    ) -> None:
        """Carry what an earlier act left behind; *connection* is to the books."""
        self._connection, self._periods = connection, periods
        self._log, self._work_off = log, work_off
        carry(connection, log)

    def soft_close(
        self, legal_entity: str, month: str, *, by: str, at: datetime, reason: str = ""
    ) -> AccountingPeriod:
        """Let *month* take no more entries; return once every partition knows.

        Raises:
            NotOverYetError: If it is not over, or a record or document of its time is to come.
            MonthOrderError: If an earlier month is open.
            MarksNotTakenError: If the worker did not come to the marks in time.
            NotCarriedError: If it is recorded, and the log cannot take the marks now.
        """
        self._take_turn()
        ends_at = self._check_over(legal_entity, month, at)
        self._wait_for_booking()
        with self._connection.transaction():
            booked_up_to = lock_documents(self._connection)
            self._check_booked(month, booked_up_to)
            period = self._periods.find(legal_entity, month)
            period.check(PeriodAct.SOFT_CLOSE)
            closed = self._closed()
            through = closed.through(legal_entity)
            if month <= through:
                raise MonthOrderError(month, through, PeriodAct.SOFT_CLOSE)
            earlier = self._connection.execute(_EARLIER, (legal_entity, through, month)).fetchone()
            if earlier and earlier[0] is not None:
                raise MonthOrderError(month, earlier[0], PeriodAct.SOFT_CLOSE)
            number = closed.last_number(legal_entity) + 1
            period.soft_close(by=by, at=at, reason=reason, number=number, booked_up_to=booked_up_to)
            mark = self._mark(period, by=by, at=at, reason=reason, ends_at=ends_at)
            self._periods.keep(period, within=mark)
        self._hand_on(period)
        return period

    def sign_off(
        self,
        legal_entity: str,
        month: str,
        item: ChecklistItem,
        *,
        by: str,
        at: datetime,
        reason: str,
    ) -> AccountingPeriod:
        """Let an item of the checklist be as it is.

        Raises:
            NothingToSignOffError: If nothing of it is left.
            ReasonNeededError: If no reason is given.
        """
        if item.is_empty:
            raise NothingToSignOffError(month, item.item)
        _needs(reason, PeriodAct.SIGN_OFF)
        period = self._periods.find(legal_entity, month)
        period.sign_off(item, by=by, at=at, reason=reason)
        self._check_pair(period.soft_closed_by, by)
        self._periods.keep(period)
        return period

    def close(
        self, legal_entity: str, month: str, kept: KeptReports, *, by: str, at: datetime
    ) -> AccountingPeriod:
        """Close *month* for good, with what is kept of it.

        Raises:
            ContendedPeriodError: If it was opened again since *kept* was gathered.
            ChecklistError: If an item is neither empty nor signed off as it is.
            MonthOrderError: If an earlier month is soft-closed only.
            MarksNotTakenError: If a partition has not come to its mark.
        """
        with self._connection.transaction():
            lock_documents(self._connection)
            period = self._periods.find(legal_entity, month)
            period.check(PeriodAct.CLOSE)
            if kept.number != period.number:
                raise ContendedPeriodError(month)
            for each in self._periods.periods(legal_entity):
                if each.month < month and each.state == PeriodState.SOFT_CLOSED.value:
                    raise MonthOrderError(month, each.month, PeriodAct.CLOSE)
            soft_closed_by = period.soft_closed_by
            positions = {**self._positions(period), DESK_PARTITION: period.booked_up_to + 1}
            period.close(
                kept.checklist,
                by=by,
                at=at,
                positions=positions,
                trial_balance=kept.trial_balance,
                reports=kept.reports,
            )
            self._check_pair(soft_closed_by, by)
            row = (legal_entity, month)
            self._periods.keep(period, within=lambda connection: _executed(connection, _CLOSE, row))
        return period

    def check_close(self, legal_entity: str, month: str, *, by: str) -> None:
        """Say whether *by* may close *month* now: before its checklist is gone through.

        Raises:
            IllegalPeriodMoveError: If it is not soft-closed.
            MarksNotTakenError: If a partition has not come to its mark.
        """
        self._take_turn()
        period = self._periods.find(legal_entity, month)
        period.check_close(by)
        self._check_pair(period.soft_closed_by, by)
        self._positions(period)

    def reopen(
        self, legal_entity: str, month: str, *, by: str, at: datetime, reason: str
    ) -> AccountingPeriod:
        """Open *month* again, or ask for it where it is closed for good: then another one does it.

        Raises:
            MonthOrderError: If a later month is closed.
            ReasonNeededError: If no reason is given.
            MarksNotTakenError: If the worker did not come to the marks in time.
            NotCarriedError: If it is recorded, and the log cannot take the marks now.
        """
        _needs(reason, PeriodAct.REOPEN)
        with self._connection.transaction():
            booked_up_to = lock_documents(self._connection)
            period = self._periods.find(legal_entity, month)
            period.check(PeriodAct.REOPEN)
            closed = self._closed()
            if (through := closed.through(legal_entity)) > month:
                raise MonthOrderError(month, through, PeriodAct.REOPEN)
            number = closed.last_number(legal_entity) + 1
            asked_by = period.asked_by
            is_open = period.reopen(
                by=by, at=at, reason=reason, number=number, booked_up_to=booked_up_to
            )
            mark = None
            if is_open and asked_by:
                self._check_pair(asked_by, by)
            if is_open:
                mark = self._mark(period, by=by, at=at, reason=reason)
            self._periods.keep(period, within=mark)
        if is_open:
            self._hand_on(period)
        return period

    def keep_closed(
        self, legal_entity: str, month: str, *, by: str, at: datetime, reason: str
    ) -> AccountingPeriod:
        """Turn down that *month* is opened again."""
        _needs(reason, PeriodAct.KEEP_CLOSED)
        period = self._periods.find(legal_entity, month)
        period.keep_closed(by=by, at=at, reason=reason)
        self._periods.keep(period)
        return period

    def _check_pair(self, first: str, by: str) -> None:
        check_pair(self._connection, first, by, Permission.CLOSE_MONTHS)

    def _mark(
        self,
        period: AccountingPeriod,
        *,
        by: str,
        at: datetime,
        reason: str,
        ends_at: datetime | None = None,
    ) -> partial[None]:
        """Return what writes the marks of a period: opened, or closed where it *ends_at* a time."""
        act = MarkAct.OPEN if ends_at is None else MarkAct.CLOSE
        line = PeriodMark(
            received_at=at,
            legal_entity=period.legal_entity,
            month=period.month,
            act=act.value,
            number=period.number,
            by=by,
            reason=reason,
            ends_at=ends_at,
        )
        position = period.booked_up_to + 1
        mark = MonthMark(period.legal_entity, period.number, period.month, act, position)
        return partial(_write_marks, mark=mark, line=line, partitions=self._log.partitions)

    def _hand_on(self, period: AccountingPeriod) -> None:
        """Carry the marks to the log; return once the worker has taken them."""
        carry(self._connection, self._log)
        self._take_turn()
        until = time.monotonic() + WAIT_SECONDS_MAX
        while True:
            try:
                self._positions(period)
            except MarksNotTakenError:
                if time.monotonic() > until:
                    raise
                threading.Event().wait(_PAUSE_SECONDS)
            else:
                return

    def _take_turn(self) -> None:
        if self._work_off is not None:
            self._work_off(dsn_of(self._connection), self._log)

    def _positions(self, period: AccountingPeriod) -> dict[int, int]:
        """Return where the last marks of a period stand, by partition.

        Raises:
            MarksNotTakenError: If a partition has not come to its mark.
        """
        asked = (period.legal_entity, period.number)
        found: dict[int, int] = dict(self._connection.execute(_POSITIONS, asked).fetchall())
        if missing := [each for each in range(self._log.partitions) if each not in found]:
            raise MarksNotTakenError(period.month, missing)
        return found

    def _closed(self) -> ClosedMonths:
        return ClosedMonths(load_marks(self._connection, DESK_PARTITION))

    def _check_over(self, legal_entity: str, month: str, at: datetime) -> datetime:
        """Return when *month* ended, in UTC; refuse while it is not over and decided about."""
        declarations = load_declarations(self._connection)
        ends = month_begins(month_after(month), calendar_of(declarations, legal_entity))
        # As a month's invoices wait: by then what ended in it is rated or held.
        wait = timedelta(seconds=declarations.policy(at).wait_s)
        if at < ends + wait:
            raise NotOverYetError(month, f"is not over before {ends + wait:%Y-%m-%d %H:%M %Z}")
        since = waiting_since(self._connection, self._log)
        if since is not None and since < ends:
            raise NotOverYetError(month, "has records that the worker has not taken yet")
        return ends.astimezone(UTC)

    def _wait_for_booking(self) -> None:
        """Give whoever issues a moment: between a number and its booking it is always short."""
        until = time.monotonic() + WAIT_SECONDS_MAX
        while self._is_booking(self._booked_up_to()) and time.monotonic() < until:
            threading.Event().wait(_PAUSE_SECONDS)

    def _check_booked(self, month: str, booked_up_to: int) -> None:
        """Refuse while an invoice has its number and is not in the books."""
        if self._is_booking(booked_up_to):
            raise NotOverYetError(month, "waits for a document that is issued and not booked")

    def _is_booking(self, booked_up_to: int) -> bool:
        with _issuer(self._connection) as issuer:
            return next(issuer.invoices(after=booked_up_to, page=1), None) is not None

    def _booked_up_to(self) -> int:
        [(booked_up_to,)] = self._connection.execute(_BOOKED).fetchall()
        return int(booked_up_to)


@contextmanager
def period_desk(
    connection: Connection[Any], log: EventLog, work_off: WorkOff | None
) -> Iterator[PeriodDesk]:
    """Open the desk on the database of *connection*, with *log* for the marks."""
    with AccountingPeriods(dsn_of(connection)) as periods:
        yield PeriodDesk(connection, periods, log, work_off)


@contextmanager
def _issuer(connection: Connection[Any]) -> Iterator[InvoiceIssuer]:
    with InvoiceIssuer(dsn_of(connection)) as issuer:
        yield issuer


def _write_marks(
    connection: Connection[Any], *, mark: MonthMark, line: PeriodMark, partitions: int
) -> None:
    store_marks(connection, DESK_PARTITION, [mark])
    if mark.act is MarkAct.OPEN:
        query = "UPDATE closed_period SET month = %s WHERE legal_entity = %s AND month >= %s"
        connection.execute(query, (month_before(mark.month), mark.legal_entity, mark.month))
    put(connection, dict.fromkeys(range(partitions), encode_line(line)), partitions=partitions)


def _executed(connection: Connection[Any], query: LiteralString, row: tuple[object, ...]) -> None:
    connection.execute(query, row)


def _needs(reason: str, act: PeriodAct) -> None:
    if not reason.strip():
        raise ReasonNeededError(act)
