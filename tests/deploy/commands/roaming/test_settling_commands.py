"""`wattledger partner audit|settle|contest|reconcile`, as a partner manager uses them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import WRONG, run
from deploy.settings import NAMES
from ledger.database import connect
from tests.ledger.settlements.partner_cdrs import (
    OUR_PARTY,
    PARTNER,
    declare_beside,
    declare_partner,
    received_cdr,
    sent_cdr,
)

MARCH = ["--from", "2026-03-01", "--to", "2026-04-01"]


@pytest.fixture
def folder(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path))
    declare_partner(database)
    with connect(database) as connection:
        sent_cdr(connection, "=A", 1000)
        sent_cdr(connection, "B", 500)
        received_cdr(connection, "T", "4.00")
    return tmp_path


def read(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> Any:  # noqa: ANN401
    capsys.readouterr()
    assert run(["partner", *words, "--json"]) == status, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", ["ours.csv", "ours.jsonl"])
def test_a_list_that_was_written_is_equal_and_one_that_was_changed_is_not(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path = folder / name
    alone = read(capsys, "audit", PARTNER, *MARCH, "--write", str(path))
    same = read(capsys, "audit", PARTNER, *MARCH, "--theirs", str(path))
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:-1]), "utf-8")
    other = read(capsys, "audit", PARTNER, *MARCH, "--theirs", str(path), status=1)

    assert [each["our_count"] for each in alone["sums"]] == [2, 1]
    assert same["is_equal"]
    assert other["counts"] == {"only_ours": 1}
    assert run(["partner", "audit", PARTNER, *MARCH, "--theirs", str(path)]) == 1
    assert "The two sides DIFFER." in capsys.readouterr().out


@pytest.mark.parametrize("party", [None, "US-WYK"], ids=["no party", "a party of its own"])
def test_what_another_legal_entity_sold_is_listed_as_told_by_who_has_the_contract(
    database: str, folder: Path, capsys: pytest.CaptureFixture[str], party: str | None
) -> None:
    declare_beside(database, party)
    with connect(database) as connection:
        sent_cdr(connection, "Y", 300, legal_entity="york")

    read(capsys, "audit", PARTNER, *MARCH, "--write", str(folder / "ours.csv"))

    with (folder / "ours.csv").open(encoding="utf-8") as file:
        issuers = {row["cdr_id"]: row["issuer"] for row in csv.DictReader(file)}
    assert issuers == {"'=A": OUR_PARTY, "B": OUR_PARTY, "Y": OUR_PARTY, "T": PARTNER}
    agreed_as_shown(capsys)
    with connect(database) as connection:
        owners = connection.execute("SELECT owner, cdrs FROM invoice_record ORDER BY cdrs")
        assert owners.fetchall() == [(OUR_PARTY, ["=A", "B"]), (OUR_PARTY, ["Y"])]


def agreed_as_shown(capsys: pytest.CaptureFixture[str]) -> None:
    month = ["settle", PARTNER, "--month", "2026-03"]
    shown = read(capsys, *month)
    if len(shown) == 1:
        read(capsys, *month, "--agree", "--digest", shown[0]["digest"])
    else:
        read(capsys, *month, "--propose")
        read(capsys, *month, "--agree")


def test_nothing_else_is_agreed_to_than_what_was_shown(
    database: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    month = ["settle", PARTNER, "--month", "2026-03"]
    [shown] = read(capsys, *month)
    assert folder.exists()
    assert run(["partner", *month, "--agree"]) == WRONG
    assert "--digest what you looked at" in capsys.readouterr().err
    with connect(database) as connection:
        sent_cdr(connection, "LATE", 1)
    assert run(["partner", *month, "--agree", "--digest", shown["digest"]]) == WRONG
    assert "has changed since it was proposed or looked at" in capsys.readouterr().err

    agreed_as_shown(capsys)
    [agreed] = read(capsys, *month)
    assert agreed["state"] == "agreed"


def test_a_month_is_settled_and_its_files_say_the_same(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    month = ["settle", PARTNER, "--month", "2026-03"]
    [draft] = read(capsys, *month)
    [proposed] = read(capsys, *month, "--propose", "--by", "anna")
    files = ["--csv", str(folder / "s.csv"), "--pdf", str(folder / "s.pdf")]
    capsys.readouterr()
    assert run(["partner", *month, "--agree", "--by", "ben", *files]) == 0
    said = capsys.readouterr().out
    [agreed] = read(capsys, *month)

    assert (draft["state"], proposed["state"], agreed["state"]) == ("open", "proposed", "agreed")
    assert draft["due_minor"] == agreed["due_minor"] == 1785 - 476
    assert [(each["act"], each["by"]) for each in agreed["moves"]] == [
        ("propose", "anna"),
        ("agree", "ben"),
    ]
    assert "NL-TNM owes us 13.09 EUR" in said
    text = (folder / "s.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert [each["cdr_id"] for each in rows if each["row"] == "cdr"] == ["'=A", "B", "T"]
    assert [each["gross"] for each in rows if each["row"] in {"total", "due"}] == [
        "17.85",
        "4.76",
        "13.09",
    ]
    assert (folder / "s.pdf").read_bytes().startswith(b"%PDF")


def test_agreeing_tells_the_partner_which_cdrs_the_invoice_is_about(
    database: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agreed_as_shown(capsys)

    with connect(database) as connection:
        [record] = connection.execute(
            "SELECT owner, partner, invoice_id, cdrs, record_id FROM invoice_record"
        ).fetchall()
        [message] = connection.execute("SELECT party, kind, subject FROM outgoing").fetchall()
    assert folder.exists()
    assert record[:4] == ("DE-HBC", PARTNER, "WL-RS-2026-000001", ["=A", "B"])
    assert message == (PARTNER, "invoice", record[4])


def test_a_contested_cdr_waits_until_that_is_withdrawn(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    month = ["settle", PARTNER, "--month", "2026-03"]
    read(capsys, "contest", PARTNER, "b", "--reason", "no such session", "--by", "anna")
    [without] = read(capsys, *month)
    read(capsys, "contest", PARTNER, "B", "--withdrawn", "--reason", "found")
    [whole] = read(capsys, *month)
    agreed_as_shown(capsys)

    assert [each["cdr_id"] for each in without["settlement"]["excluded"]] == ["B"]
    assert whole["due_minor"] - without["due_minor"] == 595
    assert run(["partner", "contest", PARTNER, "B", "--reason", "late"]) == WRONG
    assert "is agreed" in capsys.readouterr().err
    assert run(["partner", "contest", PARTNER, "ghost", "--reason", "x"]) == WRONG
    assert folder.exists()


def test_an_invoice_is_held_against_our_cdrs(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    invoice = folder / "invoice.csv"
    invoice.write_text("cdr_id,net,energy_kwh,currency\nT,4.00,10,EUR\n", "utf-8")
    asked = ["reconcile", PARTNER, str(invoice), "--month", "2026-03"]
    right = read(capsys, *asked, "--total", "4.00")
    dear = read(capsys, *asked, "--total", "4.01", status=1)
    invoice.write_text("cdr_id,net\nT,4.50\nghost,1\nT,NaN\n", "utf-8")
    wrong = read(capsys, *asked, status=1)

    assert right["is_right"]
    assert dear["is_total_right"] is False
    assert wrong["counts"] == {"net": 1, "unknown": 1}
    assert wrong["unread"] == 1
    assert run(["partner", "reconcile", PARTNER, "--month", "2026-03"]) == WRONG
    assert run(["partner", "reconcile", PARTNER, "--record", "x", "--month", "2026-03"]) == WRONG


@pytest.mark.parametrize(
    "words",
    [
        ["settle", "XX-YYY", "--month", "2026-03"],
        ["settle", PARTNER, "--month", "2026-13"],
        ["settle", PARTNER, "--month", "2026-03", "--propose", "--agree"],
        ["settle", PARTNER, "--month", "2026-03", "--dispute", "--reason", "x"],
        ["audit", "XX-YYY", *MARCH],
        ["audit", PARTNER, "--from", "2026-04-01", "--to", "2026-03-01"],
        ["audit", PARTNER, *MARCH, "--theirs", "/nowhere"],
        ["reconcile", PARTNER, "/nowhere", "--month", "2026-03"],
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert folder.exists()

    assert run(["partner", *words]) == WRONG

    assert len(capsys.readouterr().err) > 20
