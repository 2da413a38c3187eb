"""What is stored of a day is codes and data: no decision and no document holds a sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ledger.invoices.issuer import InvoiceIssuer
from tests.charging_day import choose
from tests.projections.books_of_a_day import ask, books_of_a_day, go_on, unpacked

PERSONS = {"release", "by", "reason"}
"""What a person wrote is data; it stays as it is."""


@pytest.fixture
def books(database: str) -> str:
    dsn = books_of_a_day(database)
    go_on(dsn, [choose("CS-OLD-2/22/20260302T082000Z", "release", 300)])
    return dsn


def sentences_in(value: Any) -> set[str]:  # noqa: ANN401 - JSON is anything
    """Return every text of more than one word in JSON that is not a person's own."""
    if isinstance(value, dict):
        values = [each for key, each in value.items() if key not in PERSONS]
        return set().union(*map(sentences_in, values))
    if isinstance(value, list):
        return set().union(*map(sentences_in, value))
    return {value} if isinstance(value, str) and " " in value else set()


def test_no_decision_and_no_document_holds_a_sentence(books: str) -> None:
    with ask(books) as connection:
        kinds = {kind for (kind,) in connection.execute("SELECT kind FROM session_decision")}
        bodies = connection.execute("SELECT body FROM session_decision").fetchall()
        declared = connection.execute("SELECT body FROM declaration").fetchall()
        issuer = InvoiceIssuer(connection.info.dsn)
    documents = [invoice.document for _, invoice in issuer.invoices()]
    issuer.close()

    assert {"rated", "held"} <= kinds
    assert documents != []
    data = sentences_in([json.loads(str(body)) for (body,) in declared])
    said = sentences_in([json.loads(unpacked(body)) for (body,) in bodies])
    said |= sentences_in([json.loads(document) for document in documents])
    assert said - data == set()
