"""`wattledger payments import|unmatched|match|unmatch|return`, as people and machines call them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import MISUSED, WRONG, run
from deploy.settings import NAMES
from ledger.database import connect
from ledger.desk.paying.statements import parse_layout
from tests.ledger.payments.bank.bank_books import invoiced, wl
from tests.ledger.payments.bank.bank_files import IBAN, Booked, camt_text
from tests.test_tidy import ROOT

LAYOUT = f"""
account: {IBAN}
columns:
  booked_on: Tag
  amount: Betrag
  texts: [Zweck]
  balance: Saldo
"""


@pytest.fixture
def place(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for files, beside books with an invoice to anna."""
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path / "data"))
    with invoiced(database, ["anna-1"]):
        yield tmp_path


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Any:  # noqa: ANN401 - JSON
    capsys.readouterr()
    assert run([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_statement_goes_from_its_file_to_the_last_line(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = place / "november.xml"
    file.write_text(camt_text([Booked(476, wl(1), "R-1"), Booked(500, "WL2O26 x", "R-2")]))

    [first] = told(capsys, "payments", "import", str(file))["statements"]
    [again] = told(capsys, "payments", "import", str(file))["statements"]
    assert (first["lines"], first["waiting"], again["is_new"]) == (2, 1, False)
    [waits] = told(capsys, "payments", "unmatched")["lines"]
    assert (waits["left_minor"], waits["reason"], waits["payer"]) == (
        500,
        "no_reference",
        "Carla Clara",
    )
    line = waits["line"]
    assert run(["payments", "unmatched"]) == 0
    assert "Carla Clara / WL2O26 x" in " ".join(capsys.readouterr().out.split())

    done = told(capsys, "payments", "match", line, "--account", "fees:bank", "--by", "ada")
    assert (done["waits"], done["left_minor"]) == (False, 0)
    assert told(capsys, "payments", "unmatch", line)["left_minor"] == 500
    assert told(capsys, "payments", "return", line)["left_minor"] == 0
    assert run(["payments", "unmatched"]) == 0
    assert "nothing waits" in capsys.readouterr().out
    kinds = [each["kind"] for each in told(capsys, "payments", "list")["movements"]]
    assert kinds == ["matched"] * 3 + ["banked"] * 2


def test_what_one_person_said_of_a_line_is_withdrawn(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = place / "november.xml"
    file.write_text(camt_text([Booked(100_001, "a loan", "R-2")]))
    assert run(["payments", "import", str(file)]) == 0
    [line] = [each["line"] for each in told(capsys, "payments", "unmatched")["lines"]]
    match = ("payments", "match", line, "--account", "income:loans", "--by")
    withdraw = ("payments", "withdraw", "line", line, "--reason", "the other account", "--by")

    assert told(capsys, *match, "ada")["waits"]
    assert run([*withdraw[:5], "  ", "--by", "bob"]) == WRONG
    assert "say why it is withdrawn" in capsys.readouterr().err
    assert run([*withdraw, "bob"]) == 0
    said = f"what was proposed about {line} is withdrawn: it waits for nobody any more\n"
    assert capsys.readouterr().out == said
    assert told(capsys, *match, "bob")["waits"]
    assert not told(capsys, *match, "ada")["waits"]
    for what, key in (("line", line), ("line", "x"), ("payment", "9"), ("payment", "\u0663")):
        assert run(["payments", "withdraw", what, key, "--reason", "x"]) == WRONG


def test_a_csv_needs_a_layout_and_what_is_wrong_is_said(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, layout = place / "november.csv", place / "bank.yaml"
    file.write_text(f"Tag;Betrag;Zweck;Saldo\n13.11.2026;4,76;{wl(1)};4,76\n")
    layout.write_text(LAYOUT)

    for words, why in (
        ([str(file)], "--layout"),
        ([str(place / "none.xml")], "cannot read"),
        ([str(layout)], "no XML"),
        ([], "at least one file"),
        ([str(file), "--layout", str(file)], "november.csv"),
    ):
        assert run(["payments", "import", *words]) == WRONG
        assert why in capsys.readouterr().err
    layout.write_text(LAYOUT.replace("amount", "amuont"))
    assert run(["payments", "import", str(file), "--layout", str(layout)]) == WRONG
    assert "amuont" in capsys.readouterr().err

    layout.write_text(LAYOUT)
    [done] = told(capsys, "payments", "import", str(file), "--layout", str(layout))["statements"]
    assert (done["lines"], done["waiting"]) == (1, 0)
    assert run(["payments", "match", "20261113-1", wl(1)]) == WRONG
    assert "payments unmatched" in capsys.readouterr().err


@pytest.mark.usefixtures("place")
def test_bytes_that_are_no_text_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["payments", "match", "20261113-\udcff", wl(1)]) == MISUSED

    assert "an argument is not UTF-8: 20261113-\\udcff" in capsys.readouterr().err


def test_of_two_files_none_is_booked_when_one_does_not_add_up(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = place / "1.xml", place / "2.xml"
    good.write_text(camt_text([Booked(476, wl(1), "R-1")]))
    bad.write_text(camt_text([Booked(1)], closing=2, name="2"))

    assert run(["payments", "import", str(good), str(bad)]) == WRONG

    assert "-0.01 off" in capsys.readouterr().err
    assert told(capsys, "payments", "list")["movements"] == []


def test_the_layout_in_the_documents_is_one() -> None:
    text = (ROOT / "docs" / "payments.md").read_text("utf-8")
    layout = parse_layout(text.partition("```yaml\n")[2].partition("```")[0], "docs/payments.md")

    assert "".join(layout.account.split()) == IBAN
    assert (layout.columns.texts, layout.decimal, layout.days) == (
        ("Verwendungszweck",),
        ",",
        "DD.MM.YYYY",
    )


def test_who_was_reminded_is_listed(
    place: Path, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.is_dir()
    assert told(capsys, "payments", "reminders")["reminders"] == []
    with connect(database) as connection:
        connection.execute(
            "INSERT INTO reminder SELECT number, level, legal_entity, customer, currency,"
            " open_minor, due_on, now() FROM open_invoice, generate_series(1, 2) AS level"
        )

    found = told(capsys, "payments", "reminders", "--open")["reminders"]

    assert [(each["invoice"], each["level"], each["open_minor"]) for each in found] == [
        (wl(1), 2, 476),
        (wl(1), 1, 476),
    ]
    assert run(["payments", "reminders"]) == 0
    assert "Reminders" in capsys.readouterr().out
