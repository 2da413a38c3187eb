"""`wattledger prepaid`, as who books payments calls it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import MISUSED, WRONG, run
from deploy.settings import NAMES
from ledger.database import connect
from ledger.payments.collecting.methods import PayingCustomer, keep_customer, say_method
from ledger.payments.provider import PaymentWay
from ledger.persons.holders import customer_holder
from ledger.persons.store import find

MASTER_DATA = """
legal_entities:
  acme: {name: Acme, country: NO, time_zone: Europe/Oslo, invoice_prefix: AC,
    vat_id: NO123456785MVA}
customers:
  ada: {name: Ada}
  ben: {name: Ben}
"""
SECOND = """
legal_entities:
  quay: {name: Quay, country: GB, time_zone: Europe/London, invoice_prefix: QU, vat_id: GB980780684}
"""
TOP_UP = ("prepaid", "top-up", "ada")
NOK = ("--currency", "nok", "--reference")


@pytest.fixture
def place(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for files, beside books where customers are declared."""
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path / "data"))
    apply(tmp_path, MASTER_DATA)
    return tmp_path


def apply(folder: Path, text: str) -> None:
    file = folder / "declared.yaml"
    file.write_text(text, "utf-8")
    assert run(["apply", str(file)]) == 0


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Any:  # noqa: ANN401 - JSON
    capsys.readouterr()
    assert run([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("place")
def test_a_payment_is_recorded_once_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*TOP_UP, "50", *NOK, "b-1"]) == 0
    first = capsys.readouterr().out
    assert run([*TOP_UP, "50.00", *NOK, "b-1"]) == 0
    again = capsys.readouterr().out
    back = told(capsys, "prepaid", "pay-back", "ada", "12.5", *NOK, "b-2", "--by", "mia")
    found = told(capsys, "prepaid", "show", "ada")

    assert "ada paid in advance: 50.00 NOK" in first
    assert "b-1 was recorded before: nothing is booked again" in again
    assert (back["is_new"], back["amount_minor"], back["balance_minor"]) == (True, -1250, 3750)
    assert [each["balance_minor"] for each in found["balances"]] == [3750]
    assert [each["entry"] for each in found["entries"]] == ["prepaid:acme/b-2", "prepaid:acme/b-1"]
    assert run(["prepaid", "show", "ada", "--limit", "1"]) == 0
    shown = capsys.readouterr().out
    assert "balance at acme: 37.50 NOK" in shown
    assert "b-1" not in shown
    assert run(["prepaid", "show", "ben"]) == 0
    assert "nothing: " in capsys.readouterr().out


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("cora", "50", *NOK, "b-1"), "there is no customer cora"),
        (("ada", "0", *NOK, "b-1"), "an amount is above 0"),
        (("ada", "--", "-5"), ""),
        (("ada", "NaN", *NOK, "b-1"), "is no plain"),
        (("ada", "10000000000000", *NOK, "b-1"), "an amount is above 0 and at most 1000000000000"),
        (("ada", "1.005", *NOK, "b-1"), "1.005 NOK: this currency has 2 decimals"),
        (("ada", f"1.{30 * '0'}1", *NOK, "b-1"), "is no plain"),
        (("ada", "1.000", *NOK, "b-1"), "this currency has 2 decimals"),
        (("ada", "1e-999999", *NOK, "b-1"), "is no plain"),
        (("ada", "5", "--currency", "XYZ", "--reference", "b-1"), "XYZ"),
        (("ada", "5", *NOK, " "), "a reference is a text of 1 to 100 characters"),
        (("ada", "5", *NOK, "x" * 101), "a reference is a text of 1 to 100 characters"),
        (("ada", "5", *NOK, "b-1", "--legal-entity", "quay"), "quay is not declared: acme"),
    ],
)
def test_what_cannot_be_booked_is_refused(
    words: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["prepaid", "top-up", *words]) in {WRONG, MISUSED}
    assert why in " ".join(capsys.readouterr().err.split())
    assert told(capsys, "prepaid", "show", "ada")["balances"] == []


