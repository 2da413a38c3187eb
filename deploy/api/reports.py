"""Reports over HTTP: does every cent balance, where did each Wh go, and a month in figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec
from litestar import Controller, get
from litestar.exceptions import ValidationException
from litestar.params import PathParameter, QueryParameter
from psycopg import Connection

from deploy.api.conventions.amounts import amount_text
from deploy.api.conventions.within import READS_BOOKS, Asked, one_legal_entity, reach_in
from deploy.api.journal import MONTH, Month, whose_books
from deploy.interface.books import Newest, Pool, Text
from deploy.interface.paging import LIMIT, Limit
from ledger.database import dsn_of
from ledger.periods.periods import AccountingPeriods
from ledger.periods.record import AccountingPeriod
from projections.balances.booked_sums import kept_month_balance, kept_trial_balance
from projections.balances.energy import EnergyDay
from projections.balances.trial import TrialBalance
from projections.closing.month_reports import AccountSum, MonthReports, energy_days, month_reports
from projections.closing.period_scope import PeriodScope
from projections.energy.kept_balance import kept_balance
from projections.finding.stays import Stays, stays_within
from projections.journal.days import book_days
from tariffs.zones import zone

_ALL: Final = 2**31 - 1
ReportMonth = Annotated[
    str, PathParameter(pattern=MONTH, description="A month of the books: 2026-03")
]


class AccountStands(msgspec.Struct, frozen=True, kw_only=True):
    """An account: `balance` is debits less credits."""

    account: str
    currency: str
    debit: str
    credit: str
    balance: str


class TrialBalanceReport(msgspec.Struct, frozen=True, kw_only=True):
    """All accounts; `differences` by currency are 0 unless the books are wrong."""

    legal_entity: str | None
    is_balanced: bool
    differences: dict[str, str]
    accounts: list[AccountStands]


class EnergyRow(msgspec.Struct, frozen=True, kw_only=True):
    """Where the energy of a station's day went, in Wh: metered = all the others, and 0 is off."""

    station: str
    day: date
    metered_wh: Decimal
    billed_wh: Decimal
    free_wh: Decimal
    held_wh: Decimal
    unattributed_wh: Decimal
    dropped_wh: Decimal
    difference_wh: Decimal


class EnergyReport(msgspec.Struct, frozen=True, kw_only=True):
    """The newest days, of `days` in all; `days_off` of them do not add up."""

    is_balanced: bool
    days: int
    days_off: int
    items: list[EnergyRow]


class SumInMonth(msgspec.Struct, frozen=True, kw_only=True):
    """What a month posted to an account; a credit is above 0."""

    account: str
    currency: str
    amount: str


class UnbilledInMonth(msgspec.Struct, frozen=True, kw_only=True):
    """Rated sessions without invoice, and what they come to, taxes included."""

    currency: str
    sessions: int
    gross: str


class UnchargedInMonth(msgspec.Struct, frozen=True, kw_only=True):
    """Partners' CDRs that wait for a person, and what we are billed for them before taxes."""

    currency: str
    cdrs: int
    energy_wh: Decimal
    net: Decimal


class EnergyInMonth(msgspec.Struct, frozen=True, kw_only=True):
    """A day of all stations of the legal entity, in Wh."""

    day: date
    metered_wh: Decimal
    billed_wh: Decimal
    free_wh: Decimal
    held_wh: Decimal
    unattributed_wh: Decimal
    dropped_wh: Decimal
    difference_wh: Decimal


class MonthReport(msgspec.Struct, frozen=True, kw_only=True):
    """A month of a legal entity's books: as it is, or as it was kept when it was closed.

    `state`: "open", "soft_closed", "closed". `entries_of_earlier` are about months closed before.
    """

    legal_entity: str
    month: str
    state: str
    closed_by: str | None
    closed_at: datetime | None
    revenue: list[SumInMonth]
    taxes: list[SumInMonth]
    unbilled: list[UnbilledInMonth]
    held_sessions: int
    held_wh: Decimal
    uncharged: list[UnchargedInMonth]
    entries_of_earlier: int
    energy: list[EnergyInMonth]


