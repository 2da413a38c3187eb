"""The journal as files: what other programs read in them is what stands in the books."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree as ET

import psycopg
import pytest
from beancount import loader
from beancount.core import data

from projections.balances.trial import trial_balance
from projections.journal.beancount_text import beancount_accounts, beancount_lines
from projections.journal.columns import COLUMNS
from projections.journal.csv_lines import csv_lines
from projections.journal.days import BookDays
from projections.journal.entries import (
    BookedEntry,
    Leg,
    accounts_of,
    booked_entries,
    entry_count,
)
from projections.journal.workbook import (
    TooManyRowsError,
    WorkbookSheet,
    write_sheet,
    write_workbook,
)
from tariffs.phrases.printable import printable
from tests.projections.books_of_a_day import ask, books_of_a_day

EVER = BookDays(None, None, None, {})
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@pytest.fixture
def books(database: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with ask(books_of_a_day(database)) as connection, connection.transaction():
        yield connection


def entry(
    *legs: Leg, text: str = "rated:CP1/7", session: str | None = "CP1/7", day: int = 2
) -> BookedEntry:
    return BookedEntry(
        booked_on=date(2026, 3, day),
        booked_at=datetime(2026, 3, day, 7, 0, tzinfo=UTC),
        entry=text,
        legal_entity="watt",
        period="2026-03",
        original_period="2026-03",
        session=session,
        revision=None if session is None else 1,
        postings=legs or (leg("receivable:unbilled", 5, "ann"), leg("revenue:energy", -5)),
    )


def leg(account: str, minor: int, party: str = "", currency: str = "EUR") -> Leg:
    return Leg(account=account, party=party, currency=currency, amount_minor=minor)


def totals(connection: psycopg.Connection[tuple[object, ...]]) -> dict[str, tuple[int, int]]:
    accounts = trial_balance(connection).accounts
    return {each.account: (each.debit_minor, each.credit_minor) for each in accounts}


def of_rows(rows: Iterable[Sequence[str]]) -> dict[str, tuple[int, int]]:
    """Return the totals of a file's rows, in cents."""
    debits: Counter[str] = Counter()
    credits_: Counter[str] = Counter()
    for row in rows:
        cells = dict(zip(COLUMNS, row, strict=True))
        assert cells["currency"] == "EUR"
        debits[cells["account"]] += int(Decimal(cells["debit"] or 0) * 100)
        credits_[cells["account"]] += int(Decimal(cells["credit"] or 0) * 100)
    return {each: (debits[each], credits_[each]) for each in debits.keys() | credits_.keys()}


def sheet_rows(path: Path) -> list[list[str]]:
    with zipfile.ZipFile(path) as book:
        root = ET.fromstring(book.read("xl/worksheets/sheet1.xml"))
    cells = [
        ["".join(cell.itertext()) for cell in row.iter(f"{SHEET}c")]
        for row in root.iter(f"{SHEET}row")
    ]
    return [row for row in cells if row]


def test_csv_has_every_posting_and_its_totals_are_the_trial_balance_s(
    books: psycopg.Connection[tuple[object, ...]],
) -> None:
    text = "".join(csv_lines(booked_entries(books, EVER)))
    heading, *rows = csv.reader(io.StringIO(text, newline=""))

    assert tuple(heading) == COLUMNS
    assert of_rows(rows) == totals(books)
    assert len({row[2] for row in rows}) == entry_count(books, EVER)
    assert {row[COLUMNS.index("party")] for row in rows} == {"", "bearer1", "fleet"}
    assert text == "".join(csv_lines(booked_entries(books, EVER)))
    assert text.count("\r\n") == len(rows) + 1


def test_a_party_is_called_by_its_name_until_that_is_erased(
    books: psycopg.Connection[tuple[object, ...]],
) -> None:
    books.execute("UPDATE subject SET name = 'Ltd' WHERE subject = 'bearer1'")
    written = {leg.party for each in booked_entries(books, EVER) for leg in each.postings}

    assert written == {"", "Ltd", "fleet"}


