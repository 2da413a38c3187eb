"""What is booked of a payout: pure, from the payout and its matched lines.

Of a payment of 4.76 with a fee of 0.32, a refund of 1.00, and the provider's own fee of 0.10:

| account | |
|---|---|
| `cash:stripe` | -3.76: the payment and the refund have left it |
| `cash:clearing` | +3.34: what the bank is to get |
| `fees:stripe` | +0.42 |
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final, NamedTuple

from ledger.payments.movement import (
    CLEARING,
    UNMATCHED,
    Allotment,
    MoneyKind,
    MoneyMovement,
    exchange_account,
    fees_account,
)
from ledger.payments.payouts.matching import MatchedLine
from ledger.payments.provider import PayoutState

RECORDED_BY: Final = "payouts"
"""Who records what is booked of payouts."""


class Booker(NamedTuple):
    """For whom payouts are booked: `provider` as in accounts, and whose money it is."""

    provider: str
    legal_entity: str

    def movement(
        self, kind: MoneyKind, payout: PayoutState, reference: str, *allotments: Allotment
    ) -> MoneyMovement:
        """Return a movement of *payout*, in its currency: what the allotments come to."""
        return MoneyMovement(
            kind=kind,
            source=self.provider,
            reference=reference,
            legal_entity=self.legal_entity,
            currency=payout.currency,
            amount_minor=sum(each.minor for each in allotments),
            allotments=tuple(each for each in allotments if each.minor),
            happened_at=payout.created_at,
            recorded_by=RECORDED_BY,
            about=payout.id,
        )

    def unexplained(self, payout: PayoutState, matched: MatchedLine) -> MoneyMovement:
        """Return what is booked of *matched* that nothing of ours explains."""
        line, to = matched.line, Allotment(UNMATCHED, matched.unexplained_minor)
        made = self.movement(MoneyKind.BANKED, payout, f"{payout.id}/{line.id}", to)
        return made._replace(happened_at=min(line.created_at, payout.created_at))

    def difference(self, payout: PayoutState, minor: int) -> MoneyMovement:
        """Return what is booked where *payout* is *minor* more than its lines come to."""
        to = Allotment(UNMATCHED, minor)
        return self.movement(MoneyKind.BANKED, payout, f"{payout.id}/difference", to)

    def failed(self, payout: PayoutState) -> MoneyMovement:
        """Return what is booked where the money of *payout* came back to the provider."""
        back = Allotment(CLEARING, payout.amount_minor, "", payout.id)
        return self.movement(MoneyKind.PAYOUT_FAILED, payout, payout.id, back)


class PayoutSums:
    """What the lines of a payout come to, added up line by line."""

    def __init__(self) -> None:
        self.lines = 0
        self.net_minor = 0
        self.booked_minor: defaultdict[str, int] = defaultdict(int)
        """What leaves `cash:PROVIDER`, by currency."""
        self._fees_minor = 0
        self._to_accounts: defaultdict[str, int] = defaultdict(int)

    def add(self, matched: MatchedLine) -> None:
        """Add a line."""
        self.lines += 1
        self.net_minor += matched.line.net_minor
        if matched.booked_minor:
            self.booked_minor[matched.booked_currency] += matched.booked_minor
        self.booked_minor[matched.line.currency] += matched.beyond_minor
        self._fees_minor += matched.fee_minor
        if matched.to_account:
            self._to_accounts[matched.to_account] += matched.to_account_minor

    def difference_minor(self, payout: PayoutState) -> int:
        """Return what *payout* is more than its lines come to."""
        return payout.amount_minor - self.net_minor

    def paid_out(self, payout: PayoutState, booker: Booker) -> list[MoneyMovement]:
        """Return what is booked of *payout*, a movement a currency, its own the first.

        A payout whose lines cancel each other out to nothing books nothing.
        """
        to_bank = Allotment(CLEARING, -payout.amount_minor, "", payout.id)
        fees = Allotment(fees_account(booker.provider), -self._fees_minor)
        rest = [Allotment(account, minor) for account, minor in sorted(self._to_accounts.items())]
        made = [booker.movement(MoneyKind.PAID_OUT, payout, payout.id, to_bank, fees, *rest)]
        for currency, minor in sorted(self.booked_minor.items()):
            if currency != payout.currency:
                changed = Allotment(exchange_account(booker.provider), -minor)
                named = f"{payout.id}/{currency}"
                other = booker.movement(MoneyKind.PAID_OUT, payout, named, changed)
                made.append(other._replace(currency=currency))
        return [each for each in made if each.allotments]
