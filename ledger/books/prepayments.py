"""Prepaid balances: what customers paid in advance, and what invoices are settled with of it.

A prepayment is a row of `inputs` in one transaction with its journal entry: a kill leaves both or
neither, and nothing has to be taken over later. (As an aggregate it would be saved over a
connection of its own, before its entry; as a line of the log it would lie in one partition, while
the invoices that it settles follow from all of them.) The balance is the journal's: the sum of the
postings to PREPAYMENTS, kept nowhere else.

An invoice is settled when it is booked, up to what is there; a credit note gives back what its
invoice was settled with. Both hang on what came before, so a prepayment takes the lock under which
documents are booked, and records after which of them it came. A replay settles again in that order.

    10.00 paid in advance     -> balance 10.00
    invoice of 4.76 booked    -> settled:WL-2026-000001, balance 5.24
    invoice of 8.00 booked    -> settled with 5.24, balance 0; 2.76 stay owed
    the first one is credited -> 4.76 are given back
    10.00 paid in advance     -> what stays owed of the second one is not settled: it was booked

What was settled with money that a bank took back for good is owed again (`owed_again`): a credit
note takes that off what is owed, and gives none of it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

from ledger.books.accounts import owed_by_customer, prepayment_entry, settlement_entry
from ledger.books.feed import DESK_PARTITION, DeskDecision, append_decision
from ledger.books.journal import JournalEntry, Posting, store_entries
from ledger.books.periods import ClosedMonths, load_marks
from ledger.errors import LedgerError
from ledger.rating.decisions import FIRST_REVISION, hash_decision
from tariffs.currencies import currency_exponent
from tariffs.model.canonical import canonical_json
from tariffs.quantities import minor_text

_LOCK_BOOKED: LiteralString = "SELECT notification_id FROM booked_position FOR UPDATE"
_FIND: LiteralString = """
SELECT legal_entity, reference, customer, currency, amount_minor, received_at, recorded_by,
       booked_after, original_period, period, number
FROM prepayment WHERE legal_entity = %s AND reference = %s
"""
_ALL: LiteralString = """
SELECT legal_entity, reference, customer, currency, amount_minor, received_at, recorded_by,
       booked_after, original_period, period, number
FROM prepayment WHERE %(numbers)s::bigint[] IS NULL OR number = ANY (%(numbers)s)
ORDER BY number
"""
_RECORD: LiteralString = """
INSERT INTO prepayment (legal_entity, reference, customer, currency, amount_minor, received_at,
    recorded_by, booked_after, original_period, period)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING number
"""
_BALANCES: LiteralString = """
SELECT wanted.customer, wanted.legal_entity, wanted.currency, -sum(entry.amounts[1])::bigint,
       (SELECT max(received_at) FROM prepayment AS paid
        WHERE paid.customer = wanted.customer AND paid.legal_entity = wanted.legal_entity
        AND paid.currency = wanted.currency)
FROM unnest(%s::text[], %s::text[], %s::text[]) AS wanted (customer, legal_entity, currency)
JOIN journal_entry AS entry ON entry.accounts[1] = 'prepayments'
    AND entry.parties[1] = wanted.customer AND entry.legal_entity = wanted.legal_entity
    AND entry.currencies[1] = wanted.currency
GROUP BY wanted.customer, wanted.legal_entity, wanted.currency
"""
_SETTLED: LiteralString = """
SELECT coalesce(sum(amounts[1]), 0)::bigint FROM journal_entry WHERE entry_id IN (
    SELECT 'settled:' || %(number)s
    UNION ALL SELECT 'settled:' || number FROM issued_invoice WHERE credits = %(number)s
)
"""
# Of a payment into a balance alone: what is lost of one for the invoice itself settled nothing.
LOST: Final[LiteralString] = """
FROM allotment AS lost JOIN movement USING (number)
JOIN dispute ON (provider, dispute_id) = (source, about)
WHERE lost.document = ANY (%(numbers)s) AND lost.document <> ''
    AND lost.account = 'receivable:invoiced' AND kind IN ('dispute_lost', 'dispute_won')
    AND EXISTS (SELECT FROM allotment AS came
        WHERE came.number = received AND came.account = 'cash:clearing')
