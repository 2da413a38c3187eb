"""The mail with a document speaks its reader's language."""

from __future__ import annotations

from contextlib import closing

import pytest

from ledger.database import connect
from ledger.master_data.customers import Delivery
from projections.documents.delivery.letter import SUBJECTS, letter
from projections.documents.delivery.outbox import claim_delivery
from projections.documents.delivery.parcel import Parcel, reader_of
from projections.documents.keeping.issued import read_issued
from projections.documents.keeping.keeper import DocumentKeeper
from projections.documents.keeping.kept import read_kept
from projections.documents.kinds import DocumentKind
from projections.documents.languages.language import LANGUAGES, language_of
from tests.projections.documents.issued_documents import issue, operator, render_plainly

SENTENCES = (
    *SUBJECTS.values(),
    "Good day,",
    "Your document is attached.",
    "Your document is here: {link}",
    "Kind regards",
)


def parcel_of(dsn: str, language: str) -> Parcel:
    [number] = issue(dsn, operator(dsn, {"ada": Delivery.EMAIL}, language=language), ["ada-1"])
    with closing(DocumentKeeper(dsn, render_plainly)) as keeper:
        keeper.run_once()
    with connect(dsn) as connection:
        attempt = claim_delivery(connection)
        document = read_issued(connection, number).document
        reader = reader_of(connection, document)
        assert attempt is not None
        assert reader is not None
        kept = read_kept(connection, number)
    return Parcel(attempt=attempt, kept=kept, document=document, reader=reader)


def test_a_mail_in_german_says_where_the_document_is(database: str) -> None:
    parcel = parcel_of(database, "de-AT")
    number = parcel.kept.number

    assert letter(parcel, None) == (
        f"Ihre Rechnung {number}",
        (
            "Guten Tag,\n\nIhr Beleg ist dieser E-Mail angehängt.\n\n"
            "Mit freundlichen Grüßen\nDepot GmbH\n"
        ),
    )
    assert "finden Sie hier: https://there/x\n" in letter(parcel, "https://there/x")[1]


def test_each_kind_of_document_has_its_name() -> None:
    assert SUBJECTS.keys() == set(DocumentKind)


@pytest.mark.parametrize("tag", [tag for tag in LANGUAGES if not tag.startswith("en")])
@pytest.mark.parametrize("sentence", SENTENCES)
def test_each_language_has_each_sentence(tag: str, sentence: str) -> None:
    assert language_of(tag).text(sentence) != sentence
