"""No card number ever reaches us: planted wherever others write, none is in a table or a log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from deploy.demo.provider.faults import Faults, ProviderFault
from deploy.demo.provider.server import FakeStripe
from deploy.demo.provider.webhooks import sign
from deploy.settings import Settings
from ledger.database import connect
from ledger.desk.customers.prepaying import UnfitPrepaymentError, _reference
from ledger.errors import LedgerError
from ledger.payments.collecting.refund_taking import StrayRefundTaker
from ledger.payments.disputes.taker import DisputeTaker
from ledger.payments.hearing.events import note_events
from ledger.payments.movement import STRIPE
from ledger.payments.payouts.taker import PayoutTaker
from ledger.payments.provider import PaymentObjectKind
from ledger.payments.recording import movements
from ledger.payments.runner import PaymentRunner
from ledger.payments.stripe.provider import StripeProvider
from ledger.payments.taking import ObjectTaker
from ledger.persons.sealing import Subject, unseal
from ledger.persons.store import keys_of
from tests.deploy.interface.served_interface import served
from tests.deploy.payments.card_seeds import CardSeeds
from tests.ledger.payments.bank.bank_books import put_in
from tests.ledger.payments.bank.bank_files import Booked, camt_text, read
from tests.ledger.payments.collecting.payers import BILLED_AT, TAKERS, Payers
from tests.ledger.payments.visits.visiting import VisitedDepot

SECRET = "whsec_of_the_test"
_FIELDS = (
    *("description", "statement_descriptor", "name", "email", "receipt_email", "reason"),
    *("failure_code", "failure_message", "failure_reason", "cancellation_reason"),
)


@pytest.fixture
def seeds() -> CardSeeds:
    return CardSeeds()


@pytest.fixture
def fake(seeds: CardSeeds) -> Iterator[FakeStripe]:
    faults = Faults(words=seeds.plant("an error's message"))
    with FakeStripe(secret=SECRET, now=lambda: BILLED_AT, faults=faults) as served:
        yield served


def planted(fake: FakeStripe, seeds: CardSeeds) -> None:
    """Plant a number wherever somebody may write at the provider, and have it tell of all."""
    with fake.lock:
        for each in list(fake.account.objects.values()):
            if each["object"] == "event":
                continue
            for name in _FIELDS:
                if name in each:
                    each[name] = seeds.plant(f"{each['object']}.{name}")
            for name in ("metadata", "billing_details", "evidence", "last_payment_error"):
                if isinstance(each.get(name), dict):
                    each[name]["message"] = seeds.plant(f"{each['object']}.{name}")
                    each[name]["decline_code"] = seeds.plant(f"{each['object']}.{name}.code")
            fake.account.tell(f"{each['object']}.updated", each)


async def told(database: str, fake: FakeStripe, seeds: CardSeeds) -> int:
    """Post what the fake tells by the product's own route, and what somebody forges."""
    settings = Settings(stripe_key="sk_test_x", stripe_webhook_secret=SECRET)
    bodies = [msgspec.json.encode(event) for event in fake.account.unsent]
    async with served(database, settings=settings) as client:
        del client.headers["authorization"]
        answers = []
        for body in bodies:
            header = sign(body, SECRET, int(datetime.now(UTC).timestamp()))
            answer = await client.post(
                "/payments/stripe", content=body, headers={"Stripe-Signature": header}
            )
            answers.append(answer.status_code)
        forged = await client.post(
            "/payments/stripe",
            content=f'{{"id": "{seeds.plant("a forged event")}"}}',
            headers={"Stripe-Signature": f"t=1,v1={seeds.plant('a signature')}"},
        )
        assert forged.status_code == 400
    return answers.count(200)


def taken_in(payers: Payers) -> None:
    """Have everything looked at that was told of, by all who take it."""
    objects: dict[PaymentObjectKind, ObjectTaker] = {
        PaymentObjectKind.REFUND: StrayRefundTaker(),
        PaymentObjectKind.DISPUTE: DisputeTaker(payers.dsn, "depot"),
        PaymentObjectKind.PAYOUT: PayoutTaker(payers.dsn, "depot"),
    }
    with PaymentRunner(
        payers.dsn, payers.provider, TAKERS, objects, lambda: payers.now, "a test"
    ) as runner:
        for _ in range(5):
            while runner.run_once():
                pass
            # A payout may be looked at before what it consists of: then again, later.
            payers.now += timedelta(hours=1)


