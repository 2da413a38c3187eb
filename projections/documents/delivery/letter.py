"""What a mail with a document says, in its reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ledger.payments.bank.creditor_references import creditor_reference, in_groups
from projections.documents.delivery.parcel import DueReminder, Parcel
from projections.documents.kinds import DocumentKind
from projections.documents.languages.language import language_of
from tariffs.phrases.printable import printable

SUBJECTS: Final[Mapping[DocumentKind, str]] = {
    DocumentKind.INVOICE: "Your invoice {number}",
    DocumentKind.CREDIT_NOTE: "Your credit note {number}",
    DocumentKind.RECEIPT: "Your receipt {number}",
}


def letter(parcel: Parcel, link: str | None) -> tuple[str, str]:
    """Return the subject and the text of the mail with *parcel*; *link* None: it is attached."""
    if parcel.reminder is not None:
        return reminding(parcel, parcel.reminder, link)
    language = language_of(parcel.kept.language)
    where = (
        language.text("Your document is attached.")
        if link is None
        else language.text("Your document is here: {link}", link=link)
    )
    parting = f"{language.text('Kind regards')}\n{printable(parcel.document.seller.name)}"
    text = "\n\n".join([language.text("Good day,"), where, parting])
    return language.text(SUBJECTS[parcel.kept.kind], number=parcel.kept.number), f"{text}\n"


def reminding(parcel: Parcel, reminder: DueReminder, link: str | None = None) -> tuple[str, str]:
    """Return the subject and the text that remind a payer; *link*: where the invoice is."""
    language = language_of(parcel.kept.language)
    number, reference = parcel.kept.number, creditor_reference(parcel.kept.number)
    said = [
        language.text("Good day,"),
        language.text(
            "Your invoice {number} was due on {day}, and {amount} are still open.",
            number=number,
            day=language.day(reminder.due_on),
            amount=language.money(reminder.open_minor, reminder.currency),
        ),
        language.text(
            "Please give this reference with your transfer: {reference}",
            reference=number if reference is None else in_groups(reference),
        ),
        language.text("If you have paid meanwhile, there is nothing left to do."),
    ]
    if link is not None:
        said.append(language.text("Your document is here: {link}", link=link))
    said.append(f"{language.text('Kind regards')}\n{printable(parcel.document.seller.name)}")
    return language.text("Reminder of invoice {number}", number=number), "\n\n".join(said) + "\n"
