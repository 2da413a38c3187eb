"""What a line may be for, looked up for many lines at once: by name, never by going through all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, LiteralString

from psycopg import Connection

from ledger.books.accounts import PARTNER_RECEIVABLE, RECEIVABLE
from ledger.payments.awaited import AwaitedPayout, awaited_payouts
from ledger.payments.open_items import open_items
from ledger.settlements.entries import PARTNER_PAYABLE

RETURNS: Final = "payable:returns"
"""Money that is to be sent back, until a statement shows that it went; its document is the line."""
_INVOICES: LiteralString = """
SELECT number, coalesce(credits, number) FROM issued_invoice WHERE number = ANY (%s)
"""
_SETTLEMENTS: LiteralString = """
SELECT number, legal_entity, party, currency, due_minor,
    due_minor - coalesce((SELECT sum(minor) FROM allotment
                          WHERE document = settled.number AND document <> ''), 0)::bigint
FROM partner_settlement AS settled WHERE number = ANY (%s)
"""
_BY_BANK: LiteralString = """
SELECT document, abs(minor), sum(sign(minor))::integer FROM allotment JOIN movement USING (number)
WHERE document = ANY (%s) AND document <> '' AND kind IN ('banked', 'matched')
GROUP BY document, abs(minor) HAVING sum(sign(minor)) > 0
"""
# What went, less what came back of it; a person's unmatching has the line's own way, turned round.
_WENT: LiteralString = """
SELECT document, abs(minor), -sum(sign(minor))::integer
FROM allotment JOIN movement USING (number)
    JOIN bank_line ON line = CASE kind WHEN 'banked' THEN reference ELSE about END
WHERE document = ANY (%s) AND document <> '' AND kind IN ('banked', 'matched')
    AND (bank_line.amount_minor < 0) <> is_reversal
GROUP BY document, abs(minor) HAVING sum(sign(minor)) < 0
"""
_RETURNING: LiteralString = """
SELECT document, party, legal_entity, currency, sum(minor)::bigint
FROM allotment JOIN movement USING (number)
WHERE document = ANY (%s) AND document <> '' AND account = %s
GROUP BY document, party, legal_entity, currency HAVING sum(minor) > 0
"""


@dataclass(slots=True)
class MatchableDocument:
    """What is open of a document; below 0: what is to be given back. It sinks as lines take it.

    `customer` None: a bearer's, or a partner's. `paid_by_bank`: amounts that came for it, and were
    not taken back; `returned_by_bank`: those that went, likewise.
    """

    document: str
    legal_entity: str
    currency: str
    account: str
    party: str
    open_minor: int
    customer: str | None = None
    is_invoice: bool = True
    paid_by_bank: list[int] = field(default_factory=list)
    returned_by_bank: list[int] = field(default_factory=list)

    def take(self, minor: int, *, is_reversal: bool) -> None:
        """Take note that a line is for it; below 0: that it went back."""
        self.open_minor -= minor
        if minor > 0 and is_reversal:
            self.returned_by_bank.remove(minor)
        elif minor > 0:
            self.paid_by_bank.append(minor)
        elif minor < 0:
            if -minor in self.paid_by_bank:
                self.paid_by_bank.remove(-minor)
            if not is_reversal:
                self.returned_by_bank.append(-minor)


@dataclass(slots=True)
class MatchStanding:
    """Documents, payouts and returns that lines may be for.

    `invoice_of` has the invoice that a number names: its own, or that of a credit note. `payouts`
    are by currency and what is under way of them.
    """

    invoice_of: dict[str, str]
    owed: dict[str, MatchableDocument]
    payouts: dict[tuple[str, int], list[AwaitedPayout]]
    taken: set[str] = field(default_factory=set)
    """Payouts that a line was matched with."""

    def documents_of(self, names: Iterable[str]) -> tuple[list[MatchableDocument], list[str]]:
        """Return the documents that *names* are of, each once, and the names of none."""
        found: dict[str, MatchableDocument] = {}
        unknown = []
        for each in names:
            document = self.owed.get(self.invoice_of.get(each, each))
            if document is None:
                unknown.append(each)
            else:
                found[document.document] = document
        return list(found.values()), unknown

    def awaited(self, currency: str, minor: int) -> list[AwaitedPayout]:
        """Return the payouts of which so much is under way, and no line was matched with."""
        found = self.payouts.get((currency, minor), [])
        return [each for each in found if each.payout_id not in self.taken]


def standing_of(
    connection: Connection[Any], documents: Collection[str], legal_entity: str
) -> MatchStanding:
    """Return how it stands with *documents*, and with payouts to *legal_entity*."""
    wanted = sorted(documents)
    invoice_of = dict(connection.execute(_INVOICES, (wanted,)).fetchall())
    invoices = sorted(set(invoice_of.values()))
    owed = {
        item.number: MatchableDocument(
            document=item.number,
            legal_entity=item.legal_entity,
            currency=item.currency,
            account=item.account or RECEIVABLE,
            party=item.party or "",
            open_minor=item.open_minor,
            customer=item.customer if item.account == RECEIVABLE else None,
        )
        for item in (open_items(connection, invoices) if invoices else ())
    }
    for number, entity, party, currency, due_minor, open_minor in connection.execute(
        _SETTLEMENTS, (wanted,)
    ):
        account = PARTNER_RECEIVABLE if due_minor >= 0 else PARTNER_PAYABLE
        owed[number] = MatchableDocument(number, entity, currency, account, party, open_minor,
                               is_invoice=False)  # fmt: skip
    for line, party, entity, currency, minor in connection.execute(_RETURNING, (wanted, RETURNS)):
        owed[line] = MatchableDocument(
            line, entity, currency, RETURNS, party, -minor, is_invoice=False
        )
    for document, minor, times in connection.execute(_BY_BANK, (invoices,)):
        if document in owed:
            owed[document].paid_by_bank += [minor] * times
    for document, minor, times in connection.execute(_WENT, (invoices,)):
        if document in owed:
            owed[document].returned_by_bank += [minor] * times
    payouts = defaultdict[tuple[str, int], list[AwaitedPayout]](list)
    for payout in awaited_payouts(connection, legal_entity):
        payouts[payout.currency, payout.under_way_minor].append(payout)
    return MatchStanding(invoice_of, owed, dict(payouts))


def arrives(payout: AwaitedPayout) -> date:
    """Return the day on which a payout is to be on our account."""
    return payout.arrives_on or payout.created_at.date()
