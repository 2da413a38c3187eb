"""What is kept of a month beside its trial balance: revenue, taxes, unbilled, held, energy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final, LiteralString

import msgspec
from psycopg import Connection

from projections.balances.energy import EnergyDay
from projections.closing.period_scope import PeriodScope
from projections.closing.uncharged import UnchargedSum, uncharged_sums
from projections.energy.keeper import EnergyKeeper
from projections.energy.kept_balance import kept_balance
from tariffs.quantities import EXACT

REPORT_SCHEMA: Final = 1
_ALL: Final = 2**31
_ACCOUNTS: LiteralString = """
SELECT account, currency, -sum(amount_minor)::bigint
FROM journal_entry, unnest(accounts, currencies, amounts) AS leg (account, currency, amount_minor)
WHERE legal_entity = %(legal_entity)s AND period = %(month)s
AND (account LIKE 'revenue:%%' OR account LIKE 'vat:%%' OR account LIKE 'tax:%%')
GROUP BY account, currency ORDER BY account COLLATE "C", currency COLLATE "C"
"""
_UNBILLED: LiteralString = """
SELECT waiting.currency, count(DISTINCT (session_id, revision)),
       coalesce(sum(net_minor + tax_minor), 0)::bigint
FROM uninvoiced_session AS waiting LEFT JOIN rated_line USING (session_id, revision)
WHERE legal_entity = %(legal_entity)s AND billing_month <= %(month)s
GROUP BY waiting.currency ORDER BY waiting.currency COLLATE "C"
"""
_HELD: LiteralString = """
SELECT station_id, coalesce(ended_at, started_at, first_fact_at), coalesce(energy_wh, 0)
FROM session WHERE state = 'held' AND coalesce(ended_at, started_at, first_fact_at) < %(ends)s
"""
_EARLIER: LiteralString = """
SELECT count(*) FROM journal_entry
WHERE legal_entity = %(legal_entity)s AND period = %(month)s AND original_period < period
"""


class AccountSum(msgspec.Struct, frozen=True, kw_only=True):
    """What a month posted to an account, a credit positive: "revenue:energy", "vat:DE:19"."""

    account: str
    currency: str
    amount_minor: int


class UnbilledSum(msgspec.Struct, frozen=True, kw_only=True):
    """Rated sessions without invoice, and what they come to, taxes included."""

    currency: str
    sessions: int
    gross_minor: int


class HeldSum(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions that waited for a person, and the energy that was known of them."""

    sessions: int
    energy_wh: Decimal


class EnergySum(msgspec.Struct, frozen=True, kw_only=True):
    """A day of all stations of the legal entity."""

    day: date
    metered_wh: Decimal
    billed_wh: Decimal
    free_wh: Decimal
    held_wh: Decimal
    unattributed_wh: Decimal
    dropped_wh: Decimal
    difference_wh: Decimal


class MonthReports(msgspec.Struct, frozen=True, kw_only=True):
    """The reports of one month of a legal entity, as they are kept when it is closed.

    `revenue` is by class, `taxes` by country and rate; `entries_of_earlier` counts entries about
    months that were closed before. `unbilled`, `held`, `uncharged` are as they were at the close:
    `held` is of stations of ours, `uncharged` of partners' CDRs that nobody is charged for.
    """

    schema: int
    legal_entity: str
    month: str
    revenue: tuple[AccountSum, ...]
    taxes: tuple[AccountSum, ...]
    entries_of_earlier: int
    unbilled: tuple[UnbilledSum, ...]
    held: HeldSum
    energy: tuple[EnergySum, ...]
    uncharged: tuple[UnchargedSum, ...] = ()


def energy_days(connection: Connection[Any], scope: PeriodScope) -> list[EnergyDay]:
    """Return the energy balance of the month's days, of the stations of the legal entity.

    As it is kept up; what came last is taken in first, so *connection* is in no transaction.
    """
    EnergyKeeper(connection).take_in()
    balance = kept_balance(
        connection, first_day=scope.begins.date(), last_day=scope.last_day, limit=_ALL
    )
    return [
        each for each in balance.days if each.day and scope.has_station(each.station_id, each.day)
    ]


def month_reports(
    connection: Connection[Any], scope: PeriodScope, energy: Iterable[EnergyDay]
) -> MonthReports:
    """Return the reports of a month; *energy* from `energy_days`."""
    asked = {"legal_entity": scope.legal_entity, "month": scope.month}
    sums = [
        AccountSum(account=account, currency=currency, amount_minor=amount)
        for account, currency, amount in connection.execute(_ACCOUNTS, asked)
    ]
    [(earlier,)] = connection.execute(_EARLIER, asked).fetchall()
    return MonthReports(
        schema=REPORT_SCHEMA,
        legal_entity=scope.legal_entity,
        month=scope.month,
        revenue=tuple(each for each in sums if each.account.startswith("revenue:")),
        taxes=tuple(each for each in sums if not each.account.startswith("revenue:")),
        entries_of_earlier=earlier,
        unbilled=tuple(
            UnbilledSum(currency=currency, sessions=sessions, gross_minor=gross)
            for currency, sessions, gross in connection.execute(_UNBILLED, asked)
        ),
        held=_held(connection, scope),
        energy=tuple(_by_day(energy)),
        uncharged=uncharged_sums(connection, scope),
    )


def _held(connection: Connection[Any], scope: PeriodScope) -> HeldSum:
    energies = [
        energy_wh
        for station_id, at, energy_wh in connection.execute(_HELD, {"ends": scope.ends})
        if scope.has_station(station_id, at.astimezone(scope.calendar).date())
    ]
    return HeldSum(sessions=len(energies), energy_wh=_sum(energies))


def _by_day(energy: Iterable[EnergyDay]) -> Iterable[EnergySum]:
    days: defaultdict[date, list[EnergyDay]] = defaultdict(list)
    for each in energy:
        if each.day is not None:
            days[each.day].append(each)
    for day, stations in sorted(days.items()):
        yield EnergySum(
            day=day,
            metered_wh=_sum([each.metered_wh for each in stations]),
            billed_wh=_sum([each.billed_wh for each in stations]),
            free_wh=_sum([each.free_wh for each in stations]),
            held_wh=_sum([each.held_wh for each in stations]),
            unattributed_wh=_sum([each.unattributed_wh for each in stations]),
            dropped_wh=_sum([each.dropped_wh for each in stations]),
            difference_wh=_sum([each.difference_wh for each in stations]),
        )


def _sum(energies: Sequence[Decimal]) -> Decimal:
    total = Decimal(0)
    for each in energies:
        total = EXACT.add(total, each)
    return total
