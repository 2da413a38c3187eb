"""A provider's account on paper, to the cent: payments, refunds, disputes, payouts, its lines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

from ledger.payments.provider import (
    BalanceLine,
    DisputeState,
    DisputeStatus,
    IntentState,
    PaymentObjectKind,
    PayoutState,
    PayoutStatus,
    RefundState,
    RefundStatus,
    WantedIntent,
)
from tests.ledger.payments.paper_provider import BEGAN, PaperProvider

DISPUTE_FEE = 1500


class PaperAccount(PaperProvider):
    """Each thing that happens makes its line; a payout takes all lines of a currency.

    `told` are the objects of which something became, in the order in which it did.
    """

    def __init__(self) -> None:
        super().__init__()
        self.unpaid: list[BalanceLine] = []
        self.paid: dict[str, list[BalanceLine]] = {}
        self.told: list[tuple[PaymentObjectKind, str]] = []
        self.at: datetime = BEGAN

    def line(
        self,
        kind: str,
        minor: int,
        source_id: str | None = None,
        *,
        fee: int = 0,
        currency: str = "EUR",
    ) -> BalanceLine:
        """Put a line on the balance."""
        named = f"txn_{next(self._ids)}"
        sums = (minor, fee, minor - fee, currency, self.at, source_id)
        made = BalanceLine(named, kind, *sums)
        self.unpaid.append(made)
        return made

    def balance_minor(self, currency: str = "EUR") -> int:
        """Return what we have there."""
        return sum(each.net_minor for each in self.unpaid if each.currency == currency)

    def tell(self, kind: PaymentObjectKind, object_id: str) -> None:
        self.told.append((kind, object_id))

    def refund(self, key: str, intent_id: str, amount_minor: int) -> RefundState:
        return self._answer("refund", key, lambda: self._refunded(key, intent_id, amount_minor))

    def fail_refund(self, refund: RefundState) -> None:
        """Have a refund come back."""
        self.objects[refund.id] = refund._replace(status=RefundStatus.FAILED)
        self.line("refund_failure", refund.amount_minor, refund.id)
        self.tell(PaymentObjectKind.REFUND, refund.id)

    def dispute(
        self, intent: IntentState, minor: int, status: DisputeStatus = DisputeStatus.OPEN
    ) -> DisputeState:
        """Have a payer's bank take some of a payment back, or only ask (INQUIRY)."""
        made = DisputeState(
            f"dp_{next(self._ids)}",
            intent.id,
            DisputeStatus.INQUIRY,
            minor,
            intent.currency,
            self.at,
            reason="fraudulent",
        )
        self.objects[made.id] = made
        self.tell(PaymentObjectKind.DISPUTE, made.id)
        return made if status is DisputeStatus.INQUIRY else self.withdraw(made, minor)

    def withdraw(self, dispute: DisputeState, minor: int) -> DisputeState:
        """Take so much of the money in dispute, and the fee the first time."""
        fee = 0 if dispute.fee_minor else DISPUTE_FEE
        self.line("adjustment", -minor, dispute.id, fee=fee, currency=dispute.currency)
        taken = dispute.taken_minor + minor
        status, fee = DisputeStatus.OPEN, dispute.fee_minor + fee
        now = dispute._replace(status=status, taken_minor=taken, fee_minor=fee)
        return self._now(now)

    def settle(self, dispute: DisputeState, *, is_won: bool, given_back: int = 0) -> DisputeState:
        """End a dispute; what is *given_back* comes back with it, or later."""
        status = DisputeStatus.WON if is_won else DisputeStatus.LOST
        if given_back:
            self.line("adjustment", given_back, dispute.id, currency=dispute.currency)
        back = dispute.given_back_minor + given_back
        return self._now(dispute._replace(status=status, given_back_minor=back))

    def pay_out(self, currency: str = "EUR") -> PayoutState:
        """Pay all out that there is of a currency."""
        lines = [each for each in self.unpaid if each.currency == currency]
        self.unpaid = [each for each in self.unpaid if each.currency != currency]
        minor = sum(each.net_minor for each in lines)
        made = PayoutState(
            f"po_{next(self._ids)}",
            PayoutStatus.ON_ITS_WAY,
            minor,
            currency,
            self.at,
            date(2026, 11, 20),
        )
        own = self.line("payout", -minor, made.id, currency=currency)
        self.unpaid.remove(own)
        self.paid[made.id] = [*lines, own]
        self.objects[made.id] = made
        self.tell(PaymentObjectKind.PAYOUT, made.id)
        return made

    def fail_payout(self, payout: PayoutState) -> None:
        """Have the money of a payout come back: a line of the next one."""
        self.objects[payout.id] = payout._replace(status=PayoutStatus.FAILED)
        self.line("payout_failure", payout.amount_minor, payout.id, currency=payout.currency)
        self.tell(PaymentObjectKind.PAYOUT, payout.id)

    def in_transit_minor(self) -> int:
        """Return what is on its way to the bank."""
        payouts = (each for each in self.objects.values() if isinstance(each, PayoutState))
        return sum(p.amount_minor for p in payouts if p.status is not PayoutStatus.FAILED)

    def balance_lines(self, payout_id: str) -> Iterator[BalanceLine]:
        self.before("balance_lines", payout_id)
        yield from self.paid[payout_id]
        self.after("balance_lines", payout_id)

    def balance_lines_since(self, since: datetime) -> Iterator[BalanceLine]:
        paid = (each for lines in self.paid.values() for each in lines)
        yield from (each for each in (*self.unpaid, *paid) if each.created_at >= since)

    def payouts(self, since: datetime) -> Iterator[PayoutState]:
        made = [each for each in self.objects.values() if isinstance(each, PayoutState)]
        yield from (each for each in reversed(made) if each.created_at >= since)

    def disputed_minor(self) -> int:
        """Return what is in dispute: taken, and neither given back nor lost."""
        disputes = [each for each in self.objects.values() if isinstance(each, DisputeState)]
        return sum(
            max(each.taken_minor - each.given_back_minor, 0)
            for each in disputes
            if each.status is not DisputeStatus.LOST
        )

    def lost_minor(self) -> int:
        """Return what was lost in disputes, and never given back."""
        disputes = [each for each in self.objects.values() if isinstance(each, DisputeState)]
        lost = (each for each in disputes if each.status is DisputeStatus.LOST)
        return sum(max(each.taken_minor - each.given_back_minor, 0) for each in lost)

    def _now(self, made: DisputeState) -> DisputeState:
        self.objects[made.id] = made
        self.tell(PaymentObjectKind.DISPUTE, made.id)
        return made

    def _intent(self, wanted: WantedIntent) -> IntentState:
        made = super()._intent(wanted)
        if made.taken_minor:
            fee = made.taken_minor * 15 // 1000 + 25
            named = made.charge_id
            self.line("charge", made.taken_minor, named, fee=fee, currency=made.currency)
        return made

    def _refunded(self, key: str, intent_id: str, amount_minor: int) -> RefundState:
        intent = self.intent(intent_id)
        named = f"re_{next(self._ids)}"
        self.line("refund", -amount_minor, named, currency=intent.currency)
        return RefundState(
            named, intent_id, RefundStatus.DONE, amount_minor, intent.currency, self.at, key
        )
