"""`wattledger payouts` and `payments disputes`, against a provider over HTTP with true books."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.cli import WRONG, run
from deploy.clock import SystemClock
from deploy.demo.provider.server import FakeStripe
from deploy.settings import NAMES
from ledger.database import connect
from ledger.declared.store import declare
from ledger.payments.awaited import awaited_payouts
from ledger.payments.disputes.taker import DisputeTaker
from ledger.payments.due_objects import tell_of_object
from ledger.payments.movement import CLEARING, STRIPE, Allotment, MoneyKind, MoneyMovement
from ledger.payments.payouts.taker import PayoutTaker
from ledger.payments.provider import PaymentObjectKind, WantedIntent
from ledger.payments.recording import record_movement
from ledger.payments.requests import RequestKind, find_request
from ledger.payments.runner import PaymentRunner
from ledger.payments.stripe.provider import StripeProvider
from ledger.payments.taking import ObjectTaker
from tests.depot import NOON, changes
from tests.ledger.payments.payouts.booked import balances
from tests.ledger.payments.payouts.plain_takers import PlainPayments, PlainRefunds, wish

KEY = "sk_test_4711"
CLOCK = SystemClock()
SETTLED = timedelta(days=8)


class HttpDesk:
    """Our books, and the provider that they are of, both of which a command finds by settings."""

    def __init__(
        self, dsn: str, connection: psycopg.Connection[Any], provider: StripeProvider
    ) -> None:
        self.connection, self.provider = connection, provider
        self.customer = customer = provider.add_customer("customer:anna", "anna")
        self._objects: dict[PaymentObjectKind, ObjectTaker] = {
            PaymentObjectKind.PAYOUT: PayoutTaker(dsn, "depot"),
            PaymentObjectKind.DISPUTE: DisputeTaker(dsn, "depot"),
        }
        self._payments = PlainPayments(customer, "pm_card_visa")
        self._dsn = dsn

    def charge(self, key: str, minor: int) -> str:
        """Take a payment; return its id."""
        wish(self.connection, RequestKind.COLLECT, minor, CLOCK.now(), key=key)
        self.run()
        request = find_request(self.connection, key)
        assert request is not None
        assert request.object_id is not None
        return request.object_id

    def refund(self, key: str, intent: str, minor: int) -> None:
        body = {"intent": intent, "invoice": "collect:1"}
        wish(self.connection, RequestKind.REFUND, minor, CLOCK.now(), key=key, **body)
        self.run()

    def take(self, kind: PaymentObjectKind, *objects: dict[str, Any]) -> None:
        """Take what the provider tells of *objects*."""
        for each in objects:
            tell_of_object(self.connection, STRIPE, kind, each["id"], NOON)
        self.run()

    def run(self) -> None:
        """Take what is due."""
        takers = {RequestKind.COLLECT: self._payments, RequestKind.REFUND: PlainRefunds()}
        made = PaymentRunner(self._dsn, self.provider, takers, self._objects, CLOCK.now, "a test")
        with made as runner:
            while runner.run_once():
                pass


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    with FakeStripe(sends=False) as serving:
        yield serving


@pytest.fixture
def desk(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: FakeStripe
) -> Iterator[HttpDesk]:
    """Books of a legal entity that has an account with the provider."""
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("WATTLEDGER_STRIPE_KEY", KEY)
    monkeypatch.setenv("WATTLEDGER_STRIPE_URL", fake.url)
    with connect(database) as connection, closing(StripeProvider(KEY, url=fake.url)) as provider:
        with connection.transaction():
            declare(connection, changes(), by="a test", at=NOON)
        yield HttpDesk(database, connection, provider)


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:  # noqa: ANN401 - JSON
    capsys.readouterr()
    assert run([*words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def arrive(desk: HttpDesk, payout: dict[str, Any], minor: int) -> None:
    """Have the bank's statement show a payout."""
    movement = MoneyMovement(
        kind=MoneyKind.BANKED,
        source="bank:DE89",
        reference=f"line of {payout['id']}",
        legal_entity="depot",
        currency="EUR",
        amount_minor=minor,
        allotments=(Allotment(CLEARING, minor, "", payout["id"]),),
        happened_at=CLOCK.now(),
        recorded_by="a test",
    )
    record_movement(desk.connection, movement)