def banked(payers: Payers, seeds: CardSeeds) -> None:
    """Import a statement in which a number stands wherever a bank passes on what others say."""
    number = seeds.plant("a payer's account").replace(" ", "").replace("-", "")
    lines = [
        Booked(
            476,
            f"WL-2026-000001 {seeds.plant('a text')} 12/34",
            reference=seeds.plant("the bank's reference"),
            payer=f"Carla {seeds.plant('a name')}",
            structured=seeds.plant("a structured reference"),
            account=number,
        ),
        Booked(100, f"{seeds.plant('a text alone')},{seeds.plant('a second')}", payer=""),
    ]
    [statement] = read(camt_text(lines, name=seeds.plant("a statement's id")))
    [imported] = put_in(payers.connection, statement)
    assert imported.lines == 2
    broken = camt_text([Booked(5, reference=seeds.plant("in an error"), day="never")])
    with pytest.raises(LedgerError) as refused:
        read(broken)
    assert seeds.found_in(str(refused.value)) == set()


def opened_lines(payers: Payers) -> str:
    """Return what was sealed of the bank's lines."""
    rows = payers.connection.execute("SELECT subject, sealed FROM bank_line").fetchall()
    keys = keys_of(payers.connection, [subject for subject, _ in rows])
    return "\n".join(unseal(Subject(subject, keys[subject]), sealed) for subject, sealed in rows)


async def test_what_others_write_about_payments_brings_no_card_number(
    database: str, fake: FakeStripe, seeds: CardSeeds, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with (
        closing(StripeProvider("sk_test_fake", url=fake.url)) as provider,
        closing(Payers(database, provider)) as payers,
    ):
        for customer, method in (("anna", "visa"), ("bea", "chargeCustomerFail"), ("cyd", "visa")):
            payers.method(customer, f"pm_card_{method}")
        payers.run()
        numbers = [payers.bill(customer) for customer in ("anna", "bea", "cyd")]
        fake.faults.plan(ProviderFault.FAILED_AFTER, path="/v1/payment_intents")
        fake.faults.plan(ProviderFault.THROTTLED, path="/v1/payment_intents", spared=1)
        payers.run()
        payers.run(hours=1)
        payers.credit(numbers[0])
        payers.run(hours=3)
        [kept] = [x for x in fake.of("charge") if x["captured"] and not x["amount_refunded"]]
        fake.open_dispute(kept["id"])
        fake.pay_out()
        planted(fake, seeds)
        webhooks = await told(database, fake, seeds)
        payers.now = datetime.now(UTC) + timedelta(minutes=1)
        taken_in(payers)
        banked(payers, seeds)

        assert webhooks > 20
        assert seeds.planted > 60
        assert {each.kind.value for each in movements(payers.connection)} >= {
            *("received", "refunded", "disputed", "paid_out", "banked")
        }
        assert seeds.kept(payers.connection) == set()
        opened = opened_lines(payers)
        assert "Carla [card number]" in opened
        assert seeds.found_in(opened) == set()
    assert seeds.found_in(caplog.text) == set()
    assert fake.desk.card_numbers == 0


async def test_a_visit_brings_no_card_number(
    database: str, fake: FakeStripe, seeds: CardSeeds, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    depot = VisitedDepot(database)
    with closing(StripeProvider("sk_test_fake", url=fake.url)) as provider:
        depot.provider = provider
        async with depot:
            opened = depot.open(None)
            await depot.rest()
            intent = depot.visit(opened).intent_id
            assert intent is not None
            fake.confirm(intent, "pm_card_visa")
            planted(fake, seeds)
            with connect(database) as connection:
                note_events(connection, STRIPE, list(provider.events(BILLED_AT)), depot.now)
            await depot.rest()

    assert depot.way(opened)[-1] in {"starting", "charging"}
    with connect(database) as connection:
        assert seeds.kept(connection) == set()
    assert seeds.found_in(caplog.text) == set()
    assert fake.desk.card_numbers == 0


@pytest.mark.parametrize("way", ["{}{}{}{}", "{} {} {} {}", "{}-{}-{}-{}"])
def test_a_person_who_types_a_card_number_is_told_not_to(way: str) -> None:
    number = way.format("4242", "4242", "4242", "4242")
    with pytest.raises(UnfitPrepaymentError, match="number of a card") as refused:
        _reference(f"paid {number}")

    assert number not in str(refused.value)


def test_the_scan_finds_what_is_there(database: str, seeds: CardSeeds) -> None:
    places = ["plain", "spaced", "dashed", "in bytes"]
    numbers = [seeds.plant(place) for place in places]
    with connect(database) as connection:
        connection.execute("CREATE TABLE planted (said text, raw bytea)")
        for number in numbers[:3]:
            connection.execute("INSERT INTO planted VALUES (%s, '')", (f"x {number}y",))
        raw = b"\x00\xff" + numbers[3].encode()
        connection.execute("INSERT INTO planted VALUES ('', %s)", (raw,))
        connection.commit()
        [(schema,)] = connection.execute("SELECT current_schema()").fetchall()

        assert seeds.kept(connection) == {f"{place} in {schema}.planted" for place in places}
