"""`wattledger cdr`, as a partner manager calls it."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deploy.cli import MISUSED, run
from deploy.settings import NAMES
from ledger.rating.decisions import Payer
from roaming_ocpi.cdrs.made import MadeCdr
from tests.depot import session
from tests.projections.books_of_a_day import tamper
from tests.roaming_ocpi.cdrs.rated_for_partner import GUEST, PARTNER
from tests.roaming_ocpi.cdrs.roaming_books import (
    all_made,
    corrected_as,
    decide_all,
    declare_depot,
    declare_partner,
    follow,
    rated_as,
)


@pytest.fixture
def books(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Books with a CDR, its credit, what took its place, and a session that has none."""
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path / "data"))
    declare_depot(database)
    was = rated_as(session(token_uid=GUEST))
    now = corrected_as(was, rated_as(session(token_uid=GUEST, energy_wh="12000")))
    stranger = rated_as(session(9, token_uid=GUEST), position=60)
    payer = {"kind": "partner", "party": "XX-NOB", "customer": None, "invoicing": None}
    decide_all(database, was, now, _owed_by(stranger, payer))
    follow(database)
    return database


def _owed_by(rated: Any, payer: dict[str, Any]) -> Any:  # noqa: ANN401 - a decision
    return msgspec.structs.replace(rated, payer=msgspec.convert(payer, Payer))


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:  # noqa: ANN401
    capsys.readouterr()
    assert run([*words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def first(dsn: str) -> MadeCdr:
    return all_made(dsn)[0]


def test_cdrs_are_listed_with_what_takes_them_back(
    books: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(capsys, "cdr", "list", "--party", "NL-TNM", "--month", "2026-11")

    assert [(each["number"], each["kind"], each["net_minor"]) for each in found] == [
        (3, "cdr", 480),
        (2, "credit", -400),
        (1, "cdr", 400),
    ]
    assert found[1]["credits"] == first(books).cdr_id
    assert told(capsys, "cdr", "list", "--month", "2026-12") == []
    assert run(["cdr", "list"]) == 0
    shown = capsys.readouterr().out
    assert "-4.00" in shown
    assert first(books).session_id in shown


@pytest.mark.usefixtures("books")
def test_what_has_no_cdr_is_listed_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    [found] = told(capsys, "cdr", "list", "--refused")

    assert found[2:4] == ["XX-NOB", "partner_undeclared"]
    assert run(["cdr", "list", "--refused"]) == 0
    assert "declare the partner 'XX-NOB'" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(("version", "net"), [("2.1.1", 4), ("2.3.0", {"before_taxes": 4})])
def test_a_cdr_is_shown_as_its_partner_gets_it_and_why(
    books: str, capsys: pytest.CaptureFixture[str], version: str, net: object
) -> None:
    made = first(books)

    found = told(capsys, "cdr", "show", made.cdr_id.upper(), "--version", version)
    assert run(["cdr", "show", made.cdr_id, "--version", version]) == 0
    shown = capsys.readouterr().out

    cost = found["total_cost"]
    assert (cost if version == "2.1.1" else {"before_taxes": cost["before_taxes"]}) == net
    assert "10 kWh, 4.00 EUR and 0.76 tax" in shown
    assert "place_incomplete" in shown
    assert "said by: tariff; tariffs: energy" in shown


@pytest.mark.usefixtures("books")
def test_a_cdr_that_is_none_of_ours_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cdr", "show", "nobody-s"]) == 1
    assert "there is no CDR 'nobody-s' of ours" in capsys.readouterr().err
    assert run(["cdr", "show", "x", "--version", "9.9"]) == MISUSED


def test_cdrs_made_again_are_the_same_also_after_the_terms_changed(
    books: str, capsys: pytest.CaptureFixture[str]
) -> None:
    declare_partner(books, msgspec.structs.replace(PARTNER, mark_up_percent=Decimal(50)))

    assert told(capsys, "cdr", "check") == [3, []]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param("net_minor = 1 WHERE number = 1", "another party or amount", id="an amount"),
        pytest.param("body = '{}' WHERE number = 3", "its bytes are not those", id="its bytes"),
        pytest.param("number = 9 WHERE number = 3", "number 3 is missing", id="its number"),
        pytest.param("net_minor = -1 WHERE number = 2", "takes back another amount", id="a credit"),
    ],
)
def test_what_somebody_changed_is_found(
    books: str, capsys: pytest.CaptureFixture[str], change: str, problem: str
) -> None:
    tamper(books, f"UPDATE inputs.roaming_cdr SET {change}")

    checked, problems = told(capsys, "cdr", "check", "--party", "NL-TNM", code=1)

    assert checked == 3
    assert problem in problems[0][3]
