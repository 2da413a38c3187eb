"""A month as its page shows it: whether it may be closed, its checklist, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final, NamedTuple

from litestar.exceptions import NotFoundException
from psycopg import Connection

from ledger.books.periods import month_after, month_begins
from ledger.declared.declarations import Declarations, Kind
from ledger.desk.closing.legal_entity import calendar_of
from ledger.four_eyes import is_same_person
from ledger.log.envelope import MONTH
from ledger.periods.periods import AccountingPeriods
from ledger.periods.record import AccountingPeriod, ChecklistItem, PeriodState, SignOff, unsettled
from ledger.users.roles import Permission
from projections.balances.booked_sums import kept_month_balance
from projections.balances.trial import TrialBalance
from projections.closing.month_balance import moved_minor, read_balance
from projections.closing.month_list import MonthKey, entries_of
from projections.closing.month_work import LastLook, MonthAsked, last_look
from projections.closing.period_list import CameAfterwards, came_afterwards
from projections.console.closing.items import sign_off_of
from projections.console.page import ConsolePage
from projections.energy.kept_balance import KeptBalance, kept_balance

LATER_SHOWN: Final = 50


class CheckedItem(NamedTuple):
    """An item as it was found, and who let it be so."""

    found: ChecklistItem
    signed: SignOff | None

    @property
    def is_settled(self) -> bool:
        """Whether it is empty or signed off."""
        return self.found.is_empty or self.signed is not None


class MonthView(NamedTuple):
    """A month: its record, what jobs know of it, and its books of now.

    `moved_minor`: by how much its trial balance moved since it was closed; None while it is open.
    """

    period: AccountingPeriod
    calendar: tzinfo
    ends: datetime
    look: LastLook
    balance: TrialBalance
    energy: KeptBalance
    entries: int
    later: CameAfterwards
    moved_minor: int | None

    @property
    def state(self) -> PeriodState:
        """Return how far it is."""
        return PeriodState(self.period.state)

    @property
    def items(self) -> Sequence[CheckedItem]:
        """Return the checklist of the last look, () where nobody looked."""
        found = self.look.looked.items if self.look.looked else ()
        return [CheckedItem(each, sign_off_of(each, self.period)) for each in found]

    @property
    def left(self) -> Sequence[ChecklistItem]:
        """Return what of the last look is neither empty nor signed off."""
        looked = self.look.looked
        return unsettled(looked.items, self.period.signed) if looked else ()

    def is_first(self, name: str) -> bool:
        """Say whether *name* began what somebody else has to go on with."""
        began = self.period.asked_by or self.period.soft_closed_by
        return bool(began) and is_same_person(name, began)


def asked_month(page: ConsolePage, legal_entity: str, month: str) -> MonthAsked:
    """Return which month an address names.

    Raises:
        NotFoundException: If there is none, or not for this person.
    """
    if not re.match(MONTH, month) or not page.user.may(Permission.SEE_BOOKS, legal_entity):
        raise NotFoundException
    with page.console.pool.connection() as connection:
        declarations = page.console.newest.of(connection)
    if legal_entity not in declarations.keys(Kind.LEGAL_ENTITY):
        raise NotFoundException
    return MonthAsked(legal_entity=legal_entity, month=month, by=page.user.name)


def month_view(page: ConsolePage, asked: MonthAsked) -> MonthView:
    """Return what is shown of a month."""
    with page.console.reading() as connection, AccountingPeriods(page.console.dsn) as periods:
        declarations = page.console.newest.of(connection)
        calendar = calendar_of(declarations, asked.legal_entity)
        period = periods.find(asked.legal_entity, asked.month)
        balance = kept_month_balance(connection, asked.month, legal_entity=asked.legal_entity)
        return MonthView(
            period=period,
            calendar=calendar,
            ends=month_begins(month_after(asked.month), calendar),
            look=last_look(connection, asked),
            balance=balance,
            energy=_energy(connection, declarations, asked, calendar),
            entries=entries_of(connection, MonthKey(asked.month, asked.legal_entity)),
            later=came_afterwards(connection, asked.legal_entity, asked.month, limit=LATER_SHOWN),
            moved_minor=_moved(period, balance),
        )


def _moved(period: AccountingPeriod, now: TrialBalance) -> int | None:
    if not period.is_closed:
        return None
    return moved_minor(read_balance(period.closes[-1].trial_balance), now)


def _energy(
    connection: Connection[Any], declarations: Declarations, asked: MonthAsked, calendar: tzinfo
) -> KeptBalance:
    ends = month_begins(month_after(asked.month), calendar)
    return kept_balance(
        connection,
        stations=stations_of(declarations, asked.legal_entity, ends),
        first_day=month_begins(asked.month, calendar).date(),
        last_day=ends.date() - timedelta(days=1),
        limit=0,
    )


def stations_of(declarations: Declarations, legal_entity: str, at: datetime) -> list[str]:
    """Return the stations that stood at a legal entity's sites just before a moment."""
    sites: Mapping[str, str] = {
        site: found.legal_entity
        for site in declarations.keys(Kind.SITE)
        if (found := declarations.site(site, at)) is not None
    }
    return [
        station
        for station in declarations.keys(Kind.STATION)
        if (stood := declarations.station(station, at)) is not None
        and sites.get(stood.site) == legal_entity
    ]