def test_a_row_says_when_why_who_and_how_much_to_the_cent() -> None:
    amounts = leg("receivable:unbilled", 1230, "ann"), leg("rounding", -1230)

    _, lines = csv_lines([entry(*amounts)])

    start = "2026-03-02,2026-03-02T07:00:00Z,rated:CP1/7"
    assert lines == (
        f"{start},1,watt,CP1/7,1,receivable:unbilled,,,,ann,EUR,12.30,,2026-03,2026-03\r\n"
        f"{start},2,watt,CP1/7,1,rounding,,,,,EUR,,12.30,2026-03,2026-03\r\n"
    )


COMPUTED = ("=1+1", "+1", "-1", "@SUM(A1)", " =1", "\u00a0=1", "\uff1d1", "\uff20SUM(A1)")


@pytest.mark.parametrize(
    ("text", "cell"),
    [(text, f"'{text}") for text in COMPUTED]
    + [("\t=1", r"\t=1"), ("\n=1", r"\n=1"), ("\u202e=1", r"\u202e=1")],
)
def test_no_spreadsheet_computes_what_a_station_wrote(text: str, cell: str) -> None:
    _, lines = csv_lines([entry(session=text)])
    [row, _] = csv.reader(io.StringIO(lines, newline=""))

    assert row[COLUMNS.index("session")] == cell


def test_bean_check_finds_nothing_and_the_same_balances(
    books: psycopg.Connection[tuple[object, ...]], tmp_path: Path
) -> None:
    accounts = accounts_of(books, EVER)
    path = tmp_path / "books.beancount"
    path.write_text("".join(beancount_lines(booked_entries(books, EVER), accounts)), "utf-8")

    checker = Path(sys.executable).with_name("bean-check")
    checked = subprocess.run([checker, path], capture_output=True, text=True, check=False)
    entries, errors, _ = loader.load_file(str(path))

    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    assert errors == []
    posted = [each for each in entries if isinstance(each, data.Transaction)]
    assert len(posted) == entry_count(books, EVER)
    sums: Counter[str] = Counter()
    for posting in (posting for each in posted for posting in each.postings):
        assert posting.units is not None
        assert posting.units.number is not None
        sums[posting.account] += int(posting.units.number * 100)
    names = beancount_accounts(accounts)
    expected = {names[each]: debit - credit for each, (debit, credit) in totals(books).items()}
    assert dict(sums) == expected


def test_what_stations_write_ends_no_text_of_beancount(tmp_path: Path) -> None:
    session = 'CP1/"\n2026-03-02 open Assets:Mine\\'
    path = tmp_path / "books.beancount"
    lines = beancount_lines([entry(session=session)], ["receivable:unbilled", "revenue:energy"])
    path.write_text("".join(lines), "utf-8")

    entries, errors, _ = loader.load_file(str(path))

    assert errors == []
    assert [type(each).__name__ for each in entries] == ["Open", "Open", "Transaction"]
    assert entries[-1].meta["session"].startswith('CP1/"')


def test_accounts_are_open_before_whatever_any_calendar_calls_the_first_day(tmp_path: Path) -> None:
    path = tmp_path / "books.beancount"
    lines = beancount_lines([entry(day=3), entry(day=2)], ["receivable:unbilled", "revenue:energy"])
    path.write_text("".join(lines), "utf-8")

    assert loader.load_file(str(path))[1] == []


def test_no_two_accounts_are_called_the_same_and_all_as_beancount_wants() -> None:
    accounts = ["tax:CA:TPS/TVQ:5", "tax:CA:TPS-TVQ:5", "vat:DE:7.7", "vat:DE:77", "new", "tax:é:5"]

    names = beancount_accounts(accounts)

    assert len(set(names.values())) == len(accounts)
    assert names["vat:DE:7.7"] == "Liabilities:Vat:DE:7-7"
    assert names["new"] == "Equity:New"
    assert names["tax:CA:TPS-TVQ:5"] + "-2" == names["tax:CA:TPS/TVQ:5"]
    for name in names.values():
        assert re.fullmatch(r"[A-Z][a-z]+(:[A-Z0-9][A-Za-z0-9-]*)+", name), name


