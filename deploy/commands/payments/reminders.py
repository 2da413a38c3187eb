"""`wattledger payments reminders`: who was reminded of what."""

from __future__ import annotations

from typing import Annotated, Final

from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, Limit, ReadingFolder
from deploy.output import print_json, print_rows
from deploy.running.opening import opened

COLUMNS: Final = {
    "invoice": "left",
    "reminder": "right",
    "of": "left",
    "due": "left",
    "reminded": "left",
    "open now": "right",
    "way": "left",
    "delivery": "left",
}


def reminders(
    *,
    open_only: Annotated[bool, Parameter(name="--open", negative=())] = False,
    limit: Limit = 50,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """List who was reminded of which invoice, and by which way, the newest first.

    Args:
        open_only: Only of invoices that are open still.
        limit: At most so many.
        folder: Where.
    """
    from projections.invoice_list import amount
    from projections.payments.reminder_list import list_reminders

    with opened(folder.settings()) as connection:
        found = list_reminders(connection, limit=limit, only_open=open_only)
    if folder.json:
        print_json({"reminders": found})
        return 0
    rows = [
        (
            each.invoice,
            each.level,
            each.customer,
            f"{each.due_on}",
            f"{each.decided_at:%Y-%m-%d}",
            amount(each.open_minor, each.currency),
            each.way or "none",
            each.delivery or "",
        )
        for each in found
    ]
    print_rows("Reminders", COLUMNS, rows)
    return 0
