"""`collect`: invoices collected, booked and reconciled to the payout, in processor time of ours.

The provider is the fake of `deploy.demo.provider`, over HTTP, in a process of its own whose time is
not ours. Invoices lie issued in real books. They are decided, asked for in the part's own threads,
booked, heard of again by the provider's events, and found again on its payout, whose difference is
0. Payments a CPU second, of this process and of PostgreSQL together.
"""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from bench.peers.worked_log import cpu_seconds, empty_log
from bench.run import Row, beside
from ledger.database import connect
from ledger.declared.store import declare
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.payments.collecting.collecting import CollectTaker
from ledger.payments.collecting.collector import InvoiceCollector
from ledger.payments.collecting.methods import PayingCustomer
from ledger.payments.collecting.setting_up import SetUpTaker, decide_set_up
from ledger.payments.due_objects import tell_of_object
from ledger.payments.hearing.events import note_events
from ledger.payments.movement import STRIPE
from ledger.payments.payouts.taker import PayoutTaker
from ledger.payments.provider import PaymentObjectKind, PaymentWay
from ledger.payments.requests import RequestKind
from ledger.payments.runner import PaymentRunner
from ledger.payments.stripe.provider import StripeProvider
from ledger.payments.taking import RequestTaker
from tests.depot import changes, declared, keep_decisions, rated, session

PAYMENTS: Final = 600
_AT_LEAST: Final = 200.0
_EVENTS_AT_ONCE: Final = 100
_BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)
_WHO: Final = PayingCustomer(STRIPE, "depot", "anna")
_LEFT: Final = "SELECT count(*) FROM open_invoice"
_PAID_OUT: Final = "SELECT sum(lines), sum(difference_minor) FROM payout"


def rows(_seconds: float) -> list[Row]:
    """Measure the row once."""
    return [
        beside(
            "collect",
            payments_a_second(PAYMENTS),
            "payments collected, booked and reconciled to the payout, per CPU second with"
            " PostgreSQL",
            "at least",
            _AT_LEAST,
        )
    ]


def payments_a_second(payments: int) -> float:
    """Return how many of *payments* take a second of our processor time."""
    with empty_log() as postgres, fake_provider() as url, connect(postgres.dsn) as connection:
        issue_invoices(postgres.dsn, payments)
        takers: Mapping[RequestKind, RequestTaker] = {
            RequestKind.SET_UP: SetUpTaker(),
            RequestKind.COLLECT: CollectTaker(),
        }
        payouts = {PaymentObjectKind.PAYOUT: PayoutTaker(postgres.dsn, "depot")}
        provider = StripeProvider("sk_test_bench", url=url)
        collector = InvoiceCollector(connection, STRIPE)
        with connection.transaction():
            decide_set_up(connection, _WHO, PaymentWay.CARD, "pm_card_visa", by="bench", at=_now())
        with PaymentRunner(postgres.dsn, provider, takers, payouts, _now, "bench") as runner:

            def work() -> None:
                while collector.run_once(_now()) + runner.run_once():
                    pass

            runner.run_once()
            before = cpu_seconds(postgres)
            work()
            collected = cpu_seconds(postgres)
            events = provider.events(_now() - timedelta(days=1))
            while some := list(islice(events, _EVENTS_AT_ONCE)):
                note_events(connection, STRIPE, some, _now())
            work()
            heard = cpu_seconds(postgres)
            urllib.request.urlopen(f"{url}/control/pay_out", b"").close()  # noqa: S310 - ours
            for each in provider.payouts(_now() - timedelta(days=1)):
                tell_of_object(connection, STRIPE, PaymentObjectKind.PAYOUT, each.id, _now())
            work()
            paid_out = cpu_seconds(postgres)
        provider.close()
        [(left,)] = connection.execute(_LEFT).fetchall()
        [(lines, difference)] = connection.execute(_PAID_OUT).fetchall()
    assert (left, difference) == (0, 0), (left, difference)
    assert lines >= payments, lines
    steps = (collected - before, heard - collected, paid_out - heard)
    print("collect: ms a payment:", *(f"{1000 * each / payments:.2f}" for each in steps))
    return payments / sum(steps)


def issue_invoices(dsn: str, count: int) -> None:
    """Have sessions of one customer rated and invoiced, an invoice each."""
    known = declared()
    with connect(dsn) as connection, InvoiceIssuer(dsn) as issuer:
        with connection.transaction():
            declare(connection, changes(), by="bench", at=_BEGINNING)
        for first in range(0, count, 500):
            some = [
                rated(
                    session(
                        number + 1,
                        started_at=_BEGINNING + timedelta(minutes=90 * number),
                        energy_wh=str(5_000 + number * 7 % 40_000),
                    ),
                    known,
                )
                for number in range(first, min(first + 500, count))
            ]
            keep_decisions(connection, some)
            issue_due(connection, issuer, known, up_to=_now())


@contextmanager
def fake_provider() -> Iterator[str]:
    """Yield where the fake serves, in a process of its own."""
    words = [sys.executable, "-m", "deploy.demo.provider", "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    for row in rows(0):
        print(f"{row['name']}: {row['value']:,.0f} {row['unit']}, {row['ratio']:,.1f} x")
