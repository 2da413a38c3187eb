"""What a mail with a document says, in its reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from projections.documents.delivery.parcel import Parcel
from projections.documents.kinds import DocumentKind
from projections.documents.languages.language import language_of

SUBJECTS: Final[Mapping[DocumentKind, str]] = {
    DocumentKind.INVOICE: "Your invoice {number}",
    DocumentKind.CREDIT_NOTE: "Your credit note {number}",
    DocumentKind.RECEIPT: "Your receipt {number}",
}


def letter(parcel: Parcel, link: str | None) -> tuple[str, str]:
    """Return the subject and the text of the mail with *parcel*; *link* None: it is attached."""
    language = language_of(parcel.kept.language)
    where = (
        language.text("Your document is attached.")
        if link is None
        else language.text("Your document is here: {link}", link=link)
    )
    parting = f"{language.text('Kind regards')}\n{parcel.document.seller.name}"
    text = "\n\n".join([language.text("Good day,"), where, parting])
    return language.text(SUBJECTS[parcel.kept.kind], number=parcel.kept.number), f"{text}\n"
