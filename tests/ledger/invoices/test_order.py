"""What an invoice is made of: sessions that belong together, and who sells to whom."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from msgspec.structs import replace

from ledger.declared.declarations import BEGINNING, Kind
from ledger.errors import LedgerError
from ledger.invoices.order import (
    InvoiceOrder,
    MixedInvoiceError,
    SellerMissingError,
    cause_of_month,
    cause_of_session,
    order_of,
)
from ledger.master_data.customers import Customer
from ledger.master_data.legal_entities import LegalEntity
from ledger.rating.decisions import SessionRated, SessionRevision
from tests.depot import NOON, THINGS, declared, rated, session

LATER = NOON + timedelta(days=30)
ONE = rated(session(1, token_uid="fleet-1"))
TWO = rated(session(2, token_uid="fleet-1"))
MONTH = "month:2026-11:EUR:depot:fleet"


def order(*sessions: SessionRated, cause: str = MONTH, at: datetime = LATER) -> InvoiceOrder:
    return order_of(cause, sessions, declared(), at=at)


@pytest.mark.parametrize(
    "other",
    [
        replace(TWO, currency="SEK"),
        replace(TWO, legal_entity="works"),
        replace(TWO, payer=replace(TWO.payer, customer="anna")),
        replace(TWO, payer=replace(TWO.payer, customer=None)),
    ],
    ids=["currency", "seller", "buyer", "bearer"],
)
def test_what_does_not_belong_together_is_no_invoice(other: SessionRated) -> None:
    with pytest.raises(MixedInvoiceError) as caught:
        order(ONE, other)

    assert caught.value.cause == MONTH
    assert order(ONE, TWO).sessions == (ONE, TWO)


def test_sessions_come_in_the_order_of_their_starts_and_then_of_their_ids() -> None:
    late = replace(ONE, session_id="A", started_at=NOON + timedelta(seconds=1))

    assert order(late, TWO, ONE).sessions == (ONE, TWO, late)


def test_a_seller_that_was_withdrawn_stands_as_it_was_at_the_start() -> None:
    withdrawn = declared((Kind.LEGAL_ENTITY, "depot", None, NOON + timedelta(days=1)))

    assert order_of(MONTH, [ONE], withdrawn, at=LATER).seller.name == "Depot GmbH"


def test_a_seller_is_named_as_it_is_called_when_the_invoice_is_made() -> None:
    renamed = declared(
        (Kind.LEGAL_ENTITY, "depot", replace(entity(), name="Depot AG"), NOON + timedelta(days=1))
    )

    assert order_of(MONTH, [ONE], renamed, at=LATER).seller.name == "Depot AG"
    assert order_of(MONTH, [ONE], renamed, at=NOON).seller.name == "Depot GmbH"


def test_a_seller_that_nobody_declared_sells_nothing() -> None:
    unknown = declared((Kind.LEGAL_ENTITY, "depot", None, BEGINNING))

    with pytest.raises(SellerMissingError, match="depot") as caught:
        order_of(MONTH, [ONE], unknown, at=LATER)
    assert isinstance(caught.value, LedgerError)


def test_a_buyer_is_who_it_is_when_the_invoice_is_made_or_was_at_the_start() -> None:
    moved = Customer(details="Fleet SE", vat_id="DE1")
    at = NOON + timedelta(days=1)

    assert order_of(
        MONTH, [ONE], declared((Kind.CUSTOMER, "fleet", moved, at)), at=LATER
    ).buyer == (moved)
    gone = order_of(MONTH, [ONE], declared((Kind.CUSTOMER, "fleet", None, at)), at=LATER).buyer
    assert gone == THINGS[Kind.CUSTOMER, "fleet"]
    bearer = rated(session(token_uid="nobody-1"))
    assert order(bearer).buyer is None


def test_an_invoice_is_for_a_month_or_for_one_session() -> None:
    of_month = cause_of_month(
        legal_entity="depot", customer="fleet", currency="EUR", month="2026-11"
    )

    assert of_month == MONTH
    assert order(ONE, cause=of_month).month == "2026-11"
    assert order(ONE, cause=cause_of_session(ONE.decides)).month is None
    assert cause_of_session(SessionRevision("a", 1)) == "session:a"
    assert cause_of_session(SessionRevision("a", 2)) == "session:a/2"


def test_the_day_of_an_invoice_is_that_of_its_seller() -> None:
    eleven_at_night = datetime.fromisoformat("2026-11-30T23:00:00+00:00")

    assert order(ONE, at=eleven_at_night).date_wished() == date(2026, 12, 1)
    before = eleven_at_night - timedelta(microseconds=1)
    assert order(ONE, at=before).date_wished() == date(2026, 11, 30)


def test_an_order_records_what_it_was_made_with() -> None:
    made = order(ONE)

    assert (made.recorded_at, made.declared_version) == (LATER, declared().version)
    assert (made.currency, made.legal_entity, made.payer) == ("EUR", "depot", ONE.payer)


def entity() -> LegalEntity:
    found = THINGS[Kind.LEGAL_ENTITY, "depot"]
    assert isinstance(found, LegalEntity)
    return found
