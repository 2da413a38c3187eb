"""`wattledger payments method|collect|refund` against the provider's fake, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import WRONG, run
from deploy.demo.provider.faults import ProviderFault
from deploy.demo.provider.server import FakeStripe
from deploy.settings import NAMES
from ledger.payments.stripe.provider import StripeProvider
from ledger.persons.holders import customer_holder
from ledger.persons.store import find_or_make
from tests.ledger.payments.collecting.payers import Payers
from tests.ledger.payments.collecting.webhook_address import KEY

CARD = ("payments", "method", "ada", "--method")


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    with FakeStripe(sends=False) as serving:
        yield serving


@pytest.fixture
def payers(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: FakeStripe
) -> Iterator[Payers]:
    """Books with a customer `ada`, beside a folder whose settings name the fake."""
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("WATTLEDGER_STRIPE_KEY", KEY)
    monkeypatch.setenv("WATTLEDGER_STRIPE_PUBLISHABLE_KEY", "pk_test_fake")
    monkeypatch.setenv("WATTLEDGER_STRIPE_URL", fake.url)
    provider = StripeProvider(KEY, url=fake.url)
    made = Payers(database, provider)
    made.now = datetime.now(UTC)
    with made.connection.transaction():
        [subject] = find_or_make(made.connection, [customer_holder("ada")]).values()
    made.take_in(subject.id)
    yield made
    made.close()
    provider.close()


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Any:  # noqa: ANN401 - JSON
    capsys.readouterr()
    run([*words, "--json"])
    return json.loads(capsys.readouterr().out)


def test_a_customer_gives_leave_and_its_invoice_is_collected_and_given_back(
    payers: Payers, fake: FakeStripe, capsys: pytest.CaptureFixture[str]
) -> None:
    invoice = payers.bill(payers.taken_in)
    waits = told(capsys, "payments", "collect", invoice)
    ready = told(capsys, *CARD, "pm_card_visa")
    assert (waits["state"], ready["state"], ready["is_ready"]) == ("no_method", "done", True)
    assert run(["payments", "collect", invoice, "--by", "eve"]) == 0
    assert f"{invoice} is being collected" in capsys.readouterr().out
    payers.run(minutes=1)
    assert payers.open_minor(invoice) == 0
    assert run(["payments", "collect", invoice]) == WRONG
    assert run(["payments", "refund", invoice]) == WRONG
    assert "`wattledger credit`" in capsys.readouterr().err
    fake.faults.plan(ProviderFault.REFUND_FAILS)
    payers.credit(invoice)
    payers.run(hours=3)
    fake.fail_refund(fake.of("refund")[0]["id"])
    payers.look_at_all(fake)

    given = told(capsys, "payments", "refund", invoice, "--amount", "1.76", "--by", "eve")
    assert (given["amount_minor"], given["waits"]) == (176, False)
    payers.run(days=1)
    assert payers.open_minor(invoice) == -300


def test_leave_is_given_on_the_payer_s_own_device(
    payers: Payers, fake: FakeStripe, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["payments", "method", "ada"]) == 0
    [setup] = fake.of("setup_intent")
    said = capsys.readouterr().out
    assert f"client_secret: {setup['client_secret']}" in said
    assert "publishable_key: pk_test_fake" in said
    fake.confirm(setup["id"], "pm_card_visa")
    payers.run(hours=1)

    invoice = payers.bill(payers.taken_in)
    payers.run()
    assert payers.open_minor(invoice) == 0
    kept = payers.connection.execute("SELECT * FROM provider_request_state").fetchall()
    assert setup["client_secret"] not in str(kept)


def test_a_bank_that_says_no_and_a_customer_that_there_is_not_are_told(
    payers: Payers, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*CARD, "pm_card_chargeDeclined"]) == WRONG
    assert "ada: failed, generic_decline" in capsys.readouterr().err
    assert run(["payments", "method", "nobody"]) == WRONG
    assert "`wattledger apply`" in capsys.readouterr().err
    assert payers.connection.execute("SELECT * FROM payment_method").fetchall() == []


@pytest.mark.usefixtures("payers")
def test_without_a_key_invoices_wait_for_transfer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("KEY", "PUBLISHABLE_KEY"):
        monkeypatch.delenv(f"WATTLEDGER_STRIPE_{name}")

    for words in (("method", "ada"), ("collect", "WL-1"), ("refund", "WL-1")):
        assert run(["payments", *words]) == WRONG
        assert "WATTLEDGER_STRIPE_KEY" in capsys.readouterr().err