def test_a_workbook_has_the_same_rows_and_the_same_bytes_again(
    books: psycopg.Connection[tuple[object, ...]], tmp_path: Path
) -> None:
    one, other = tmp_path / "one.xlsx", tmp_path / "other.xlsx"
    write_workbook(one, booked_entries(books, EVER))
    write_workbook(other, booked_entries(books, EVER))

    heading, *rows = sheet_rows(one)
    assert tuple(heading) == COLUMNS
    filled = [[*row, *[""] * (len(COLUMNS) - len(row))] for row in rows]
    assert of_rows(filled) == totals(books)
    assert one.read_bytes() == other.read_bytes()
    with zipfile.ZipFile(one) as book:
        assert b"2000-01-01T00:00:00Z" in book.read("docProps/core.xml"), "no time of today"


def test_a_workbook_computes_nothing_and_rounds_no_amount(tmp_path: Path) -> None:
    most = 10**15 - 1
    path = tmp_path / "book.xlsx"
    legs = leg("revenue:energy", most, "=1+1"), leg("rounding", -most - 1)

    write_workbook(path, [entry(*legs, session="http://x")])

    with zipfile.ZipFile(path) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        assert "<f>" not in sheet
        assert "hyperlink" not in sheet
    _, first, second = sheet_rows(path)
    assert first[COLUMNS.index("debit")] == "9999999999999.99"
    assert second[COLUMNS.index("credit")] == "10000000000000.00"
    assert '<c r="N2" s="' in sheet
    assert '<c r="O3" t="inlineStr">' in sheet


@pytest.mark.parametrize("text", ["=1+1", "a\x00b\x1b", "<&>\n", "\u202egpj\ud800", "_x0041_"])
def test_a_cell_says_what_a_text_is_and_computes_nothing(tmp_path: Path, text: str) -> None:
    write_workbook(tmp_path / "book.xlsx", [entry(session=text)])

    _, row, _ = sheet_rows(tmp_path / "book.xlsx")
    shown = row[COLUMNS.index("session")].replace("_x005F_", "_")
    assert shown == printable(text)
    with zipfile.ZipFile(tmp_path / "book.xlsx") as book:
        assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")


@pytest.mark.parametrize("text", ["x" * 32_767, "x" * 32_768, "a\x00b\x1b", "<&>\n"])
def test_whatever_a_text_is_a_cell_has_it_as_far_as_one_can(tmp_path: Path, text: str) -> None:
    write_workbook(tmp_path / "book.xlsx", [entry(session=text)])

    _, row, _ = sheet_rows(tmp_path / "book.xlsx")
    assert row[COLUMNS.index("session")].startswith(text[:1])
    assert len(row[COLUMNS.index("session")]) >= min(len(text), 32_767)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Money that waits for a second person", "Money that waits for a second p"),
        ("'Was [1/2] wartet?'", "Was  1 2  wartet"),
        ("\N{ELECTRIC PLUG}" * 20, "\N{ELECTRIC PLUG}" * 15),
        ("", "1"),
    ],
)
def test_a_sheet_is_called_as_far_as_it_can_be(tmp_path: Path, title: str, name: str) -> None:
    path = tmp_path / "made.xlsx"
    write_sheet(path, WorkbookSheet(title, ["one"], [10], 0), [["a"]])

    with zipfile.ZipFile(path) as book:
        [sheet] = ET.fromstring(book.read("xl/workbook.xml")).iter(f"{SHEET}sheet")
    assert sheet.get("name") == name


def test_what_a_sheet_cannot_hold_is_said(tmp_path: Path) -> None:
    write_workbook(tmp_path / "two.xlsx", [entry()], rows_max=3)

    with pytest.raises(TooManyRowsError, match="--from"):
        write_workbook(tmp_path / "three.xlsx", [entry()], rows_max=2)


def test_nothing_booked_is_a_file_too(tmp_path: Path) -> None:
    assert list(csv_lines([])) == [",".join(COLUMNS) + "\r\n"]
    assert list(beancount_lines([], [])) == ['option "title" "Wattledger"\n']
    write_workbook(tmp_path / "none.xlsx", [])
    assert sheet_rows(tmp_path / "none.xlsx") == [list(COLUMNS)]
