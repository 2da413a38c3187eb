"""An account: from its balance to the months, and from a month to its entries."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from litestar import Controller, Response, get
from litestar.exceptions import NotFoundException

from ledger.declared.declarations import Kind
from ledger.log.envelope import MONTH
from ledger.users.roles import Permission
from projections.balances.account_months import AccountMonth, account_months
from projections.console.entry import needs
from projections.console.exports.listing_file import asked_file
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage, ThisPage
from tariffs.quantities import money_of_minor

_COLUMNS: Final = (
    Column("month", "Month"),
    Column("legal_entity", "Legal entity"),
    Column("debit", "Debit", is_figure=True),
    Column("credit", "Credit", is_figure=True),
    Column("balance", "Balance", is_figure=True),
)


class AccountController(Controller):
    """What makes the balance of an account."""

    path = "/integrity/account"

    @get("/", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def account(self, page: ThisPage) -> Response[Any]:
        """Show an account month by month."""
        account, until = page.address.of("account"), page.address.of("period")
        legal_entity = page.address.of("legal_entity")
        reach = page.user.reach(Permission.SEE_BOOKS)
        if not account or (until and not re.match(MONTH, until)):
            raise NotFoundException
        with page.console.reading() as connection:
            known = page.console.newest.of(connection).keys(Kind.LEGAL_ENTITY)
            entities = [each for each in known if reach.covers(each)]
            if legal_entity and legal_entity not in entities:
                raise NotFoundException
            chosen = [legal_entity] if legal_entity else entities
            is_whole = reach.is_everywhere and not legal_entity
            months = account_months(
                connection,
                account,
                entities=None if is_whole else chosen,
                until=until or None,
            )
        listing = _listing(page, account, months)
        if file := asked_file(page, [listing]):
            return file
        return page.show("integrity/account.html.j2", account=account, listing=listing)


def _listing(page: ConsolePage, account: str, months: Sequence[AccountMonth]) -> Listing:
    money = page.words.language.money

    def amount(minor: int, currency: str) -> Cell:
        exact = money_of_minor(minor, currency).amount
        return Cell(money(minor, currency), exact=exact, unit=currency)

    balances: defaultdict[str, int] = defaultdict(int)
    for each in months:
        balances[each.currency] += each.balance_minor
    return Listing(
        page.text("Months of the books"),
        _COLUMNS,
        [
            [
                Cell(page.words.language.month(each.period), _entries(account, each)),
                Cell(each.legal_entity),
                amount(each.debit_minor, each.currency),
                amount(each.credit_minor, each.currency),
                amount(each.balance_minor, each.currency),
            ]
            for each in months
        ],
        page.address,
        page.text("Nothing stands on this account."),
        total=", ".join(money(minor, currency) for currency, minor in sorted(balances.items())),
        file="account",
    )


def _entries(account: str, each: AccountMonth) -> str:
    query = {"legal_entity": each.legal_entity, "period": each.period, "account": account}
    return "/console/journal?" + urlencode(query)
