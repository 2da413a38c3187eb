"""A movement: money that came, went or was moved between accounts, and what it was for.

The books get it from nothing but the movement itself, by one rule: the account `cash:SOURCE` rises
by the amount, and each allotment is a leg of the opposite sign. What a kind allots to, as a table:

| kind | cash | allotted to |
|---|---|---|
| RECEIVED by a provider | + | the receivable of an invoice; `cash:clearing` of a prepayment |
| REFUNDED; REFUND_FAILED | -; + | the receivable of the invoice whose money it was |
| DISPUTED; DISPUTE_WON | -; + | `disputes:PROVIDER`; what is taken for it, `fees:PROVIDER` |
| DISPUTE_LOST | 0 | out of `disputes:PROVIDER`; the receivable again: it is not paid |
| PAID_OUT; PAYOUT_FAILED | -; + | `cash:clearing`, what the bank gets; `fees:PROVIDER` |
| BANKED, on a statement | + or - | what it is for; `cash:unmatched` while nobody knows |
| the same by a provider | + or - | `cash:unmatched`: a line of a payout that nothing explains |
| MATCHED, what was unmatched | 0 | out of `cash:unmatched`; into what it was for |
| and of a corrected invoice | 0 | out of its receivable; into that of what takes its place |

`cash:clearing` is money on its way between two of these: it is 0 once both are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from ledger.books.accounts import CASH_CLEARING, PARTNER_RECEIVABLE, RECEIVABLE
from ledger.books.journal import JournalEntry, Posting
from ledger.errors import LedgerError

UNMATCHED: Final = "cash:unmatched"
STRIPE: Final = "stripe"
"""The provider, as sources and accounts name it."""
BANK: Final = "bank:"
"""How sources that are bank accounts of ours begin."""
REFERENCE_MAX: Final = 100


class MoneyKind(StrEnum):
    """What happened; see the table above."""

    RECEIVED = "received"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"
    DISPUTED = "disputed"
    DISPUTE_WON = "dispute_won"
    DISPUTE_LOST = "dispute_lost"
    PAID_OUT = "paid_out"
    PAYOUT_FAILED = "payout_failed"
    BANKED = "banked"
    MATCHED = "matched"


def cash_account(source: str) -> str:
    """Return the account of a provider's or a bank's money ("cash:stripe")."""
    return f"cash:{source}"


def fees_account(source: str) -> str:
    """Return the account of what a provider keeps for its work."""
    return f"fees:{source}"


def disputes_account(source: str) -> str:
    """Return the account of money that a bank took back until a dispute is settled."""
    return f"disputes:{source}"


def reserves_account(source: str) -> str:
    """Return the account of what a provider keeps back for a while."""
    return f"reserves:{source}"


def exchange_account(source: str) -> str:
    """Return the account between two currencies, where a provider paid out other money."""
    return f"exchange:{source}"


def bank_source(account: str) -> str:
    """Return the source that a bank account of ours is, by its IBAN or number."""
    return f"{BANK}{account}"


class Allotment(NamedTuple):
    """What some of a movement is for, in minor units; below 0: given back, or asked for again.

    `document`: an invoice, a settlement with a partner, or the payout whose money is under way
    (`cash:clearing`); "" where none. `party` as in a posting.
    """

    account: str
    minor: int
    party: str = ""
    document: str = ""


CLEARING: Final = CASH_CLEARING
RECEIVABLES: Final = frozenset({RECEIVABLE, PARTNER_RECEIVABLE})
"""Where it stands what documents ask for."""


class MoneyMovement(NamedTuple):
    """Money that moved; `amount_minor` is what `cash:SOURCE` rose by.

    `reference` is the source's own name for it: of one kind, each is recorded once. `about`: what
    it follows from. `original_period`, `period` and `number` are given when it is recorded.
    """

    kind: MoneyKind
    source: str
    reference: str
    legal_entity: str
    currency: str
    amount_minor: int
    allotments: tuple[Allotment, ...]
    happened_at: datetime
    recorded_by: str
    about: str = ""
    original_period: str = ""
    period: str = ""
    number: int = 0

    @property
    def entry_id(self) -> str:
        """Return the cause under which it is posted."""
        return f"{self.kind}:{self.source}/{self.reference}"

    def minor_for(self, document: str) -> int:
        """Return what of it was paid for *document*, or below 0 is owed of that again."""
        of_it = (each for each in self.allotments if each.document == document)
        return sum(each.minor for each in of_it if each.account in RECEIVABLES)

    def entry(self) -> JournalEntry:
        """Return what it posts."""
        cash = Posting(
            account=cash_account(self.source),
            party="",
            currency=self.currency,
            amount_minor=self.amount_minor,
        )
        legs = [cash, *(_leg(each, self.currency) for each in self.allotments)]
        return JournalEntry(
            entry_id=self.entry_id,
            legal_entity=self.legal_entity,
            booked_at=self.happened_at,
            original_period=self.original_period,
            period=self.period,
            postings=tuple(leg for leg in legs if leg.amount_minor),
        )


def _leg(allotment: Allotment, currency: str) -> Posting:
    return Posting(
        account=allotment.account,
        party=allotment.party,
        currency=currency,
        amount_minor=-allotment.minor,
    )


def check_movement(movement: MoneyMovement) -> None:
    """Refuse a movement that could not be booked.

    Raises:
        UnfitMovementError: If its allotments are not its amount, nothing is moved, or a receivable
            is meant and no document.
    """
    allotted = sum(each.minor for each in movement.allotments)
    if allotted != movement.amount_minor:
        raise UnfitMovementError(movement, f"{movement.amount_minor} moved, {allotted} allotted")
    if not movement.allotments or any(each.minor == 0 for each in movement.allotments):
        raise UnfitMovementError(movement, "an allotment of nothing")
    if any(each.account in RECEIVABLES and not each.document for each in movement.allotments):
        # Else what is open would not be the balance of its account.
        raise UnfitMovementError(movement, "what is received names its document")
    if not 0 < len(movement.reference) <= REFERENCE_MAX:
        raise UnfitMovementError(movement, f"a reference has 1 to {REFERENCE_MAX} characters")


def documents_of(movements: Sequence[MoneyMovement]) -> list[str]:
    """Return the documents that *movements* are about, each once."""
    named = (each.document for movement in movements for each in movement.allotments)
    return [*dict.fromkeys(filter(None, named))]


class UnfitMovementError(LedgerError):
    """A movement whose parts do not fit together."""

    def __init__(self, movement: MoneyMovement, why: str) -> None:
        super().__init__(f"{movement.kind} {movement.source}/{movement.reference}: {why}")
        self.movement = movement
