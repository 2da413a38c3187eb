"""How much a session may cost by money: of who pays in advance, and of whoever has put some aside.

What is left of a balance is the journal's, less what is rated and not yet invoiced, less what
sessions that go on cost so far:

    balance 10.00, 2.50 rated and not invoiced, another session is at 1.20  -> 6.30 are left
    this session is at 4.00 itself                                          -> it may cost 6.30
    two start at once with 6.30                                             -> each may, at first;
                                               as one costs more, the other may cost so much less

Sessions that go on are in no journal: each look at one notes what it costs by then, as a row of
`running_cost`, which counts until it is rated: from then on `uninvoiced_session` has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, LiteralString, NamedTuple, Protocol

from psycopg import Connection

from ledger.books.prepayments import PrepaidAccount
from ledger.declared.declarations import Declarations
from ledger.master_data.tokens import Token, TokenKind

# In the order of the questions. What a session itself costs is no reason that it may cost less.
LEFT: LiteralString = """
SELECT asked.place, (
    coalesce((SELECT -sum(entry.amounts[1]) FROM journal_entry AS entry
        WHERE entry.accounts[1] = 'prepayments' AND entry.parties[1] = asked.customer
        AND entry.legal_entity = asked.legal_entity AND entry.currencies[1] = asked.currency), 0)
    - coalesce((SELECT sum(due.gross_minor) FROM uninvoiced_session AS due
        WHERE due.customer = asked.customer AND due.legal_entity = asked.legal_entity
        AND due.currency = asked.currency), 0)
    - coalesce((SELECT sum(running.cost_minor)
        FROM running_cost AS running JOIN session USING (session_id)
        WHERE running.customer = asked.customer AND running.legal_entity = asked.legal_entity
        AND running.currency = asked.currency AND session.state IN ('open', 'waiting', 'held')
        AND running.session_id <> asked.session_id
        AND (session.station_id, session.transaction_ref)
            <> (asked.station_id, asked.transaction_ref)), 0)
)::bigint
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
    WITH ORDINALITY AS asked
    (customer, legal_entity, currency, session_id, station_id, transaction_ref, place)
ORDER BY asked.place
"""
_HELD_ACCOUNTS: LiteralString = """
SELECT DISTINCT currencies[1] FROM journal_entry
WHERE accounts[1] = 'prepayments' AND parties[1] = %s AND legal_entity = %s
"""
_NOTE: LiteralString = """
INSERT INTO running_cost (session_id, customer, legal_entity, currency, cost_minor, noted_at)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (session_id) DO UPDATE SET customer = excluded.customer,
    legal_entity = excluded.legal_entity, currency = excluded.currency,
    cost_minor = excluded.cost_minor, noted_at = excluded.noted_at
"""
# What was decided meanwhile counts elsewhere; whoever else deletes it has done it.
_FORGET: LiteralString = """
DELETE FROM running_cost WHERE session_id IN (
    SELECT session_id FROM running_cost JOIN session USING (session_id)
    WHERE customer = %s AND session.state NOT IN ('open', 'waiting', 'held')
    FOR UPDATE OF running_cost SKIP LOCKED
)
"""


class AskedCredit(NamedTuple):
    """Whose credit is asked for, and for which session; "" where it has no id yet.

    A session that goes on may be named by what its station calls it.
    """

    account: PrepaidAccount
    session_id: str = ""
    station_id: str = ""
    transaction_ref: str = ""

    def row(self) -> tuple[str, ...]:
        """Return what `LEFT` is asked with."""
        return (*self.account, *self[1:])


class FundedSession(NamedTuple):
    """A session that goes on, and what it costs so far, taxes included.

    `account`: at whom it is owed, in which currency; None where no customer pays for it in advance.
    """

    session_id: str
    token_uid: str
    legal_entity: str
    currency: str
    cost_minor: int
    account: PrepaidAccount | None = None


class Fund(Protocol):
    """Something that a session is paid from, and that has an end."""

    def limit_minor(
        self, connection: Connection[Any], session: FundedSession, now: datetime
    ) -> int | None:
        """Return what *session* may cost in all; None: it is not paid from this."""


class MoneySoFar(NamedTuple):
    """How far a session is that may cost only so much: in major units, taxes included.

    `cost` is what it costs until its last sign, `ahead` what it will if it goes on as it does until
    a stop that is asked for now is obeyed; `per_second` is how fast that grows.
    """

    limit: Decimal
    cost: Decimal
    ahead: Decimal
    per_second: Decimal


class PrepaidFund:
    """The prepaid balance of a customer who pays in advance."""

    def limit_minor(
        self, connection: Connection[Any], session: FundedSession, now: datetime
    ) -> int | None:
        """Note what *session* costs by now, and return what it may cost."""
        if session.account is None:
            return None
        connection.execute(_FORGET, (session.account.customer,))
        cost = max(session.cost_minor, 0)
        connection.execute(_NOTE, (session.session_id, *session.account, cost, now))
        [left] = left_minor(connection, [AskedCredit(session.account, session.session_id)])
        return left


PREPAID: Final = PrepaidFund()


def left_minor(connection: Connection[Any], asked: Sequence[AskedCredit]) -> list[int]:
    """Return what is left of each account, in minor units; below 0: more is charged than paid."""
    columns = [list(column) for column in zip(*(each.row() for each in asked), strict=True)]
    rows = connection.execute(LEFT, columns).fetchall() if columns else []
    return [int(left) for _, left in rows]


def has_credit(connection: Connection[Any], customer: str, legal_entity: str) -> bool:
    """Say whether something is left to *customer* at *legal_entity*, in whatever currency."""
    found = connection.execute(_HELD_ACCOUNTS, (customer, legal_entity)).fetchall()
    accounts = [PrepaidAccount(customer, legal_entity, currency) for (currency,) in found]
    return any(left > 0 for left in left_minor(connection, [AskedCredit(a) for a in accounts]))


def smallest_limit(
    connection: Connection[Any], funds: Iterable[Fund], session: FundedSession, now: datetime
) -> int | None:
    """Return what *session* may cost by the *funds* that pay for it; None: no money limits it."""
    found = (fund.limit_minor(connection, session, now) for fund in funds)
    return min((limit for limit in found if limit is not None), default=None)


def payer_in_advance(declared: Declarations, token: Token | None, at: datetime) -> str | None:
    """Return the customer who pays in advance for a declared *token*; None: nobody does."""
    if token is None or token.kind is TokenKind.ROAMING:
        return None
    parent = declared.token(token.parent, at) if token.parent else None
    customer_id = token.customer or (parent.customer if parent else None)
    customer = declared.customer(customer_id, at) if customer_id else None
    return customer_id if customer is not None and customer.pays_in_advance else None