class ReportsController(Controller):
    """What the books come to."""

    tags = ("books",)

    @get("/reports/trial-balance", opt=READS_BOOKS, sync_to_thread=True)
    def trial(
        self,
        request: Asked,
        pool: Pool,
        newest: Newest,
        legal_entity: Text = None,
        as_of: Annotated[date | None, QueryParameter(description="Up to the end of a day")] = None,
        period: Month = None,
    ) -> TrialBalanceReport:
        """Return the trial balance: of all, as of a day, or of the books up to a month."""
        if as_of is not None and period is not None:
            message = "say as_of or period, one of them"
            raise ValidationException(message)
        whose = one_legal_entity(request, legal_entity)
        with pool.connection() as connection:
            declared = newest.of(connection)
            # Refuses one that was never declared, too.
            days = book_days(declared, up_to=as_of, legal_entity=whose)
            if period is not None:
                found = kept_month_balance(connection, period, legal_entity=whose)
            else:
                found = kept_trial_balance(connection, days)
        return _trial(found, whose)

    @get("/reports/energy-balance", opt=READS_BOOKS, sync_to_thread=True)
    def energy(
        self,
        request: Asked,
        pool: Pool,
        newest: Newest,
        station: Text = None,
        first_day: Annotated[date | None, QueryParameter()] = None,
        last_day: Annotated[date | None, QueryParameter()] = None,
        limit: Limit = LIMIT,
    ) -> EnergyReport:
        """Return where the energy of each station and day went, the newest days first.

        It is kept up by a part of the running system, a moment behind the stations.
        """
        with pool.connection() as connection:
            stays = stays_within(newest.of(connection), reach_in(request))
            found = kept_balance(
                connection,
                station_id=station,
                stations=None if stays is None else sorted(set(stays.stations)),
                first_day=first_day,
                last_day=last_day,
                limit=limit if stays is None else _ALL,
            )
        if stays is None:
            return _energy(found.days, found.day_count, found.days_off)
        days = [each for each in found.days if _stood(stays, each)]
        off = sum(each.difference_wh != 0 for each in days)
        return _energy(days[:limit], len(days), off)

    @get("/reports/months/{month:str}", opt=READS_BOOKS, sync_to_thread=True)
    def month(
        self,
        request: Asked,
        pool: Pool,
        newest: Newest,
        month: ReportMonth,
        legal_entity: Text = None,
    ) -> MonthReport:
        """Return a month of a legal entity's books in figures."""
        with pool.connection() as connection:
            whose = whose_books(request, newest.of(connection), legal_entity)
            with AccountingPeriods(dsn_of(connection)) as periods:
                period = periods.find(whose, month)
            reports = _reports(connection, whose, month, period)
        return _month(reports, period)


ROUTES: Final[Sequence[type[Controller]]] = (ReportsController,)


def _trial(found: TrialBalance, whose: str | None) -> TrialBalanceReport:
    return TrialBalanceReport(
        legal_entity=whose,
        is_balanced=found.is_balanced,
        differences={
            currency: amount_text(minor, currency)
            for currency, minor in found.difference_minor.items()
        },
        accounts=[
            AccountStands(
                account=each.account,
                currency=each.currency,
                debit=amount_text(each.debit_minor, each.currency),
                credit=amount_text(each.credit_minor, each.currency),
                balance=amount_text(each.balance_minor, each.currency),
            )
            for each in found.accounts
        ],
    )


def _stood(stays: Stays, day: EnergyDay) -> bool:
    """Say whether a station was within reach at noon of a day."""
    return day.day is not None and stays.has(
        day.station_id, datetime.combine(day.day, time(12), zone("UTC"))
    )


def _energy(days: Iterable[EnergyDay], count: int, off: int) -> EnergyReport:
    return EnergyReport(
        is_balanced=off == 0,
        days=count,
        days_off=off,
        items=[
            EnergyRow(station=each.station_id, day=each.day, **_energies(each))
            for each in days
            if each.day is not None
        ],
    )


def _energies(each: Any) -> dict[str, Decimal]:  # noqa: ANN401 - a day of a station, or of all
    names = ("metered", "billed", "free", "held", "unattributed", "dropped", "difference")
    return {f"{name}_wh": getattr(each, f"{name}_wh") for name in names}


def _reports(
    connection: Connection[Any], whose: str, month: str, period: AccountingPeriod
) -> MonthReports:
    """Return what is kept of a closed month, or what an open one comes to by now."""
    if period.is_closed:
        return msgspec.json.decode(period.closes[-1].reports, type=MonthReports)
    scope = PeriodScope(connection, whose, month)
    return month_reports(connection, scope, energy_days(connection, scope))


def _month(reports: MonthReports, period: AccountingPeriod) -> MonthReport:
    close = period.closes[-1] if period.is_closed else None
    return MonthReport(
        legal_entity=reports.legal_entity,
        month=reports.month,
        state=str(period.state),
        closed_by=close.by if close else None,
        closed_at=close.at if close else None,
        revenue=[_summed(each) for each in reports.revenue],
        taxes=[_summed(each) for each in reports.taxes],
        unbilled=[
            UnbilledInMonth(
                currency=each.currency,
                sessions=each.sessions,
                gross=amount_text(each.gross_minor, each.currency),
            )
            for each in reports.unbilled
        ],
        held_sessions=reports.held.sessions,
        held_wh=reports.held.energy_wh,
        uncharged=[
            UnchargedInMonth(
                currency=each.currency, cdrs=each.cdrs, energy_wh=each.energy_wh, net=each.net
            )
            for each in reports.uncharged
        ],
        entries_of_earlier=reports.entries_of_earlier,
        energy=[EnergyInMonth(day=each.day, **_energies(each)) for each in reports.energy],
    )


def _summed(found: AccountSum) -> SumInMonth:
    return SumInMonth(
        account=found.account,
        currency=found.currency,
        amount=amount_text(found.amount_minor, found.currency),
    )
