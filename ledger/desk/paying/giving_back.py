"""Giving back by hand what an invoice asks for no more; above an amount, by two persons.

    a refund failed, and its money is here again    -> sent again, by whoever says so
    above the policy's `payment_approval_above`     -> proposed; another person says the same

No more is given back than was paid too much: who wants to give more credits the invoice first.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection

from ledger.books.prepayments import amount_text
from ledger.declared.store import policy_in_force
from ledger.desk.customers.prepaying import minor_of
from ledger.desk.withdrawing.withdrawn import About, Withdrawal, replace_proposed, withdraw
from ledger.errors import LedgerError
from ledger.four_eyes import is_same_person
from ledger.master_data.policies import is_above
from ledger.payments.collecting.refunding import (
    BY_HAND,
    Refundable,
    RefundCause,
    decide_refunds,
    refundable,
)
from ledger.payments.recording import under_the_books
from ledger.payments.requests import RequestKind, requests_for
from ledger.users.pairs import check_pair
from ledger.users.roles import Permission

_PROPOSAL: LiteralString = """
SELECT amount_minor, proposed_by FROM refund_proposal WHERE invoice = %s FOR UPDATE
"""
_PROPOSE: LiteralString = """
INSERT INTO refund_proposal (invoice, amount_minor, proposed_by, proposed_at)
VALUES (%s, %s, %s, %s)
"""
_SETTLE: LiteralString = "DELETE FROM refund_proposal WHERE invoice = %s"


class RefundByHand(NamedTuple):
    """What was decided: `keys` of the requests; none: it waits for a second person."""

    invoice: str
    currency: str
    amount_minor: int
    keys: tuple[str, ...]

    @property
    def waits(self) -> bool:
        """Whether a second person is to say the same."""
        return not self.keys


def give_back(
    connection: Connection[Any],
    provider: str,
    invoice: str,
    amount: Decimal | None,
    *,
    by: str,
    at: datetime,
) -> RefundByHand:
    """Have what was paid too much for *invoice* given back, or propose it.

    Args:
        connection: To the books, in no transaction.
        provider: By whom it was paid.
        invoice: Its number.
        amount: In major units; None: all of it.
        by: Who says so.
        at: Now.

    Raises:
        NothingToGiveBackError: If nothing was paid too much, or not by the provider.
        TooMuchToGiveBackError: If *amount* is more than that.
        UnfitPrepaymentError: If the currency has no such amount.
        SameProposerError: If who proposed it says so again.
    """
    policy = policy_in_force(connection, at)
    with under_the_books(connection):
        found = refundable(connection, provider, invoice)
        if found is None or found.by_hand_minor == 0:
            raise NothingToGiveBackError(invoice)
        minor = found.by_hand_minor if amount is None else minor_of(amount, found.currency)
        if minor > found.by_hand_minor:
            raise TooMuchToGiveBackError(invoice, found)
        # Of a part as of the whole: who gives it part by part is no other person.
        takes_two = is_above(policy.payment_approval_above, found.by_hand_minor, found.currency)
        if takes_two and not _is_second(connection, invoice, minor, by=by):
            replace_proposed(connection, About.REFUND, invoice, Withdrawal(by, "", at))
            connection.execute(_PROPOSE, (invoice, minor, by, at))
            return RefundByHand(invoice, found.currency, minor, ())
        connection.execute(_SETTLE, (invoice,))
        before = len(requests_for(connection, invoice, RequestKind.REFUND))
        cause = RefundCause(f"{BY_HAND}{invoice}:{before + 1}", "", by)
        keys = decide_refunds(connection, provider, invoice, cause, now=at, amount_minor=minor)
    return RefundByHand(invoice, found.currency, minor, tuple(keys))


def withdraw_refund(connection: Connection[Any], invoice: str, how: Withdrawal) -> None:
    """Take back what was proposed to be given back of *invoice*; whoever may propose may.

    Raises:
        NotProposedError: If nothing was.
        NoReasonError: If *how* does not say why.
    """
    with under_the_books(connection):
        withdraw(connection, About.REFUND, invoice, how)


def _is_second(connection: Connection[Any], invoice: str, minor: int, *, by: str) -> bool:
    """Say whether somebody else proposed the same."""
    proposed = connection.execute(_PROPOSAL, (invoice,)).fetchone()
    if proposed is None or proposed[0] != minor:
        return False
    if is_same_person(proposed[1], by):
        raise SameProposerError(invoice, proposed[1])
    check_pair(connection, proposed[1], by, Permission.MOVE_MONEY)
    return True


class NothingToGiveBackError(LedgerError):
    """Nothing was paid too much for an invoice, or not by the provider."""

    def __init__(self, invoice: str) -> None:
        super().__init__(
            f"nothing is to be given back of {invoice}: what was paid of it by card or debit is "
            "owed, lost by a dispute, or on its way back; `wattledger credit` says that an invoice "
            "is owed no more"
        )
        self.invoice = invoice


class TooMuchToGiveBackError(LedgerError):
    """More than was paid too much."""

    def __init__(self, invoice: str, found: Refundable) -> None:
        most = amount_text(found.by_hand_minor, found.currency)
        super().__init__(
            f"at most {most} is to be given back of {invoice}: for more, credit the invoice first "
            "with `wattledger credit`"
        )
        self.invoice, self.most_minor = invoice, found.by_hand_minor


class SameProposerError(LedgerError):
    """Who proposed to give something back said so again: it takes somebody else."""

    def __init__(self, invoice: str, proposed_by: str) -> None:
        super().__init__(
            f"{proposed_by} proposed to give this back of {invoice}: it is above "
            "payment_approval_above, so another person says the same"
        )
        self.invoice, self.proposed_by = invoice, proposed_by
