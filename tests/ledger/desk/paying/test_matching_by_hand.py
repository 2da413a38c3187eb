"""What people decide about lines that wait, one person or two."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from ledger.books.accounts import CASH_CLEARING, PREPAYMENTS, RECEIVABLE
from ledger.books.prepayments import BalanceTooSmallError
from ledger.declared.changes import Change
from ledger.declared.declarations import BEGINNING, POLICY_KEY, Kind
from ledger.declared.store import declare
from ledger.desk.paying.match_plans import (
    MatchWish,
    UnfitDocumentError,
    UnfitMatchError,
    UnknownBankLineError,
    parse_documents,
)
from ledger.desk.paying.matching import (
    DecidedMatch,
    SecondMatcherError,
    match_line,
    undo_match,
)
from ledger.master_data.policies import Policy
from ledger.payments.bank.importing import Importing
from ledger.payments.bank.lines import waiting_lines
from ledger.payments.bank.matched import match_waiting
from ledger.payments.bank.proposals import work_list
from ledger.payments.bank.standing import RETURNS
from ledger.payments.movement import UNMATCHED
from ledger.payments.recording import movements
from ledger.persons.holders import customer_holder
from ledger.persons.store import find_or_make
from projections.balances.trial import trial_balance
from projections.replay.movements import compare_movements
from tests.depot import NOON
from tests.ledger.payments.bank.bank_books import (
    CASH,
    NOW,
    balances,
    banked_declarations,
    invoiced,
    open_minor,
    put_in,
    waiting,
    wl,
)
from tests.ledger.payments.bank.bank_files import Booked, camt

Books = psycopg.Connection[Any]


@pytest.fixture
def books(database: str) -> Iterator[Books]:
    """Two invoices to anna, one to a bearer; a second person is asked above 10.00."""
    with invoiced(database, ["anna-1", "anna-1", "nobody-1"]) as connection:
        policy = Policy(payment_approval_above=Decimal(10))
        change = Change(kind=Kind.POLICY, key=POLICY_KEY, entity=policy, valid_from=BEGINNING)
        with connection.transaction():
            declare(connection, [change], by="a test", at=NOON)
        yield connection


def line_of(books: Books, minor: int, text: str = "no reference", name: str = "1") -> str:
    """Import a line that waits; return what it is called."""
    put_in(books, camt([Booked(minor, text, f"R-{name}", account="")], name=name))
    return max(waiting_lines(books, 10), key=lambda each: each.left_minor == minor).line


def decide(
    books: Books,
    line: str,
    *documents: str,
    by: str = "ada",
    **rest: Any,  # noqa: ANN401 - fields of it
) -> DecidedMatch:
    wish = MatchWish(line, parse_documents(documents), **rest)
    return match_line(books, wish, by=by, at=NOW)


def test_a_line_is_matched_in_parts_and_taken_back(books: Books) -> None:
    line = line_of(books, 900)

    decide(books, line, f"{wl(1)}:2.00", wl(3))
    assert (open_minor(books, wl(1)), open_minor(books, wl(3))) == (276, 0)
    assert waiting(books) == {"part_left": 224}
    decide(books, line, account="fees:bank")
    assert waiting(books) == {}
    assert [each.reference for each in movements(books)[1:]] == [f"{line}/1", f"{line}/2"]

    undo_match(books, line, by="ada", at=NOW)
    assert (open_minor(books, wl(1)), open_minor(books, wl(3))) == (476, 476)
    assert waiting(books) == {"undone": 900}
    assert balances(books) == {CASH: 900, RECEIVABLE: 1428, UNMATCHED: -900}
    assert trial_balance(books).is_balanced


def subject(books: Books, key: str) -> None:
    """Let the customer *key* be known by that key, as its subject id is."""
    holder = customer_holder(key)
    find_or_make(books, [holder])
    books.execute(
        "UPDATE subject SET subject = %s WHERE (kind, name) = ('customer', %s)", (key, key)
    )


def test_the_rest_may_go_to_a_balance_while_it_is_there(books: Books) -> None:
    subject(books, "anna")
    line = line_of(books, 600)

    decide(books, line, wl(3), balance="anna")
    assert balances(books) == {CASH: 600, RECEIVABLE: 952, PREPAYMENTS: -124}
    undo_match(books, line, by="ada", at=NOW)
    assert balances(books) == {CASH: 600, RECEIVABLE: 1428, UNMATCHED: -600}

    decide(books, line, wl(3), balance="anna")
    with pytest.raises(BalanceTooSmallError):
        decide(books, line_of(books, -200, name="2"), balance="anna")
    assert CASH_CLEARING not in balances(books)


def test_what_is_returned_is_owed_until_a_statement_shows_it(books: Books) -> None:
    line = line_of(books, 500)

    decide(books, line, is_returned=True)
    owed = books.execute("SELECT sum(amount_minor) FROM posting WHERE account = %s", (RETURNS,))
    assert owed.fetchall() == [(-500,)]
    back = Booked(-500, f"RETURN {line.upper()}", "R-9", day="2026-11-12")
    [done] = put_in(books, camt([back], name="2", opening=500))

    assert done.waiting == 0
    assert balances(books) == {RECEIVABLE: 1428}
    assert trial_balance(books).is_balanced


def test_above_the_limit_another_person_says_the_same(books: Books) -> None:
    line = line_of(books, 2000)
    wish = {"account": "fees:bank"}

    assert decide(books, line, **wish).waits
    assert len(movements(books)) == 1
    with pytest.raises(SecondMatcherError, match="another person"):
        decide(books, line, by="ADA", **wish)
    other = decide(books, line, by="bert", account="cost:lost")
    assert other.waits, "something else is a proposal of its own"
    assert decide(books, line, **wish).waits
    assert not decide(books, line, by="bert", **wish).waits

    assert movements(books)[-1].recorded_by == "ada, bert"
    assert undo_match(books, line, by="bert", at=NOW).waits
    assert not undo_match(books, line, by="ada", at=NOW).waits
    assert waiting(books) == {"undone": 2000}


def test_part_by_part_one_person_decides_no_more(books: Books) -> None:
    line = line_of(books, 2000)

    assert decide(books, line, f"{wl(1)}:4.00").waits
    assert decide(books, line, f"{wl(1)}:1.00").waits
    assert not decide(books, line, f"{wl(1)}:1.00", by="bert").waits
    assert waiting(books) == {"part_left": 1900}


@pytest.mark.parametrize(
    ("documents", "rest", "why"),
    [
        pytest.param([], {}, "say what it is for", id="nothing"),
        pytest.param([wl(9)], {}, "no document", id="an unknown number"),
        pytest.param([f"{wl(1)}:4.77"], {}, "at most 4.76 EUR", id="more than is open"),
        pytest.param([wl(1), wl(1)], {}, "named twice", id="twice"),
        pytest.param([], {"account": "receivable:invoiced"}, "no account", id="a receivable"),
        pytest.param([], {"account": "cash:stripe"}, "no account", id="money elsewhere"),
        pytest.param([], {"account": "x; DROP TABLE"}, "no account", id="no name"),
        pytest.param([], {"account": "a:b", "is_returned": True}, "not to two", id="two rests"),
        pytest.param([wl(1), wl(2)], {"account": "fees:bank"}, "at most|left", id="no rest"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_booked(
    books: Books, documents: list[str], rest: dict[str, Any], why: str
) -> None:
    line = line_of(books, 952)

    with pytest.raises(UnfitMatchError, match=why):
        decide(books, line, *documents, **rest)
    assert len(movements(books)) == 1
    assert waiting(books) == {"no_reference": 952}


def test_what_is_done_or_unknown_says_so(books: Books) -> None:
    line = line_of(books, 476)
    decide(books, line, wl(1))

    with pytest.raises(UnfitMatchError, match="payments unmatch"):
        decide(books, line, wl(2))
    with pytest.raises(UnknownBankLineError, match="payments unmatched"):
        decide(books, "20260101-0000", wl(2))
    for text in ("", ":5", "X:", "X:-1", "X:1e3", "X:1,5", "X:NaN"):
        with pytest.raises(UnfitDocumentError):
            parse_documents([text])
    undo_match(books, line, by="ada", at=NOW)
    with pytest.raises(UnfitMatchError, match="matched with nothing"):
        undo_match(books, line, by="ada", at=NOW)


def test_the_work_list_proposes_and_never_decides(books: Books) -> None:
    line_of(books, 476, "WL 2O26 OOOOO1")
    line_of(books, 900, f"{wl(1)} {wl(2)}", name="2")

    found = work_list(books, banked_declarations(), 10)

    by_amount = {each.line.amount_minor: each for each in found}
    assert [(each.document, each.why) for each in by_amount[476].proposals] == [
        (wl(1), "alike"),
        (wl(2), "open"),
        (wl(3), "open"),
    ]
    assert [(each.document, each.open_minor, each.why) for each in by_amount[900].proposals] == [
        (wl(1), 476, "named"),
        (wl(2), 476, "named"),
    ]
    importing = Importing(connection=books, declared=banked_declarations(), by="x", now=NOW)
    assert match_waiting(importing) == 0
    assert waiting(books) == {"no_reference": 476, "too_little": 900}


def test_what_becomes_sure_later_is_matched_unless_a_person_decided(books: Books) -> None:
    importing = Importing(connection=books, declared=banked_declarations(), by="x", now=NOW)
    line_of(books, 900, f"{wl(1)} {wl(2)}")
    taken = line_of(books, 476, wl(3).replace("WL", "W L"), name="2")
    decide(books, taken, wl(1) + ":0.52")
    undo_match(books, taken, by="ada", at=NOW)
    decide(books, taken, wl(1) + ":0.52")

    assert match_waiting(importing) == 1

    assert (open_minor(books, wl(1)), open_minor(books, wl(2))) == (0, 0)
    assert waiting(books) == {"part_left": 424}


def test_what_was_matched_at_import_is_taken_back_with_its_balance(books: Books) -> None:
    put_in(books, camt([Booked(900, wl(1), "R-1")]))
    [line] = [each.reference for each in movements(books)]
    assert balances(books) == {CASH: 900, RECEIVABLE: 952, PREPAYMENTS: -424}

    undo_match(books, line, by="ada", at=NOW)
    assert balances(books) == {CASH: 900, RECEIVABLE: 1428, UNMATCHED: -900}
    decide(books, line, wl(2), is_returned=True)
    undo_match(books, line, by="ada", at=NOW)
    assert waiting(books) == {"undone": 900}
    assert trial_balance(books).is_balanced
    compared = list(compare_movements(books))
    assert len(compared) > 4
    assert [each for each in compared if each.kept != each.again] == []
