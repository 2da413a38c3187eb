"""A process that collects until it is killed."""

from __future__ import annotations

import time
from ctypes import c_double
from datetime import datetime, timedelta
from typing import Final

from ledger.database import connect
from ledger.payments.collecting.collector import InvoiceCollector
from ledger.payments.collecting.refund_taking import StrayRefundTaker
from ledger.payments.disputes.taker import DisputeTaker
from ledger.payments.movement import STRIPE
from ledger.payments.provider import PaymentObjectKind
from ledger.payments.runner import PaymentRunner
from ledger.payments.stripe.provider import StripeProvider
from ledger.payments.taking import ObjectTaker
from tests.ledger.payments.collecting.payers import BILLED_AT, TAKERS
from tests.ledger.payments.collecting.webhook_address import KEY

LOOK_SECONDS: Final = 0.01


def collect_for_ever(dsn: str, url: str, later: c_double, rounds: int | None) -> None:
    """Collect what there is to collect, *later* seconds after BILLED_AT; None: until killed.

    As many *rounds* in a row with nothing to do end it.
    """
    objects: dict[PaymentObjectKind, ObjectTaker] = {
        PaymentObjectKind.REFUND: StrayRefundTaker(),
        PaymentObjectKind.DISPUTE: DisputeTaker(dsn, "depot"),
    }
    provider, idle = StripeProvider(KEY, url=url), 0

    def now() -> datetime:
        return BILLED_AT + timedelta(seconds=later.value)

    with (
        connect(dsn) as connection,
        PaymentRunner(dsn, provider, TAKERS, objects, now, "a test") as runner,
    ):
        collector = InvoiceCollector(connection, STRIPE)
        while rounds is None or idle < rounds:
            if runner.run_once() + collector.run_once(now()):
                idle = 0
                continue
            idle += 1
            time.sleep(LOOK_SECONDS)
    provider.close()
