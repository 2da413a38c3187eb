"""Balances that raise themselves: once less is left than the customer wants, so much is taken.

    top_up_below 10, top_up_by 50; 9.40 are left, what sessions cost so far included -> 50.00
    one is on its way      -> no other one until it is known what came of it
    three in 24 hours      -> no other one that day (policy `top_ups_a_day`)
    a "no"                 -> not again within an hour; where the customer must help, not again by
                              that method

Whose sessions go on is looked at each time; all others in turn, a page a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.books.prepayments import PrepaidAccount
from ledger.declared.declarations import Declarations, Kind
from ledger.declared.store import NewestDeclarations
from ledger.master_data.sites import Site
from ledger.payments.collecting.declines import asks_customer
from ledger.payments.collecting.methods import PayingCustomer, ready_methods
from ledger.payments.recording import under_the_books
from ledger.payments.requests import ProviderRequest, RequestKind, RequestState, requests_for
from ledger.payments.topping_up.credit import AskedCredit, left_minor
from ledger.payments.topping_up.top_up import WantedTopUp, decide_top_up
from tariffs.quantities import Money, money_of_minor, round_money

BY: Final = "topping_up"
LOOK: Final = timedelta(seconds=10)
PAGE: Final = 500
DAY: Final = timedelta(days=1)
AFTER_A_NO: Final = timedelta(hours=1)
_OVER: Final = frozenset({RequestState.DONE, RequestState.FAILED, RequestState.GIVEN_UP})
_CHANGED: LiteralString = """
SELECT DISTINCT key FROM declaration WHERE kind = 'customer' AND version > %s
"""
_CHARGING: LiteralString = """
SELECT DISTINCT customer FROM running_cost WHERE noted_at >= %s AND legal_entity = %s
"""
_PAID_IN: LiteralString = """
SELECT DISTINCT parties[1], currencies[1] FROM journal_entry
WHERE accounts[1] = 'prepayments' AND parties[1] = ANY (%s) AND legal_entity = %s
"""


class _Wish(NamedTuple):
    below: Decimal
    by: Decimal


class AutomaticTopUps:
    """Looks which balances of a legal entity are to rise; *connection* is in no transaction."""

    def __init__(self, connection: Connection[Any], provider: str, legal_entity: str) -> None:
        self._connection = connection
        self._provider, self._legal_entity = provider, legal_entity
        self._newest, self._version = NewestDeclarations(), 0
        self._wishing: list[str] = []
        self._place = 0
        self._looked_at: datetime | None = None

    def run_once(self, now: datetime) -> int:
        """Decide what is due, of a page of customers at most; return how many top-ups that is."""
        if self._looked_at is not None and now - self._looked_at < LOOK:
            return 0
        since, self._looked_at = self._looked_at or now - DAY, now
        known = self._newest.of(self._connection)
        self._learn(known)
        if not self._wishing:
            return 0
        asked = since - LOOK, self._legal_entity
        charging = {key for (key,) in self._connection.execute(_CHARGING, asked)}
        page = self._wishing[self._place : self._place + PAGE]
        self._place = self._place + PAGE if self._place + PAGE < len(self._wishing) else 0
        looked = sorted({*page, *charging.intersection(self._wishing)})
        accounts = self._accounts(known, looked, now)
        left = left_minor(self._connection, [AskedCredit(each) for each in accounts])
        return sum(
            self._decide(known, account, now)
            for account, minor in zip(accounts, left, strict=True)
            if _is_low(known, account, minor, now)
        )

    def _learn(self, known: Declarations) -> None:
        """Keep whose balances are to raise themselves, of what was declared since."""
        if known.version == self._version:
            return
        changed = [key for (key,) in self._connection.execute(_CHANGED, (self._version,))]
        self._version, wishing = known.version, {*self._wishing}
        for key in changed:
            # Whoever wishes it at any time: whether it holds now is asked each time.
            rows = known.history(Kind.CUSTOMER, key)
            wishes = any(getattr(row.entity, "top_up_by", None) is not None for row in rows)
            wishing = wishing | {key} if wishes else wishing - {key}
        self._wishing = sorted(wishing)

    def _accounts(
        self, known: Declarations, customers: Sequence[str], now: datetime
    ) -> list[PrepaidAccount]:
        """Return the balances of *customers*: that of the only currency, else all paid into."""
        wishing = [key for key in customers if _wish(known, key, now) is not None]
        currencies = {
            site.currency
            for key in known.keys(Kind.SITE)
            if isinstance(site := known.site(key, now), Site)
            and site.legal_entity == self._legal_entity
        }
        if len(currencies) == 1:
            [currency] = currencies
            return [PrepaidAccount(key, self._legal_entity, currency) for key in wishing]
        rows = self._connection.execute(_PAID_IN, (wishing, self._legal_entity)).fetchall()
        return [PrepaidAccount(key, self._legal_entity, currency) for key, currency in sorted(rows)]

    def _decide(self, known: Declarations, account: PrepaidAccount, now: datetime) -> int:
        """Decide a top-up of *account* if none stands in its way; return how many that is."""
        most, connection = known.policy(now).top_ups_a_day, self._connection
        if not _may(self._before(account), most, now):
            return 0
        with under_the_books(connection):
            # What was looked up before may be another by now.
            before = self._before(account)
            [left] = left_minor(connection, [AskedCredit(account)])
            wish = _wish(known, account.customer, now)
            if wish is None or not _may(before, most, now):
                return 0
            if not _is_low(known, account, left, now):
                return 0
            who = PayingCustomer(self._provider, self._legal_entity, account.customer)
            method = ready_methods(connection, [who], account.currency).get(who)
            own = [each for each in before if each.decided_by == BY]
            if method is None or _needs_customer(own, method.method_id):
                return 0
            wanted = WantedTopUp(
                who,
                account.currency,
                round_money(Money(wish.by, account.currency)),
                f"{self._legal_entity}/{account.currency}/{len(own) + 1}",
                is_automatic=True,
            )
            decide_top_up(connection, wanted, by=BY, at=now)
        return 1

    def _before(self, account: PrepaidAccount) -> list[ProviderRequest]:
        found = requests_for(self._connection, account.customer, RequestKind.TOP_UP)
        of = self._legal_entity, account.currency
        return [each for each in found if (each.legal_entity, each.currency) == of]


def _may(before: Sequence[ProviderRequest], most: int, now: datetime) -> bool:
    """Say whether another top-up may be decided after those *before*."""
    if any(each.state not in _OVER for each in before):
        return False
    own = [each for each in before if each.decided_by == BY and now - each.decided_at < DAY]
    refused = any(
        each.state is not RequestState.DONE and now - each.decided_at < AFTER_A_NO for each in own
    )
    return len(own) < most and not refused


def _needs_customer(own: Sequence[ProviderRequest], method_id: str) -> bool:
    """Say whether the bank wants to hear of nobody but the customer."""
    if not own or own[-1].state is not RequestState.FAILED:
        return False
    return asks_customer(own[-1].reason) and own[-1].body["method"] == method_id


def _wish(known: Declarations, customer_id: str, now: datetime) -> _Wish | None:
    customer = known.customer(customer_id, now)
    if customer is None or customer.top_up_below is None or customer.top_up_by is None:
        return None
    return _Wish(customer.top_up_below, customer.top_up_by)


def _is_low(known: Declarations, account: PrepaidAccount, left: int, now: datetime) -> bool:
    wish = _wish(known, account.customer, now)
    return wish is not None and money_of_minor(left, account.currency).amount < wish.below
