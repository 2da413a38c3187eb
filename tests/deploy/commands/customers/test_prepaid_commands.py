"""`wattledger prepaid`, as who books payments calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import MISUSED, WRONG, run
from deploy.settings import NAMES

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
        (("ada", "NaN", *NOK, "b-1"), "an amount is above 0"),
        (("ada", "1e13", *NOK, "b-1"), "an amount is above 0 and at most 1000000000000"),
        (("ada", "1.005", *NOK, "b-1"), "1.005 NOK: this currency has 2 decimals"),
        (("ada", f"1.{30 * '0'}1", *NOK, "b-1"), "this currency has 2 decimals"),
        (("ada", "1.000", *NOK, "b-1"), "this currency has 2 decimals"),
        (("ada", "1e-999999", *NOK, "b-1"), "1E-999999 NOK: this currency has 2 decimals"),
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
