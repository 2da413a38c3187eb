"""Nothing is issued whose electronic invoice the official rules refuse, or nobody can judge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from msgspec.structs import replace

from ledger.database import connect
from ledger.invoices.checks.refusal import CheckMissingError, DocumentRefusedError
from ledger.invoices.document import InvoiceDocument, document_of
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.invoices.order import order_of
from ledger.master_data.customers import Delivery
from ledger.rating.decisions import SessionRated
from projections.documents.electronic.official.official_rules import OfficialRules
from projections.documents.electronic.official.validator import Validator
from projections.documents.electronic.problems import ValidatorMissingError
from projections.documents.keeping.electronic_check import ElectronicCheck
from tests.depot import NOON, keep_decisions, rated, session
from tests.projections.documents.issued_documents import operator, rows


class GoneRules(OfficialRules):
    """Rules of a package that is not installed."""

    def __init__(self) -> None:
        why = "the package is not installed"
        raise ValidatorMissingError(why)


@pytest.fixture
def check(database: str) -> Iterator[ElectronicCheck]:
    with closing(ElectronicCheck(database)) as opened:
        yield opened


@pytest.fixture
def about_to_be_issued(database: str) -> tuple[InvoiceDocument, list[SessionRated]]:
    declarations = operator(database, {"ada": Delivery.NONE})
    sessions = [rated(session(1, token_uid="ada-1"), declarations)]
    order = order_of("session:1", sessions, declarations, at=NOON)
    document = document_of(order, number="WL-2026-000001", issued_on=NOON.date())
    return document, sessions


def test_a_document_that_the_rules_have_nothing_against_passes(
    check: ElectronicCheck, about_to_be_issued: tuple[InvoiceDocument, list[SessionRated]]
) -> None:
    check(*about_to_be_issued)


def test_one_that_breaks_rules_is_refused_with_them(
    check: ElectronicCheck, about_to_be_issued: tuple[InvoiceDocument, list[SessionRated]]
) -> None:
    document, sessions = about_to_be_issued
    nameless = replace(document, seller=replace(document.seller, name=""))

    with pytest.raises(DocumentRefusedError, match="EN 16931") as refused:
        check(nameless, sessions)

    assert {each.code for each in refused.value.problems} == {"official_rule_broken"}


def test_one_whose_taxes_are_no_vat_has_nothing_that_could_be_judged(
    database: str, about_to_be_issued: tuple[InvoiceDocument, list[SessionRated]]
) -> None:
    document, sessions = about_to_be_issued
    american = replace(
        document, taxes=tuple(replace(each, country="US") for each in document.taxes)
    )

    with closing(ElectronicCheck(database, Validator(rules=GoneRules))) as closed:
        closed(american, sessions)
        with pytest.raises(CheckMissingError):
            closed(document, sessions)


def test_where_nobody_can_judge_nothing_is_issued_and_no_number_is_taken(database: str) -> None:
    declarations = operator(database, {"ada": Delivery.NONE})
    with (
        closing(ElectronicCheck(database, Validator(rules=GoneRules))) as closed,
        connect(database) as connection,
    ):
        keep_decisions(connection, [rated(session(1, token_uid="ada-1"), declarations)])
        up_to = NOON.replace(hour=20)
        with InvoiceIssuer(database, closed) as issuer, pytest.raises(CheckMissingError):
            issue_due(connection, issuer, declarations, up_to=up_to)
        assert rows(database, "SELECT count(*) FROM issued_invoice") == [(0,)]

        with (
            closing(ElectronicCheck(database)) as check,
            InvoiceIssuer(database, check) as issuer,
        ):
            issued = issue_due(connection, issuer, declarations, up_to=up_to)
    assert issued == ("WL-2026-000001",)