def test_a_month_of_money_reconciles_to_the_payout_and_the_bank(
    desk: HttpDesk, fake: FakeStripe, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, third = (
        desk.charge(f"collect:{number}", minor) for number, minor in enumerate((4760, 1190, 900), 1)
    )
    desk.refund("refund:1", first, 760)
    won, lost = fake.open_dispute(second), fake.open_dispute(third, amount=500)
    inquiry = fake.open_dispute(first, amount=100, is_inquiry=True)
    desk.take(PaymentObjectKind.DISPUTE, won, inquiry, lost)
    statuses = {"inquiry", "open"}
    found = told(capsys, "payments", "disputes", "--open")
    assert {each["status"] for each in found} == statuses
    fake.settle_dispute(won["id"], won=True)
    fake.settle_dispute(lost["id"], won=False)
    fake.charge_fee(55)
    desk.take(PaymentObjectKind.DISPUTE, lost, won, inquiry)
    checked = told(capsys, "payouts", "--check")["check"]
    assert (checked["unbooked"], checked["only_ours"]) == ([], [])
    [balance] = checked["balances"]
    assert balance["provider_minor"] == fake.total_minor()
    assert balance["books_minor"] - balance["to_be_booked_minor"] == fake.total_minor()

    fake.pass_time(SETTLED)
    [payout] = fake.pay_out()
    desk.take(PaymentObjectKind.PAYOUT, payout)
    content = told(capsys, "payouts", "--check")
    [shown] = content["payouts"]
    assert (shown["payout_id"], shown["state"]) == (payout["id"], "under_way")
    fees = sum(each["fee"] for each in fake.of("balance_transaction")) + 55
    sums = [shown[f"{name}_minor"] for name in ("charges", "fees", "refunds", "disputes", "other")]
    assert sums == [6850, fees, 760, 500, 0]
    assert shown["amount_minor"] == payout["amount"] == 6850 - fees - 760 - 500
    assert content["check"]["balances"][0]["books_minor"] == fake.total_minor() == 0
    [awaited] = awaited_payouts(desk.connection)
    assert awaited.under_way_minor == payout["amount"]

    arrive(desk, payout, payout["amount"])
    shown = told(capsys, "payouts", "show", payout["id"])
    assert (shown["payout"]["state"], shown["payout"]["bank_minor"]) == (
        "arrived",
        payout["amount"],
    )
    rules = [each["rule"] for each in shown["lines"]]
    assert rules == [*["payment"] * 3, "refund", *["dispute"] * 3, "fee"]
    books = balances(desk.connection)
    assert {name: minor for name, minor in books.items() if name != "fees:stripe"} == {
        "cash:bank:DE89": payout["amount"],
        # All of it, less what was given back; 500 are owed again.
        "receivable:invoiced": -6850 + 760 + 500,
    }
    assert awaited_payouts(desk.connection) == []


def test_a_payout_of_which_the_bank_had_a_cent_less_differs(
    desk: HttpDesk, fake: FakeStripe, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.charge("collect:1", 4760)
    fake.pass_time(SETTLED)
    [payout] = fake.pay_out()
    desk.take(PaymentObjectKind.PAYOUT, payout)
    arrive(desk, payout, payout["amount"] - 1)

    assert run(["payouts"]) == 1
    text = capsys.readouterr().out
    assert "differs" in text
    assert "`wattledger payouts show`" in text
    assert run(["payouts", "show", payout["id"]]) == 1

    assert run(["payouts", "show", "po_nobody"]) == WRONG
    assert "`wattledger payouts` lists" in capsys.readouterr().err


def test_people_see_what_is_wrong_and_say_what_it_was(
    desk: HttpDesk, fake: FakeStripe, capsys: pytest.CaptureFixture[str]
) -> None:
    disputed = desk.charge("collect:1", 4760)
    desk.take(PaymentObjectKind.DISPUTE, fake.open_dispute(disputed, amount=100))
    stray = desk.provider.take(
        WantedIntent("nobody's", 900, "EUR", "by hand", desk.customer, "pm_card_visa")
    )
    fake.pass_time(SETTLED)
    text = shown(capsys, "payouts", "--check", code=1)
    assert "At the provider, and not in the books" in text
    assert f"{stray.charge_id}" in text
    [payout] = fake.pay_out()
    desk.take(PaymentObjectKind.PAYOUT, payout)

    assert "matched" in shown(capsys, "payouts", code=1)
    assert "unknown" in shown(capsys, "payouts", "show", payout["id"], code=1)
    assert "9.00 EUR" in shown(capsys, "payouts", "unmatched", code=1)
    assert "send the session" in shown(capsys, "payments", "disputes")
    [unknown] = told(capsys, "payouts", "unmatched", code=1)
    number = str(unknown["number"])
    assert run(["payouts", "match", number, "--account", "cash:stripe"]) == WRONG
    assert "no account for that" in capsys.readouterr().err
    to_income = ("payouts", "match", number, "--account", "income:other", "--by", "ann")
    assert "9.00 EUR" in shown(capsys, *to_income)
    assert shown(capsys, "payouts", "unmatched").endswith("none\n")
    assert "under way" in shown(capsys, "payouts", "--check")


def shown(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    """Return what a person sees."""
    capsys.readouterr()
    assert run([*words]) == code
    return capsys.readouterr().out


@pytest.mark.usefixtures("desk")
def test_without_a_key_there_is_nobody_to_ask(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WATTLEDGER_STRIPE_KEY")
    monkeypatch.delenv("WATTLEDGER_STRIPE_URL")

    assert run(["payouts", "--check"]) == WRONG
    assert "WATTLEDGER_STRIPE_KEY" in capsys.readouterr().err
    assert run(["payouts"]) == 0
