"""`wattledger invoice`: one invoice, as it was issued."""

from __future__ import annotations

from msgspec import structs

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.output import print_json
from deploy.running.opening import opened


def show(number: str, *, folder: ReadingFolder = READ_FOLDER) -> int:
    """Show one invoice as it was issued. Times are local to the site.

    Below stands what was paid for it since, which changes nothing of it. It is kept without names;
    who was erased since is a subject id here.

    Args:
        number: The invoice's number.
        folder: Where.
    """
    from deploy.commands.books.invoice_text import print_document, print_payments
    from ledger.persons.store import spelt_in
    from projections.audit.shown_documents import show_invoice
    from projections.documents.paid import payments_of

    with opened(folder.settings()) as connection:
        document = show_invoice(connection, number)
        payments = payments_of(connection, number)
        names = spelt_in(connection, document)
    if folder.json:
        print_json({**structs.asdict(document), "payments": payments}, names=names)
        return 0
    print_document(document, names)
    if payments is not None:
        print_payments(payments, document.currency)
    return 0