def test_of_several_legal_entities_one_is_named(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    apply(place, SECOND)

    assert run([*TOP_UP, "50", *NOK, "b-1"]) == WRONG
    assert "say which legal entity got it: acme, quay" in capsys.readouterr().err
    assert run([*TOP_UP, "50", *NOK, "b-1", "--legal-entity", "quay"]) == 0
    assert run([*TOP_UP, "20", *NOK, "b-1", "--legal-entity", "acme"]) == 0
    found = told(capsys, "prepaid", "show", "ada")["balances"]
    assert [(each["legal_entity"], each["balance_minor"]) for each in found] == [
        ("acme", 2000),
        ("quay", 5000),
    ]


@pytest.mark.usefixtures("place")
def test_more_is_not_paid_back_than_there_is_and_a_reference_names_one_payment(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run([*TOP_UP, "50", *NOK, "b-1"]) == 0
    assert run(["prepaid", "pay-back", "ada", "50.01", *NOK, "b-2"]) == WRONG
    assert run([*TOP_UP, "49", *NOK, "b-1"]) == WRONG
    said = " ".join(capsys.readouterr().err.split())
    assert "the balance at acme is 50.00 NOK: no more is paid back" in said
    assert "reference b-1 of acme is that of another prepayment" in said


def card_on_file() -> None:
    """Give ada a card, as the part that asks the provider keeps it."""
    dsn = os.environ["WATTLEDGER_DATABASE_URL"]
    with connect(dsn) as connection:
        holder = customer_holder("ada")
        ada = find(connection, [holder])[holder.kind, holder.name].id
        who = PayingCustomer("stripe", "acme", ada)
        keep_customer(connection, who, "cus_1")
        at = datetime(2026, 1, 1, tzinfo=UTC)
        say_method(connection, who, "pm_1", PaymentWay.CARD, is_ready=True, at=at)


@pytest.mark.usefixtures("place")
def test_a_card_is_charged_for_a_balance_once_and_gets_back_what_came_by_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    charge = ("prepaid", "charge", "ada")
    assert run([*charge, "50", *NOK, "d-1"]) == WRONG
    assert "has no card or account on file at acme" in capsys.readouterr().err
    card_on_file()
    assert run([*charge, "50", *NOK, "d-1"]) == 0
    said = capsys.readouterr().out
    again = told(capsys, *charge, "50.00", *NOK, "d-1")
    assert run([*charge, "51", *NOK, "d-1"]) == WRONG
    assert "is that of another top-up, of 50.00 NOK" in capsys.readouterr().err
    assert run([*TOP_UP, "20", *NOK, "b-1"]) == 0
    assert run(["prepaid", "refund", "ada", "5", *NOK, "r-1"]) == WRONG
    assert "0.00 NOK of the balance can go back" in capsys.readouterr().err

    assert said == "50.00 NOK from the card: new\nbalance at acme: 0.00 NOK\n"
    [request] = again["requests"]
    assert (request["state"], request["amount_minor"], again["balance_minor"]) == ("new", 5000, 0)
    assert request["key"].endswith(":d-1")


@pytest.mark.usefixtures("place")
def test_above_an_amount_two_persons_give_back(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    apply(place, "policy: {payment_approval_above: 10}\n")
    assert run([*TOP_UP, "100", *NOK, "b-1"]) == 0
    refund = ("prepaid", "refund", "ada", "20", *NOK, "r-1", "--by")
    first = told(capsys, *refund, "mia")
    assert run([*refund, "Mia"]) == WRONG
    same = capsys.readouterr().err
    assert run([*refund, "noa"]) == WRONG
    other = capsys.readouterr().err

    assert (first["requests"], first["balance_minor"]) == ([], 10_000)
    assert "mia proposed to give this back" in same
    # It was agreed to, and cannot be done: nothing came by card.
    assert "can go back to a card" in other


@pytest.mark.usefixtures("place")
def test_what_one_person_would_give_back_is_withdrawn_by_customer_and_reference(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    apply(place, "policy: {payment_approval_above: 10}\n")
    assert run([*TOP_UP, "100", *NOK, "b-1"]) == 0
    refund = ("prepaid", "refund", "ada", "--by")
    for amount, by in (("20", "mia"), ("21", "noa")):
        assert run([*refund, by, amount, *NOK, "r-1"]) == 0
    withdraw = ("payments", "withdraw", "pay-back", "r-1", "--reason", "she stays", "--by", "mia")
    for words, why in (
        ((), "say whose balance it is of: --customer"),
        (("--customer", "cora"), "there is no customer cora"),
    ):
        assert run([*withdraw, *words]) == WRONG
        assert why in capsys.readouterr().err
    done = told(capsys, *withdraw, "--customer", "ada")
    assert run([*withdraw, "--customer", "ada"]) == WRONG
    assert "waits for a second person" in capsys.readouterr().err

    assert done == {"about": "r-1", "is_withdrawn": True}
    with connect(os.environ["WATTLEDGER_DATABASE_URL"]) as connection:
        kept = connection.execute(
            "SELECT moved_minor, currency, proposed_by, withdrawn_by, withdrawn_because "
            "FROM withdrawn_proposal ORDER BY number"
        ).fetchall()
    assert kept == [(-2000, "NOK", "mia", "noa", ""), (-2100, "NOK", "noa", "mia", "she stays")]
    # Who withdrew it is no second person of it.
    assert told(capsys, *refund, "noa", "21", *NOK, "r-1")["requests"] == []