"""
"""What of documents is owed again since a payment into a balance was lost, or no more."""
_OWED_AGAIN: LiteralString = (
    "SELECT lost.document, -sum(lost.minor)::bigint" + LOST + "GROUP BY lost.document"
)


class PrepaidAccount(NamedTuple):
    """Whose balance, at whom, in which currency: balances of two are never added."""

    customer: str
    legal_entity: str
    currency: str


class PrepaidStanding(NamedTuple):
    """What is on an account, in minor units, and when money came last; None: never."""

    balance_minor: int = 0
    received_at: datetime | None = None


class Prepayment(NamedTuple):
    """Money that a customer paid in advance; below 0: that it was paid back.

    `reference` names it within its legal entity: the same one is recorded once. `booked_after` and
    `number` are its place among documents and other prepayments; `original_period` is the month in
    which it came, `period` the one in whose books it stands.
    """

    legal_entity: str
    reference: str
    customer: str
    currency: str
    amount_minor: int
    received_at: datetime
    recorded_by: str
    booked_after: int = 0
    original_period: str = ""
    period: str = ""
    number: int = 0

    @property
    def account(self) -> PrepaidAccount:
        """Return whose balance it changes."""
        return PrepaidAccount(self.customer, self.legal_entity, self.currency)

    def entry(self) -> JournalEntry:
        """Return what it posts."""
        cause = f"prepaid:{self.legal_entity}/{self.reference}"
        return prepayment_entry(
            cause,
            self.legal_entity,
            self.received_at,
            self.original_period,
            self.period,
            self.customer,
            self.currency,
            self.amount_minor,
        )


def record_prepayment(
    connection: Connection[Any], wanted: Prepayment, calendar: tzinfo = UTC
) -> bool:
    """Record *wanted* and post it, all or nothing; say whether it was new.

    It stands in the books of its month in the legal entity's *calendar*, or of the next open one.

    Raises:
        OtherPrepaymentError: If its reference names another prepayment.
        BalanceTooSmallError: If more is to be paid back than there is.
    """
    with connection.transaction():
        [(booked_after,)] = connection.execute(_LOCK_BOOKED).fetchall()
        named = wanted.legal_entity, wanted.reference
        with connection.cursor(row_factory=class_row(Prepayment)) as cursor:
            known = cursor.execute(_FIND, named).fetchone()
        if known is not None:
            if (known.account, known.amount_minor) != (wanted.account, wanted.amount_minor):
                raise OtherPrepaymentError(known)
            return False
        [standing] = standings(connection, [wanted.account])
        if standing.balance_minor + wanted.amount_minor < 0:
            raise BalanceTooSmallError(wanted.account, standing.balance_minor)
        # Not before what it follows, whatever two machines' clocks say.
        received_at = max(wanted.received_at, standing.received_at or wanted.received_at)
        month = f"{received_at.astimezone(calendar):%Y-%m}"
        closed = ClosedMonths(load_marks(connection, DESK_PARTITION))
        made = wanted._replace(
            received_at=received_at,
            booked_after=booked_after,
            original_period=month,
            period=closed.month_for(wanted.legal_entity, month),
        )
        [(number,)] = connection.execute(_RECORD, made[:-1]).fetchall()
        store_entries(connection, [made.entry()])
        append_decision(
            connection,
            DeskDecision.PREPAID,
            subject=str(number),
            revision=FIRST_REVISION,
            sha256=hash_decision(canonical_json(made[:-1])),
        )
    return True


def prepayments(
    connection: Connection[Any], numbers: Sequence[int] | None = None
) -> list[Prepayment]:
    """Return prepayments in their order: those of *numbers*, if not said otherwise all."""
    asked = {"numbers": None if numbers is None else list(numbers)}
    with connection.cursor(row_factory=class_row(Prepayment)) as cursor:
        return cursor.execute(_ALL, asked).fetchall()


def standings(
    connection: Connection[Any], accounts: Sequence[PrepaidAccount]
) -> list[PrepaidStanding]:
    """Return how *accounts* stand by the journal, in their order."""
    columns = [list(column) for column in zip(*accounts, strict=True)] or [[], [], []]
    found = {
        PrepaidAccount(*account): PrepaidStanding(balance, received_at)
        for *account, balance, received_at in connection.execute(_BALANCES, columns)
    }
    return [found.get(account, PrepaidStanding()) for account in accounts]


def settled_minor(connection: Connection[Any], number: str) -> int:
    """Return what invoice *number* is settled with.

    Less what its credit notes gave back, and what is owed again.
    """
    [(minor,)] = connection.execute(_SETTLED, {"number": number}).fetchall()
    return int(minor) - owed_again(connection, [number]).get(number, 0)


def owed_again(connection: Connection[Any], numbers: Sequence[str]) -> dict[str, int]:
    """Return what of invoices *numbers* had been settled with money that was lost since."""
    return dict(connection.execute(_OWED_AGAIN, {"numbers": list(numbers)}).fetchall())


class PrepaidSettling:
    """Settles documents in the order they are booked, within one transaction that books them."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self._standings: dict[PrepaidAccount, PrepaidStanding] = {}
        self._settled: dict[str, int] = {}

    def look_up(self, accounts: Sequence[PrepaidAccount]) -> None:
        """Ask for several *accounts* in one go; `settle` asks for those that it was not given."""
        new = [each for each in dict.fromkeys(accounts) if each not in self._standings]
        if new:
            self._standings |= zip(new, standings(self._connection, new), strict=True)

    def settle(
        self, document: JournalEntry, number: str, customer: str | None, credited: str | None
    ) -> JournalEntry | None:
        """Return the entry that settles what *document* posts, None where nothing is settled.

        Args:
            document: What issuing it posts.
            number: Its number.
            customer: Its buyer, None: the bearer of a token.
            credited: Of a credit note, the invoice that it credits.
        """
        owed = None if customer is None else owed_by_customer(document, customer)
        if owed is None:
            return None
        account = PrepaidAccount(owed.party, document.legal_entity, owed.currency)
        self.look_up([account])
        standing = self._standings[account]
        if standing.received_at is None:
            return None  # nearly always: nothing was ever paid in advance
        settled = None if credited is None else self._settled_of(credited)
        entry = settlement(document, number, owed, standing, settled)
        if entry is not None:
            moved, invoice = entry.postings[0].amount_minor, credited or number
            balance_minor = standing.balance_minor - moved
            self._standings[account] = standing._replace(balance_minor=balance_minor)
            self._settled[invoice] = self._settled.get(invoice, 0) + moved
        return entry

    def _settled_of(self, invoice: str) -> int:
        if invoice not in self._settled:
            self._settled[invoice] = settled_minor(self._connection, invoice)
        return self._settled[invoice]


