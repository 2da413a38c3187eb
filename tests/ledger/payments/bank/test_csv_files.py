"""Statements as CSV: read by what is declared, or by what alone reads all of it."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import msgspec
import psycopg
import pytest

from ledger.payments.bank.files.csv_layout import (
    CsvColumns,
    CsvLayout,
    Decimals,
    plain_amount,
)
from ledger.payments.bank.files.csv_lines import read_csv
from ledger.payments.bank.files.statement import BankStatement, UnreadableStatementError
from ledger.payments.bank.overlap import OtherFormError, PartOfDayError
from tests.ledger.payments.bank.bank_books import CASH, balances, invoiced, open_minor, put_in, wl
from tests.ledger.payments.bank.bank_files import IBAN, Booked, camt

LAYOUT = CsvLayout(
    account=IBAN,
    columns=CsvColumns(
        booked_on="Tag", amount="Betrag", payer="Name", payer_account="Konto", texts=("Zweck",)
    ),
)
TITLES = "Tag;Betrag;Name;Konto;Zweck"
ROWS = ("13.11.2026;4,76;Carla Clara;DE02500105170137075030;" + wl(1), "14.11.2026;-1.234,50;;;fee")


def text_of(*rows: str, titles: str = TITLES) -> bytes:
    return "\r\n".join([titles, *rows]).encode()


def statement(
    content: bytes = text_of(*ROWS), layout: CsvLayout = LAYOUT, **columns: object
) -> BankStatement:
    changed = msgspec.structs.replace(layout.columns, **columns)
    return read_csv(BytesIO(content), msgspec.structs.replace(layout, columns=changed), "march.csv")


def with_layout(**given: object) -> CsvLayout:
    return msgspec.structs.replace(LAYOUT, **given)


def test_a_file_is_read_as_only_one_way_reads_it() -> None:
    found = statement()

    assert [each.amount_minor for each in found.entries] == [476, -123450]
    assert [f"{each.booked_on}" for each in found.entries] == ["2026-11-13", "2026-11-14"]
    assert found.entries[0].parts[0].payer == "Carla Clara"
    assert (found.account, found.opening_minor) == (IBAN, None)


@pytest.mark.parametrize(
    ("written", "decimal", "plain"),
    [
        ("4,76", ",", "4.76"),
        ("1.234,50", ",", "1234.50"),
        ("1 234,5-", ",", "-1234.5"),
        ("-1'234.50", ".", "-1234.50"),
        ("+7", ".", "7"),
        ("\u22125", ".", "-5"),
        ("1.23,50", ",", None),
        ("1,234.50", ",", None),
        ("--5", ".", None),
        ("-5-", ".", None),
        ("", ".", None),
        ("1e3", ".", None),
        ("\u0665", ".", None),
    ],
)
def test_an_amount_is_exact_or_none(written: str, decimal: Decimals, plain: str | None) -> None:
    assert plain_amount(written, decimal) == plain


@pytest.mark.parametrize(
    ("content", "layout", "why"),
    [
        pytest.param(text_of("01.02.2026;1,00;;;"), LAYOUT, None, id="dots are days first"),
        pytest.param(
            text_of("01/02/2026;1,00;;;"), LAYOUT, "DD/MM/YYYY' and 'MM/DD", id="which month"
        ),
        pytest.param(text_of("13.11.2026;1.000;;;"), LAYOUT, "say `decimal`", id="a thousand or 1"),
        pytest.param(
            text_of("13.11.2026;1,00;;;", "13.11.2026;1.00;;;"), LAYOUT, "nothing reads", id="both"
        ),
        pytest.param(text_of("13.11.2026;1,00;;"), LAYOUT, "4 columns", id="a column less"),
        pytest.param(text_of('13.11.2026;1,00;"x;;'), LAYOUT, "no CSV", id="an open quote"),
        pytest.param(text_of("x;1,00;;;"), LAYOUT, "say `days`", id="no day"),
        pytest.param(
            text_of("x;1,00;Carla Clara;;"),
            with_layout(days="DD.MM.YYYY"),
            "march.csv:2: a day is missing",
            id="no day, where it is",
        ),
        pytest.param(text_of("13.11.2026;;;;", *ROWS), LAYOUT, "an amount is missing", id="none"),
        pytest.param(text_of(titles="Tag;Betrag"), LAYOUT, "delimiter", id="a title is missing"),
        pytest.param(text_of(titles=TITLES + ";Tag"), LAYOUT, "two columns", id="a title twice"),
        pytest.param(b"", LAYOUT, "no titles", id="nothing"),
        pytest.param(text_of(*ROWS) + b"\xff", LAYOUT, "not in utf-8", id="another encoding"),
        pytest.param(b"\0" * 40, LAYOUT, "titles|delimiter", id="zeros"),
        pytest.param(
            text_of(*ROWS), with_layout(columns=CsvColumns(booked_on="Tag")), "amount", id="layout"
        ),
        pytest.param(
            text_of("13.11.2026;1,005;;;"), with_layout(decimal=","), "finer", id="half a cent"
        ),
    ],
)
def test_what_is_not_sure_is_refused(content: bytes, layout: CsvLayout, why: str | None) -> None:
    if why is None:
        assert statement(content, layout).entries[0].booked_on.month == 2
        return
    with pytest.raises(UnreadableStatementError, match=why) as caught:
        statement(content, layout)
    assert "Carla" not in str(caught.value)


BALANCED = TITLES + ";Saldo"
NEWEST_FIRST = ("14.11.2026;-1,00;;;fee;3,76", "13.11.2026;4,76;;;x;4,76")


def test_balances_after_each_line_check_a_file_that_begins_with_the_newest() -> None:
    found = statement(text_of(*NEWEST_FIRST, titles=BALANCED), balance="Saldo")

    assert (found.opening_minor, found.closing_minor) == (0, 376)
    with pytest.raises(UnreadableStatementError, match="a line is missing"):
        statement(text_of(NEWEST_FIRST[0], "12.11.2026;1,00;;;x;4,75", titles=BALANCED),
                  balance="Saldo")  # fmt: skip


def test_what_came_and_what_went_may_have_columns_of_their_own() -> None:
    titles = "Tag;Betrag;Soll;Name;Konto;Zweck"
    rows = ("13.11.2026;4,76;;;;x", "14.11.2026;;1,00;;;fee")

    found = statement(text_of(*rows, titles=titles), amount=None, came="Betrag", went="Soll")

    assert [each.amount_minor for each in found.entries] == [476, -100]


@pytest.mark.parametrize(
    ("first", "second"), [("1,00", "2,00"), ("-1,00", "2,00-"), ("0,00", "-2,00"), ("-0,00", "2")]
)
def test_what_went_is_written_with_or_without_its_sign(first: str, second: str) -> None:
    titles = "Tag;Betrag;Soll;Name;Konto;Zweck"
    rows = (f"13.11.2026;;{first};;;x", f"14.11.2026;;{second};;;fee")

    found = statement(text_of(*rows, titles=titles), amount=None, came="Betrag", went="Soll")

    assert found.entries[-1].amount_minor == -200


def test_where_some_of_what_went_is_below_0_nobody_guesses_which_came() -> None:
    titles = "Tag;Betrag;Soll;Name;Konto;Zweck"
    rows = ("13.11.2026;;1,00;;;x", "14.11.2026;;-0,01;;;fee given back")

    with pytest.raises(UnreadableStatementError, match="above 0 and below"):
        statement(text_of(*rows, titles=titles), amount=None, came="Betrag", went="Soll")


@pytest.mark.parametrize("last_lines", [2, 3, 4, 5, 9])
def test_a_file_that_is_shorter_than_its_last_lines_has_none_of_its_own(last_lines: int) -> None:
    layout = with_layout(last_lines=last_lines)
    if last_lines == len(ROWS):
        assert statement(layout=layout).entries == ()
        return
    with pytest.raises(UnreadableStatementError, match="no titles"):
        statement(layout=layout)


def test_a_file_may_hold_what_no_table_does(books: psycopg.Connection[Any]) -> None:
    odd = f"13.11.2026;4,76;Carla\0 \ud83d\ude97\u202e;\0DE02;{wl(1)} \0\x07".encode(
        "utf-16", "surrogatepass"
    ).decode("utf-16")
    put_in(books, statement(text_of(odd)))

    assert open_minor(books, wl(1)) == 0


@pytest.fixture
def books(database: str) -> Iterator[psycopg.Connection[Any]]:
    """An invoice to anna."""
    with invoiced(database, ["anna-1"]) as connection:
        yield connection


def test_files_that_overlap_have_whole_days(books: psycopg.Connection[Any]) -> None:
    same = "13.11.2026;1,00;Ada;;parking"
    later = "14.11.2026;2,00;;;x"
    put_in(books, statement(text_of(ROWS[0], same)))
    put_in(books, statement(text_of(same, ROWS[0], same, later)))

    assert open_minor(books, wl(1)) == 0
    assert balances(books)[CASH] == 476 + 100 + 100 + 200
    with pytest.raises(PartOfDayError, match="whole days"):
        put_in(books, statement(text_of(same, "13.11.2026;9,00;;;y")))
    with pytest.raises(OtherFormError, match="another form"):
        put_in(books, camt([Booked(476, wl(1), "R-1", day="2026-11-13")]))
    assert balances(books)[CASH] == 876


def test_a_line_that_is_no_titles_is_not_quoted() -> None:
    with pytest.raises(UnreadableStatementError, match="skip_lines") as refused:
        statement(
            text_of(*ROWS, titles="11.11.2026;4,76;Carla Clara;4242 4242 4242 4242;x"),
            with_layout(delimiter=";"),
        )

    assert not {"Carla", "4242"} & set(str(refused.value).split())
