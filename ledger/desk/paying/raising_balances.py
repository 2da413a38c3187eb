"""Raising a prepaid balance by card, and giving some of it back: decided here, asked elsewhere.

Where more than the policy's `payment_approval_above` is on the balance, it takes two persons to
give any of it back: the first proposes, another says the same.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection

from ledger.books.prepayments import standings
from ledger.declared.declarations import Declarations
from ledger.declared.store import load_declarations
from ledger.desk.customers.prepaying import PrepaymentWish, customer_subject, prepayment_of
from ledger.desk.paying.giving_back import SameProposerError
from ledger.desk.withdrawing.withdrawn import About, Withdrawal, replace_proposed, withdraw
from ledger.four_eyes import is_same_person
from ledger.master_data.policies import is_above
from ledger.payments.collecting.methods import PayingCustomer
from ledger.payments.recording import under_the_books
from ledger.payments.requests import ProviderRequest
from ledger.payments.taking import Taking
from ledger.payments.topping_up.pay_back import decide_pay_back, pay_back_requests
from ledger.payments.topping_up.top_up import WantedTopUp, decide_top_up, pay_back_key
from ledger.users.pairs import check_pair
from ledger.users.roles import Permission

_PROPOSAL: LiteralString = """
SELECT legal_entity, currency, amount_minor, proposed_by
FROM pay_back_proposal WHERE key = %s FOR UPDATE
"""
_PROPOSE: LiteralString = """
INSERT INTO pay_back_proposal
    (key, legal_entity, currency, amount_minor, proposed_by, proposed_at)
VALUES (%s, %s, %s, %s, %s, %s)
"""
_SETTLE: LiteralString = "DELETE FROM pay_back_proposal WHERE key = %s"


class DecidedByCard(NamedTuple):
    """What was decided, how its requests stand, and the balance; none: it waits for a second."""

    wanted: WantedTopUp
    requests: tuple[ProviderRequest, ...]
    balance_minor: int


def top_up_by_card(
    connection: Connection[Any], provider: str, wish: PrepaymentWish, *, by: str, at: datetime
) -> DecidedByCard:
    """Decide that a balance rises by the method on file; the same reference is asked for once.

    Raises:
        LedgerError: As `prepayment_of` and `decide_top_up` say.
    """
    wanted = _wanted(connection, load_declarations(connection), provider, wish, by=by, at=at)
    with connection.transaction():
        request = decide_top_up(connection, wanted, by=by, at=at)
    return _decided(connection, wanted, [request])


def pay_back_to_card(
    connection: Connection[Any], provider: str, wish: PrepaymentWish, *, by: str, at: datetime
) -> DecidedByCard:
    """Decide that some of a balance goes back to where it came from; the same reference once.

    Raises:
        LedgerError: As `prepayment_of` and `decide_pay_back` say.
        SameProposerError: If who proposed it says so again.
    """
    known = load_declarations(connection)
    wanted = _wanted(connection, known, provider, wish._replace(is_back=True), by=by, at=at)
    with under_the_books(connection):
        before = pay_back_requests(connection, wanted)
        takes_two = _takes_two(connection, known, wanted, at)
        if not before and takes_two and not _is_second(connection, wanted, by):
            row = wanted.pay_back_key, *_what(wanted), by, at
            how = Withdrawal(by, "", at)
            replace_proposed(connection, About.PAY_BACK, wanted.pay_back_key, how)
            connection.execute(_PROPOSE, row)
            return _decided(connection, wanted, [])
        connection.execute(_SETTLE, (wanted.pay_back_key,))
        taking = Taking(connection, known, provider, at)
        requests = decide_pay_back(taking, wanted, by=by)
    return _decided(connection, wanted, requests)


def withdraw_pay_back(
    connection: Connection[Any], customer: str, reference: str, how: Withdrawal
) -> None:
    """Take back what was proposed to be given back to *customer* under a reference.

    Raises:
        UnknownCustomerError: If nobody of that key is declared.
        NotProposedError: If nothing was.
        NoReasonError: If *how* does not say why.
    """
    known = load_declarations(connection)
    subject = customer_subject(connection, known, customer, how.at, is_back=True)
    key = pay_back_key(subject, reference.strip())
    with under_the_books(connection):
        withdraw(connection, About.PAY_BACK, key, how)


def _takes_two(
    connection: Connection[Any], known: Declarations, wanted: WantedTopUp, at: datetime
) -> bool:
    # Of a part as of the whole: who gives it back part by part is no other person.
    [standing] = standings(connection, [wanted.account])
    most = max(wanted.amount_minor, standing.balance_minor)
    return is_above(known.policy(at).payment_approval_above, most, wanted.currency)


def _what(wanted: WantedTopUp) -> tuple[str, str, int]:
    """Return what one person proposes and another one agrees to: how much, and whose balance."""
    return wanted.who.legal_entity, wanted.currency, wanted.amount_minor


def _is_second(connection: Connection[Any], wanted: WantedTopUp, by: str) -> bool:
    """Say whether somebody else proposed the same."""
    row = connection.execute(_PROPOSAL, (wanted.pay_back_key,)).fetchone()
    if row is None or row[:-1] != _what(wanted):
        return False
    [proposed_by] = row[-1:]
    if is_same_person(proposed_by, by):
        raise SameProposerError(wanted.reference, proposed_by)
    check_pair(connection, proposed_by, by, Permission.MOVE_MONEY)
    return True


def _wanted(
    connection: Connection[Any],
    known: Declarations,
    provider: str,
    wish: PrepaymentWish,
    *,
    by: str,
    at: datetime,
) -> WantedTopUp:
    paid = prepayment_of(connection, known, wish, by=by, at=at)
    who = PayingCustomer(provider, paid.legal_entity, paid.customer)
    return WantedTopUp(who, paid.currency, abs(paid.amount_minor), paid.reference)


def _decided(
    connection: Connection[Any], wanted: WantedTopUp, requests: list[ProviderRequest]
) -> DecidedByCard:
    [standing] = standings(connection, [wanted.account])
    return DecidedByCard(wanted, tuple(requests), standing.balance_minor)