def settlement(
    document: JournalEntry,
    number: str,
    owed: Posting,
    standing: PrepaidStanding,
    settled: int | None,
) -> JournalEntry | None:
    """Return the entry that settles a document, None where there is nothing to settle.

    Args:
        document: What issuing it posts.
        number: Its number.
        owed: The customer's leg of it.
        standing: How the customer's account stands.
        settled: Of a credit note, what its invoice is settled with by now; None of an invoice.
    """
    if settled is None:
        minor = max(min(owed.amount_minor, standing.balance_minor), 0)
    else:
        minor = -max(min(-owed.amount_minor, settled), 0)
    if not minor:
        return None
    # A record's time may lie before the moment at which the money came.
    booked_at = max(document.booked_at, standing.received_at or document.booked_at)
    of = document.legal_entity, booked_at, document.original_period
    return settlement_entry(number, *of, owed, minor)


class OtherPrepaymentError(LedgerError):
    """A reference names a prepayment of somebody else, or of another amount."""

    def __init__(self, known: Prepayment) -> None:
        paid = amount_text(known.amount_minor, known.currency)
        super().__init__(
            f"reference {known.reference} of {known.legal_entity} is that of another prepayment, "
            f"of {paid}: each has a reference of its own"
        )
        self.known = known


class BalanceTooSmallError(LedgerError):
    """More is to be paid back than there is."""

    def __init__(self, account: PrepaidAccount, balance_minor: int) -> None:
        there = amount_text(balance_minor, account.currency)
        super().__init__(f"the balance at {account.legal_entity} is {there}: no more is paid back")
        self.account, self.balance_minor = account, balance_minor


def amount_text(minor: int, currency: str) -> str:
    """Return an amount as errors say it: "12.30 EUR"."""
    return f"{minor_text(minor, currency_exponent(currency))} {currency}"
