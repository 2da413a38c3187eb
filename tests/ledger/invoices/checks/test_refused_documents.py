"""A document that is refused takes no number, nobody waits for it; it comes once repaired."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from ledger.database import connect
from ledger.declared.declarations import BEGINNING, Declarations, Kind
from ledger.invoices.checks.refusal import CheckMissingError, DocumentRefusedError
from ledger.invoices.document import InvoiceDocument, read_document
from ledger.invoices.invoice import Invoice
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.invoices.order import InvoiceOrder, cause_of_session, order_of
from ledger.master_data.customers import Customer
from ledger.master_data.legal_entities import LegalEntity
from ledger.rating.decisions import SessionRated
from tariffs.phrases.phrase import phrase
from tests.depot import NOON, THINGS, declared, keep_decisions, rated, session

LATER = NOON + timedelta(hours=2)
DECLARED = declared()
MISSING = "the rules of EN 16931 are not there"


class Judge:
    """A check that refuses who is on its list, and counts what it was shown."""

    def __init__(self) -> None:
        self.refuses: set[str] = set()
        self.shown: list[str] = []
        self.is_missing = False

    def __call__(self, document: InvoiceDocument, sessions: Sequence[SessionRated], /) -> None:
        if self.is_missing:
            raise CheckMissingError(MISSING)
        self.shown.append(document.number)
        if self.refuses & {each.session_id for each in sessions}:
            raise DocumentRefusedError([phrase("seller_without_name")])


@pytest.fixture
def judge() -> Judge:
    return Judge()


@pytest.fixture
def issuer(database: str, judge: Judge) -> Iterator[InvoiceIssuer]:
    with InvoiceIssuer(database, judge) as application:
        yield application


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database) as opened:
        yield opened


def of_the_depot(**changed: object) -> Declarations:
    seller = THINGS[(Kind.LEGAL_ENTITY, "depot")]
    assert isinstance(seller, LegalEntity)
    return declared((Kind.LEGAL_ENTITY, "depot", replace(seller, **changed), BEGINNING))


def orders(*sessions: SessionRated) -> list[InvoiceOrder]:
    return [
        order_of(cause_of_session(each.decides), [each], DECLARED, at=NOON) for each in sessions
    ]


def three(connection: psycopg.Connection[Any]) -> list[SessionRated]:
    sessions = [rated(session(number), DECLARED) for number in (1, 2, 3)]
    keep_decisions(connection, sessions)
    return sessions


def test_a_wrong_vat_id_stops_the_invoice_and_leaves_no_gap(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    three(connection)
    told: dict[str, str] = {}

    miscopied = of_the_depot(vat_id="DE136695978")
    nothing = issue_due(
        connection, issuer, miscopied, up_to=LATER, told=lambda c, w: told.update({c: str(w)})
    )
    numbers = issue_due(connection, issuer, DECLARED, up_to=LATER)

    assert nothing == ()
    assert len(told) == 3
    [why] = set(told.values())
    assert why == (
        "The check digits of the seller's (Depot GmbH) vat_id DE136695978 are wrong. "
        "Declare it with `wattledger apply`, and the document is issued."
    )
    assert numbers == ("WL-2026-000001", "WL-2026-000002", "WL-2026-000003")


def test_of_a_batch_only_the_refused_one_waits_and_takes_the_next_number_once_repaired(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer, judge: Judge
) -> None:
    sessions = three(connection)
    judge.refuses = {sessions[1].session_id}
    told: list[str] = []

    first = issue_due(
        connection, issuer, DECLARED, up_to=LATER, told=lambda cause, _: told.append(cause)
    )
    judge.refuses = set()
    customer = replace(THINGS[(Kind.CUSTOMER, "anna")], details="Anna Arndt, married Beck")
    assert isinstance(customer, Customer)
    repaired = declared((Kind.CUSTOMER, "anna", customer, BEGINNING))
    later = issue_due(connection, issuer, repaired, up_to=LATER)

    assert first == ("WL-2026-000001", "WL-2026-000002")
    assert told == [cause_of_session(sessions[1].decides)]
    assert later == ("WL-2026-000003",)
    places = [(invoice.place, invoice.session_ids) for _, invoice in issuer.invoices()]
    assert places == [
        (1, ["ST-1/1/20261110T120000Z"]),
        (2, ["ST-1/3/20261110T120000Z"]),
        (3, ["ST-1/2/20261110T120000Z"]),
    ]


def test_a_broken_sum_is_refused_without_anybody_who_told_it(issuer: InvoiceIssuer) -> None:
    one = rated(session(1), DECLARED)
    [line] = one.lines
    [order] = orders(replace(one, lines=(replace(line, net_minor=401),), net_minor=401))

    with pytest.raises(DocumentRefusedError) as refused:
        issuer.issue(order)

    assert refused.value.problems == (
        phrase("line_wrongly_rounded", line=1, session=one.session_id),
        phrase("session_wrongly_rounded", session=one.session_id),
    )
    assert issuer.find(order.cause) is None
    assert issuer.series(legal_entity="depot", year=2026, kind="invoices") is None


def test_a_missing_validator_stops_all_issuing_and_leaves_no_gap(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer, judge: Judge
) -> None:
    three(connection)
    judge.is_missing = True
    told: list[str] = []

    with pytest.raises(CheckMissingError, match=MISSING):
        issue_due(
            connection, issuer, DECLARED, up_to=LATER, told=lambda cause, _: told.append(cause)
        )
    judge.is_missing = False
    numbers = issue_due(connection, issuer, DECLARED, up_to=LATER)

    assert told == []
    assert numbers == ("WL-2026-000001", "WL-2026-000002", "WL-2026-000003")


def test_what_is_the_same_is_looked_at_once_and_what_has_another_number_again(
    database: str, issuer: InvoiceIssuer, judge: Judge
) -> None:
    """A rival takes a number of one of two sellers between our look and our save."""
    of_depot, of_quay = orders(*(rated(session(number), DECLARED) for number in (1, 2)))
    quay = replace(of_quay.seller, invoice_prefix="QU")
    mine = [of_depot, replace(of_quay, legal_entity="quay", seller=quay)]
    [other] = orders(rated(session(3), DECLARED))

    class Overtaken(InvoiceIssuer):
        name = "invoices"

        def save(self, *objects: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the library's
            with InvoiceIssuer(database) as rival:
                if rival.find(other.cause) is None:
                    rival.issue(other)
            return super().save(*objects, **kwargs)

    with Overtaken(database, judge) as overtaken:
        overtaken.issue_all(mine)

    assert judge.shown == ["WL-2026-000001", "QU-2026-000001", "WL-2026-000002"]
    numbers = [read_document(each.document).number for _, each in issuer.invoices()]
    assert numbers == ["WL-2026-000001", "WL-2026-000002", "QU-2026-000001"]


def test_what_was_refused_is_not_looked_at_again_until_its_content_changes(
    issuer: InvoiceIssuer, judge: Judge
) -> None:
    one, two = rated(session(1), DECLARED), rated(session(2), DECLARED)
    judge.refuses = {one.session_id}
    refused: list[str] = []

    for order in (*orders(one, two), *orders(one)):
        issuer.issue_all([order], told=lambda cause, _: refused.append(cause))

    assert len(refused) == 2
    assert judge.shown == ["WL-2026-000001", "WL-2026-000001"]
    assert isinstance(issuer.find(cause_of_session(two.decides)), Invoice)
