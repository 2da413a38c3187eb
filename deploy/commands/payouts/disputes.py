"""`wattledger payments disputes`: what payers' banks took back."""

from __future__ import annotations

from typing import Annotated, Final

from cyclopts import Parameter

from deploy.commands.closing.gathering import LegalEntity
from deploy.commands.data_folder import READ_FOLDER, Limit, ReadingFolder
from deploy.output import print_json, print_rows
from deploy.running.opening import opened

COLUMNS: Final = {
    "dispute": "left",
    "made": "left",
    "status": "left",
    "for": "left",
    "amount": "right",
    "taken": "right",
    "fee": "right",
    "given back": "right",
    "reason": "left",
    "what to do": "left",
}


def disputes(
    *,
    is_open: Annotated[bool, Parameter(name="--open", negative=())] = False,
    legal_entity: LegalEntity = None,
    limit: Limit = 50,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """List disputes, the newest first: what payers' banks took back, and what to do.

    Args:
        is_open: Only those that are not settled, inquiries among them.
        legal_entity: Only this one's.
        limit: At most so many.
        folder: Where.
    """
    from projections.invoice_list import amount
    from projections.payments.dispute_list import TO_DO, list_disputes

    with opened(folder.settings()) as connection:
        found = list_disputes(connection, legal_entity=legal_entity, is_open=is_open, limit=limit)
    if folder.json:
        print_json(found)
        return 0
    rows = [
        (
            each.dispute_id,
            f"{each.created_at:%Y-%m-%d}",
            each.status,
            ", ".join(each.documents) or each.intent_id,
            amount(each.amount_minor, each.currency),
            amount(each.taken_minor, each.currency),
            amount(each.fee_minor, each.currency),
            amount(each.given_back_minor, each.currency),
            each.reason.replace("_", " "),
            TO_DO[each.status],
        )
        for each in found
    ]
    print_rows("Disputes", COLUMNS, rows)
    return 0
