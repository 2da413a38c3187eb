"""The page of integrity: is it untouched, and which number says so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date
from typing import Any, Final, NamedTuple

from litestar import Controller, Response, get, post
from litestar.exceptions import NotFoundException, PermissionDeniedException
from litestar.params import FromPath
from psycopg import Connection

from ledger.books.periods import month_after, month_before
from ledger.declared.declarations import Declarations, Kind
from ledger.desk.closing.legal_entity import calendar_of
from ledger.jobs.asking import ask_for
from ledger.log.envelope import MONTH
from ledger.users.roles import Permission, Reach
from projections.balances.booked_sums import kept_month_balance, kept_trial_balance
from projections.balances.trial import TrialBalance
from projections.closing.books_work import ALL_BOOKS, CHECK_BOOKS, REPLAY_LOG
from projections.console.addresses import AFTER, FORMAT
from projections.console.entry import needs
from projections.console.integrity.checks import COMPARED, checks_of, difference_address
from projections.console.integrity.exported import balance_file
from projections.console.integrity.heat import heat_table
from projections.console.links import account_link
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage, ThisPage
from projections.journal.days import book_days

KINDS: Final = {"replay": REPLAY_LOG, "books": CHECK_BOOKS}
_COLUMNS: Final = (
    Column("account", "Account"),
    Column("debit", "Debit", is_figure=True),
    Column("credit", "Credit", is_figure=True),
    Column("balance", "Balance", is_figure=True),
)


class ChosenBooks(NamedTuple):
    """Of which books a trial balance is: of those up to a day, or up to a month; of whom.

    `legal_entity` is "" for all; `choices` are those that this person may choose.
    """

    as_of: date | None
    period: str
    legal_entity: str
    choices: Sequence[str]
    trouble: str = ""


class IntegrityController(Controller):
    """Whether anything was changed that stands for ever."""

    path = "/integrity"

    @get("/", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def integrity(self, page: ThisPage) -> Response[Any]:
        """Show what the last looks found, the trial balance, and the energy of a month."""
        reach = page.user.reach(Permission.SEE_BOOKS)
        month = page.address.of("month")
        if not re.match(MONTH, month):
            month = month_before(page.now.astimezone(UTC).strftime("%Y-%m"))
        with page.console.reading() as connection:
            declarations = page.console.newest.of(connection)
            which = _which(page, declarations, reach)
            balance = _balance(connection, declarations, which)
            if form := page.address.of(FORMAT):
                return balance_file(form, balance)
            checks = checks_of(connection, reach)
            heat = heat_table(connection, declarations, reach, month, page.address.of(AFTER))
            known = [each for each in which.choices if each]
            zone = calendar_of(declarations, known[0]) if known else UTC
        return page.show(
            "integrity/integrity.html.j2",
            reach=reach,
            zone=zone,
            month=month,
            earlier=page.address.with_(month=month_before(month)) + "#energy",
            later=page.address.with_(month=month_after(month)) + "#energy",
            which=which,
            balance=balance,
            accounts=_accounts(page, which, balance),
            checks=checks,
            compared=COMPARED,
            difference_address=difference_address,
            heat=heat,
            here="/console/integrity",
        )

    @post("/{check:str}", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def look(self, page: ThisPage, check: FromPath[str]) -> Response[Any]:
        """Have the log replayed, or documents and numbers looked through, as a job."""
        if check not in KINDS:
            raise NotFoundException
        if not page.user.reach(Permission.SEE_BOOKS).is_everywhere:
            # It is of all books at once.
            raise PermissionDeniedException
        with page.console.pool.connection() as connection:
            ask_for(connection, KINDS[check], {}, subject=ALL_BOOKS, by=page.user.name, at=page.now)
        said = page.text("It is under way, beside all other work.")
        return page.go(f"/console/integrity#{check}", said)


def _which(page: ConsolePage, declarations: Declarations, reach: Reach) -> ChosenBooks:
    """Return which books an address names; what cannot be is said, and all books are meant."""
    known = [each for each in declarations.keys(Kind.LEGAL_ENTITY) if reach.covers(each)]
    legal_entity = page.address.of("legal_entity")
    if legal_entity and legal_entity not in known:
        raise NotFoundException
    if not legal_entity and not reach.is_everywhere and known:
        legal_entity = known[0]
    choices = ["", *known] if reach.is_everywhere else known
    day, period = page.address.of("as_of"), page.address.of("period")
    trouble = ""
    as_of = None
    if day:
        try:
            as_of = date.fromisoformat(day)
        except ValueError:
            trouble = page.text("This is no day: write it like 2026-03-31.")
    if period and not re.match(MONTH, period):
        trouble, period = page.text("This is no month: write it like 2026-03."), ""
    if as_of and period:
        trouble, period = page.text("Say a day or a month, not both: the day was taken."), ""
    return ChosenBooks(as_of, period, legal_entity, choices, trouble)


def _balance(
    connection: Connection[Any], declarations: Declarations, which: ChosenBooks
) -> TrialBalance:
    if not which.choices:
        return TrialBalance(accounts=())
    legal_entity = which.legal_entity or None
    if which.period:
        return kept_month_balance(connection, which.period, legal_entity=legal_entity)
    days = book_days(declarations, up_to=which.as_of, legal_entity=legal_entity)
    return kept_trial_balance(connection, days)


def _accounts(page: ConsolePage, which: ChosenBooks, balance: TrialBalance) -> Listing:
    money = page.words.language.money
    # What was booked by a day is in the books of some month up to its own.
    until = which.period or (f"{which.as_of:%Y-%m}" if which.as_of else "")
    rows = [
        [
            Cell(each.account, account_link(each.account, which.legal_entity, until)),
            Cell(money(each.debit_minor, each.currency)),
            Cell(money(each.credit_minor, each.currency)),
            Cell(money(each.balance_minor, each.currency)),
        ]
        for each in balance.accounts
    ]
    for currency, minor in sorted(balance.difference_minor.items()):
        ours = [each for each in balance.accounts if each.currency == currency]
        rows.append(
            [
                Cell(page.text("All accounts in {currency}", currency=currency)),
                Cell(money(sum(each.debit_minor for each in ours), currency)),
                Cell(money(sum(each.credit_minor for each in ours), currency)),
                Cell(money(minor, currency), tone="bad" if minor else "good"),
            ]
        )
    return Listing(
        page.text("Trial balance"),
        _COLUMNS,
        rows,
        page.address,
        page.text("Nothing was booked by then."),
        exports=True,
    )
