"""What somebody reads before they agree: it is what is booked, or nothing is."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from ledger.declared.changes import Change
from ledger.declared.declarations import BEGINNING, POLICY_KEY, Kind
from ledger.declared.store import declare, load_declarations
from ledger.desk.paying.agreed import ReadOtherwiseError
from ledger.desk.paying.match_plans import (
    MatchWish,
    PlannedMatch,
    plan_match,
    proposed_match,
    wish_of,
)
from ledger.desk.paying.matching import match_line, withdraw_proposed_match
from ledger.desk.withdrawing.withdrawn import (
    About,
    NoReasonError,
    NotProposedError,
    Withdrawal,
    withdrawn_of,
)
from ledger.master_data.policies import Policy
from ledger.payments.bank.lines import find_line, waiting_lines
from ledger.payments.recording import movements
from ledger.persons.holders import customer_holder
from ledger.persons.store import find_or_make
from tests.depot import NOON
from tests.ledger.payments.bank.bank_books import (
    NOW,
    invoiced,
    open_minor,
    put_in,
    wl,
)
from tests.ledger.payments.bank.bank_files import Booked, camt

Books = psycopg.Connection[Any]


@pytest.fixture
def books(database: str) -> Iterator[Books]:
    """Two invoices to anna, and a line of 20.00; a second person is asked above 30.00."""
    with invoiced(database, ["anna-1", "anna-1"]) as connection:
        ask_above(connection, 30)
        holder = customer_holder("anna")
        find_or_make(connection, [holder])
        put = "UPDATE subject SET subject = 'anna' WHERE (kind, name) = ('customer', 'anna')"
        connection.execute(put)
        put_in(connection, camt([Booked(2000, "thank you", "R-1", account="")]))
        yield connection


def ask_above(books: Books, amount: int) -> None:
    policy = Policy(payment_approval_above=Decimal(amount))
    change = Change(kind=Kind.POLICY, key=POLICY_KEY, entity=policy, valid_from=BEGINNING)
    with books.transaction():
        declare(books, [change], by="a test", at=NOON)


def line(books: Books) -> str:
    [found] = waiting_lines(books, 2)
    return found.line


def plan(books: Books, wish: MatchWish) -> PlannedMatch:
    return plan_match(books, load_declarations(books), wish, NOW)


WISHES: dict[str, dict[str, Any]] = {
    "a document, the rest waits": {"documents": ((wl(1), None),)},
    "documents and a balance": {
        "documents": ((wl(1), Decimal("1.50")), (wl(2), None)),
        "balance": "anna",
    },
    "an account": {"account": "fees:bank"},
    "money that was recorded before": {"account": "cash:clearing"},
    "back to its payer": {"is_returned": True},
    "a part, and the rest back": {"documents": ((wl(2), None),), "is_returned": True},
}


@pytest.mark.parametrize("name", sorted(WISHES))
def test_what_was_read_is_what_is_booked(books: Books, name: str) -> None:
    wish = MatchWish(line(books), **WISHES[name])
    read = plan(books, wish)
    told = [
        (each.account, each.party, each.currency, each.amount_minor)
        for entry in read.entries(NOW)
        for each in entry.postings
    ]

    done = match_line(books, wish, by="ada", at=NOW, agreed=read.digest)

    entries = [each.entry_id for each in read.entries(NOW)]
    query = "SELECT account, party, currency, amount_minor FROM posting WHERE entry_id = ANY (%s)"
    assert sorted(books.execute(query, (entries,)).fetchall()) == sorted(told)
    assert done.left_minor == read.left_minor
    assert [open_minor(books, each.document) for each in read.documents] == [
        each.then_minor for each in read.documents
    ]
    with pytest.raises(ReadOtherwiseError):
        match_line(
            books, MatchWish(wish.line, is_undone=True), by="ada", at=NOW, agreed=read.digest
        )


@pytest.mark.parametrize("name", sorted(WISHES))
def test_a_second_person_says_the_same_by_what_was_proposed(books: Books, name: str) -> None:
    ask_above(books, 10)
    wish = MatchWish(line(books), **WISHES[name])
    assert match_line(books, wish, by="ada", at=NOW).waits
    for by, is_undone in (("bert", False), ("cleo", True)):
        if is_undone:
            assert match_line(books, MatchWish(wish.line, is_undone=True), by="ada", at=NOW).waits
        first = proposed_match(books, wish.line)
        assert first is not None
        again = wish_of(books, wish.line, first.match)
        assert again.is_undone == is_undone
        read = plan(books, again)
        assert (read.match, read.proposed_by) == (first.match, "ada")
        assert not match_line(books, again, by=by, at=NOW, agreed=read.digest).waits

    assert [each.recorded_by for each in movements(books)[1:]] == ["ada, bert", "ada, cleo"]
    assert proposed_match(books, wish.line) is None


def test_what_was_proposed_is_withdrawn_and_kept_and_nobody_agrees_with_it(books: Books) -> None:
    ask_above(books, 10)
    name, how = line(books), Withdrawal("bert", "it is of another customer", NOW)
    found = find_line(books, name)
    assert found is not None
    with pytest.raises(NotProposedError):
        withdraw_proposed_match(books, found, how)
    fees = MatchWish(name, account="fees:bank")
    assert match_line(books, fees, by="ada", at=NOW).waits
    # Another one in its place keeps the first.
    one = MatchWish(name, ((wl(1), Decimal("1.50")),))
    assert match_line(books, one, by="cleo", at=NOW).waits
    with pytest.raises(NoReasonError):
        withdraw_proposed_match(books, found, how._replace(because=""))

    withdraw_proposed_match(books, found, how)

    assert proposed_match(books, name) is None
    assert match_line(books, one, by="bert", at=NOW).waits
    assert [
        (each.proposed_by, each.moved_minor, each.withdrawn_by, each.withdrawn_because)
        for each in withdrawn_of(books, About.LINE, name)
    ] == [("cleo", 150, "bert", "it is of another customer"), ("ada", 2000, "cleo", "")]
    assert len(movements(books)) == 1


def test_what_changed_since_it_was_read_is_not_booked(books: Books) -> None:
    part = MatchWish(line(books), ((wl(1), Decimal("1.00")),))
    read = plan(books, part)
    match_line(books, part, by="ada", at=NOW, agreed=read.digest)

    with pytest.raises(ReadOtherwiseError):
        # As a button that is pressed twice.
        match_line(books, part, by="ada", at=NOW, agreed=read.digest)
    read = plan(books, part)
    ask_above(books, 10)
    with pytest.raises(ReadOtherwiseError):
        # It said that one person is enough.
        match_line(books, part, by="ada", at=NOW, agreed=read.digest)
    assert len(movements(books)) == 2
