"""`wattledger invoices`: what was billed."""

from __future__ import annotations

from deploy.commands.data_folder import READ_FOLDER, Limit, ReadingFolder
from deploy.errors import DeployError
from deploy.output import print_json, print_rows, say
from deploy.running.opening import opened

COLUMNS = {
    "invoice": "left",
    "date": "left",
    "customer": "left",
    "sessions": "right",
    "net": "right",
    "tax": "right",
    "total": "right",
    "open": "right",
    "credits": "left",
}


REFUSED_COLUMNS = {"document": "left", "since": "left", "why": "left"}


def listed(
    *,
    customer: str | None = None,
    refused: bool = False,
    limit: Limit = 50,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """List issued invoices and credit notes, the newest first.

    Args:
        customer: Only this customer's.
        refused: Those that are due and cannot be issued instead, each with why; what was declared
            wrongly is declared anew, and they are issued.
        limit: At most so many.
        folder: Where.
    """
    from projections.invoice_list import amount, list_invoices

    if refused and customer is not None:
        message = "--refused lists everybody's documents: leave --customer out"
        raise DeployError(message)
    if refused:
        return _refused(limit, folder)
    with opened(folder.settings()) as connection:
        invoices = list_invoices(connection, customer=customer, limit=limit)
    if folder.json:
        print_json(invoices)
        return 0
    rows = [
        (
            each.number,
            each.issued_on,
            each.customer or "(bearer)",
            each.sessions,
            amount(sign * each.net_minor, each.currency),
            amount(sign * each.tax_minor, each.currency),
            amount(sign * each.due_minor, each.currency),
            "" if each.credits else amount(each.open_minor, each.currency),
            each.credits or "",
        )
        for each in invoices
        for sign in [1 if each.credits is None else -1]
    ]
    print_rows("Invoices", COLUMNS, rows)
    if not rows:
        say(
            "A session is invoiced once it is rated, and only if it costs anything; for customers "
            "invoiced per month, after the month. See: wattledger sessions"
        )
    return 0


def _refused(limit: int, folder: ReadingFolder) -> int:
    """List what is due and cannot be issued, the longest known first."""
    from ledger.invoices.refusals.refused import refused_documents
    from ledger.persons.store import names_in, readable

    with opened(folder.settings()) as connection:
        found = refused_documents(connection, limit=limit)
        names = names_in(connection, found)
    found = tuple(
        each._replace(cause=readable(each.cause, names), why=readable(each.why, names))
        for each in found
    )
    if folder.json:
        print_json([each._asdict() for each in found])
        return 0
    rows = [(each.cause, f"{each.since:%Y-%m-%d %H:%M}", each.why) for each in found]
    print_rows("Documents that cannot be issued", REFUSED_COLUMNS, rows)
    if not rows:
        say("Everything that is due can be issued.")
    return 0
