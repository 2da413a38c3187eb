"""`wattledger invoice`: one invoice, as it was issued."""

from __future__ import annotations

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.output import print_json
from deploy.running.opening import opened


def show(number: str, *, folder: ReadingFolder = READ_FOLDER) -> int:
    """Show one invoice as it was issued. Times are local to the site.

    It is kept without names; who was erased since is a subject id here.

    Args:
        number: The invoice's number.
        folder: Where.
    """
    from deploy.commands.books.invoice_text import print_document
    from ledger.persons.store import names_in
    from projections.audit.trail import show_invoice

    with opened(folder.settings()) as connection:
        document = show_invoice(connection, number)
        names = names_in(connection, document)
    if folder.json:
        print_json(document, names=names)
        return 0
    print_document(document, names)
    return 0
