"""Who takes what of payments: the one table that knows every room.

A room that is to be asked for, or told, something of a provider has its row here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from psycopg import Connection

from deploy.running.parts import PartContext
from deploy.visits.running import run_visits
from ledger.payments.collecting.collecting import CollectTaker
from ledger.payments.collecting.collector import InvoiceCollector
from ledger.payments.collecting.refund_taking import RefundTaker, StrayRefundTaker
from ledger.payments.collecting.setting_up import SetUpTaker
from ledger.payments.disputes.taker import DisputeTaker
from ledger.payments.movement import STRIPE
from ledger.payments.payouts.taker import PayoutTaker
from ledger.payments.provider import PaymentObjectKind
from ledger.payments.requests import RequestKind
from ledger.payments.taking import ObjectTaker, RequestTaker
from ledger.payments.topping_up.automatic import AutomaticTopUps
from ledger.payments.topping_up.lost_top_up import take_from_balance
from ledger.payments.topping_up.pay_back import PayBackTaker
from ledger.payments.topping_up.top_up import TopUpTaker
from ledger.payments.visits.holds import VisitTaker


class PaymentRound(NamedTuple):
    """What is decided again and again, `seconds` apart; `run` says how much was decided.

    Only the process that asks the provider decides.
    """

    name: str
    seconds: float
    run: Callable[[datetime], int]


class PaymentWork(NamedTuple):
    """All of it. `loops` run until they are stopped, each in a thread of its own."""

    takers: Mapping[RequestKind, RequestTaker]
    objects: Mapping[PaymentObjectKind, ObjectTaker]
    rounds: Sequence[PaymentRound]
    loops: Mapping[str, Callable[[threading.Event], None]]


def payment_work(
    context: PartContext, connection: Connection[Any], legal_entity: str
) -> PaymentWork:
    """Return who takes what, of the account of *legal_entity*; rounds decide on *connection*."""
    visits, dsn = VisitTaker(), context.dsn
    top_ups = AutomaticTopUps(connection, STRIPE, legal_entity)
    return PaymentWork(
        takers={
            RequestKind.SET_UP: SetUpTaker(),
            RequestKind.COLLECT: CollectTaker(),
            RequestKind.REFUND: RefundTaker(),
            RequestKind.TOP_UP: TopUpTaker(),
            RequestKind.PAY_BACK: PayBackTaker(),
            RequestKind.HOLD: visits,
            RequestKind.RAISE: visits,
            RequestKind.CAPTURE: visits,
            RequestKind.RELEASE: visits,
        },
        objects={
            PaymentObjectKind.REFUND: StrayRefundTaker(),
            PaymentObjectKind.DISPUTE: DisputeTaker(dsn, legal_entity, take_from_balance),
            PaymentObjectKind.PAYOUT: PayoutTaker(dsn, legal_entity),
        },
        rounds=(
            PaymentRound("collecting", 1.0, InvoiceCollector(connection, STRIPE).run_once),
            PaymentRound("topping-up", 1.0, top_ups.run_once),
        ),
        loops={"visits": partial(run_visits, context)},
    )
