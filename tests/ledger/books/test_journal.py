"""The journal balances or does not exist: in memory, and again in the database."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.books.accounts import entry_for, invoice_entry
from ledger.books.journal import (
    EmptyEntryError,
    JournalEntry,
    Posting,
    UnbalancedEntryError,
    store_entries,
)
from ledger.database import connect
from ledger.declared.declarations import BEGINNING, Kind
from ledger.master_data.tariff_versions import published
from ledger.rating.decide import decide, write_off
from ledger.rating.decisions import SessionRated
from tariffs.model.tariff import Dimension, PriceLimit
from tests.depot import NOON, component, declared, moment_of, rated, session, tariff

money = st.integers(-(10**9), 10**9)


def posting(account: str, amount_minor: int, currency: str = "EUR") -> Posting:
    return Posting(account=account, party="", currency=currency, amount_minor=amount_minor)


def entry(*postings: Posting, entry_id: str = "e") -> JournalEntry:
    return JournalEntry(
        entry_id=entry_id,
        legal_entity="depot",
        booked_at=NOON,
        original_period="2026-11",
        postings=postings,
    )


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database) as opened:
        yield opened


@given(st.lists(st.tuples(money, st.sampled_from(["EUR", "SEK"])), min_size=1))
def test_an_entry_exists_only_if_it_balances_in_every_currency(
    legs: list[tuple[int, str]],
) -> None:
    totals = [sum(m for m, c in legs if c == currency) for currency in ("EUR", "SEK")]
    postings = [posting("a", amount, currency) for amount, currency in legs]

    if totals == [0, 0]:
        assert entry(*postings).postings == tuple(postings)
    else:
        with pytest.raises(UnbalancedEntryError):
            entry(*postings)
    balancing = [posting("b", -total, c) for total, c in zip(totals, ("EUR", "SEK"), strict=True)]
    assert len(entry(*postings, *balancing).postings) == len(legs) + 2


def test_two_currencies_do_not_balance_each_other() -> None:
    with pytest.raises(UnbalancedEntryError) as caught:
        entry(posting("a", 100), posting("b", -100, "SEK"))

    assert (caught.value.total, caught.value.currency) == (100, "EUR")
    assert str(caught.value) == "entry e is off by 100 minor units EUR"


def test_an_entry_without_postings_says_nothing() -> None:
    with pytest.raises(EmptyEntryError, match="entry e has no postings"):
        entry()


MIXED = tariff(
    "mixed",
    component(Dimension.FLAT, "0.355", Decimal(7)),
    component(Dimension.ENERGY, "0.333"),
    component(Dimension.PARKING_TIME, "1.777", None),
)
MIXED_HERE = declared(
    (Kind.TARIFF, "energy", published(msgspec.structs.replace(MIXED, id="energy")), BEGINNING)
)


@given(st.integers(1, 10**9), st.integers(1, 1440), st.integers(0, 1440))
@settings(max_examples=80)
def test_every_rating_posts_what_it_says_to_the_cent(
    energy_mwh: int, minutes: int, parked: int
) -> None:
    """Off-by-one VAT and totals that differ from their lines: peer faults 20 and 23."""
    charging = session(
        energy_wh=str(Decimal(energy_mwh) / 1000), minutes=minutes, parked_minutes=parked
    )
    decision = rated(charging, MIXED_HERE)

    posted = entry_for(decision)

    assert posted is not None
    by_account = {leg.account: leg.amount_minor for leg in posted.postings}
    revenue = -sum(m for name, m in by_account.items() if name.startswith("revenue:"))
    expected = -by_account.get("expected_tax", 0)
    assert by_account["receivable:unbilled"] == decision.gross_minor
    assert (revenue, expected) == (decision.net_minor, decision.tax_minor)
    # Whose tax it is, and how much, a document says.
    assert len(by_account) == 1 + bool(expected) + sum(n.startswith("revenue:") for n in by_account)


def test_a_price_limit_across_vat_rates_still_balances() -> None:
    limited = msgspec.structs.replace(
        MIXED, id="energy", max_price=PriceLimit(before_taxes=Decimal("1.00"))
    )
    known = declared((Kind.TARIFF, "energy", published(limited), BEGINNING))

    decision = rated(session(parked_minutes=30), known)

    assert decision.net_minor == 100
    assert entry_for(decision) is not None


def test_an_invoice_moves_what_is_owed_from_unbilled_to_invoiced() -> None:
    ratings = [rated(session(1)), rated(session(2))]

    posted = invoice_entry("WL-1", NOON, "2026-11", ratings)

    assert posted is not None
    assert [(leg.account, leg.party, leg.amount_minor) for leg in posted.postings] == [
        ("receivable:invoiced", "anna", 952),
        ("receivable:unbilled", "anna", -952),
        ("expected_tax", "", 152),
        ("vat:DE:19", "", -152),
    ]


def test_a_write_off_of_what_was_never_rated_posts_nothing() -> None:
    charging = session(blockers=["seq_gap"])
    moment = moment_of(charging)

    assert entry_for(write_off(charging, declared(), moment=moment, by="a", reason="b")) is None
    assert not isinstance(decide(charging, declared(), moment=moment), SessionRated)


def test_the_database_takes_a_balanced_entry_once(connection: psycopg.Connection[Any]) -> None:
    balanced = entry(posting("a", 5), posting("b", -5))
    store_entries(connection, [balanced])

    with pytest.raises(psycopg.errors.UniqueViolation):
        store_entries(connection, [balanced])


def test_the_database_refuses_what_the_constructor_would_have(
    connection: psycopg.Connection[Any],
) -> None:
    insert = (
        "INSERT INTO journal_entry VALUES ('e', 'depot', now(), '2026-11', '2026-11', NULL, NULL, "
    )
    for legs in (
        "'{a}', '{\"\"}', '{EUR}', '{5}'",
        "'{a,b}', '{\"\",\"\"}', '{EUR,SEK}', '{5,-5}'",
    ):
        with (
            pytest.raises(psycopg.errors.CheckViolation, match="off by 5 minor units EUR"),
            connection.transaction(),
        ):
            connection.execute(f"{insert}{legs})".encode())
    for legs in (
        "'{}', '{}', '{}', '{}'",
        "'{a}', '{\"\"}', '{EUR}', '{0}'",
        "'{a,b}', '{\"\",\"\"}', '{EUR,EUR}', '{5,-5,0}'",
        "'{a,b,c}', '{\"\",\"\"}', '{EUR,EUR}', '{5,-5}'",
        "'{a,b}', '{\"\"}', '{EUR,EUR}', '{5,-5}'",
        "'{a,b}', '{\"\",\"\"}', '{EUR}', '{5,-5}'",
        "'{a,b}', '{\"\",\"\"}', '{EUR,NULL}', '{5,-5}'",
        "'{a,b,c}', '{\"\",\"\",\"\"}', '{EUR,EUR,EUR}', '{5,-5,NULL}'",
    ):
        with pytest.raises(psycopg.errors.CheckViolation), connection.transaction():
            connection.execute(f"{insert}{legs})".encode())


def test_nothing_posted_is_ever_changed(connection: psycopg.Connection[Any]) -> None:
    store_entries(connection, [entry(posting("a", 5), posting("b", -5))])

    for statement in ("DELETE FROM journal_entry", "UPDATE journal_entry SET amounts = '{}'"):
        with (
            pytest.raises(psycopg.errors.RaiseException, match="append-only"),
            connection.transaction(),
        ):
            connection.execute(statement.encode())
