"""`wattledger invoices`: what was billed."""

from __future__ import annotations

from deploy.commands.data_folder import READ_FOLDER, Limit, ReadingFolder
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
    "credits": "left",
}


def listed(
    *, customer: str | None = None, limit: Limit = 50, folder: ReadingFolder = READ_FOLDER
) -> int:
    """List issued invoices and credit notes, the newest first.

    Args:
        customer: Only this customer's.
        limit: At most so many.
        folder: Where.
    """
    from projections.invoice_list import amount, list_invoices

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
