"""`wattledger payouts unmatched|match`: money at a provider that nothing of ours explains."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from deploy.commands.closing.gathering import LegalEntity
from deploy.commands.data_folder import PLAIN, READ_FOLDER, Limit, ReadingFolder
from deploy.commands.users.acting import acting
from deploy.output import print_json, print_rows, say
from deploy.running.opening import opened

NUMBER_MAX: Final = 2**63 - 1
COLUMNS: Final = {
    "movement": "right",
    "moved": "left",
    "what": "left",
    "about": "left",
    "unmatched": "right",
}


def unmatched(
    *,
    legal_entity: LegalEntity = None,
    limit: Limit = 50,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """List money at a payment provider that nothing of ours explains, the oldest first.

    Above 0 it came, below 0 it went or is missing. What statements of banks show is listed by
    `payments unmatched`. Exits 1 while there is any.

    Args:
        legal_entity: Only this one's.
        limit: At most so many.
        folder: Where.
    """
    from ledger.payments.payouts.unmatched import unmatched_money
    from projections.invoice_list import amount

    with opened(folder.settings()) as connection:
        found = unmatched_money(
            connection, legal_entity=legal_entity, at_providers=True, limit=limit
        )
    if folder.json:
        print_json([each._asdict() for each in found])
    else:
        rows = [
            (
                each.number,
                f"{each.happened_at:%Y-%m-%d}",
                f"{each.kind.replace('_', ' ')} {each.reference}",
                each.about,
                amount(each.left_minor, each.currency),
            )
            for each in found
        ]
        print_rows("Money at providers that nothing explains", COLUMNS, rows)
    return 1 if found else 0


def match(
    movement: Annotated[int, Parameter(validator=Number(gte=1, lte=NUMBER_MAX))],
    invoice: str | None = None,
    /,
    *,
    account: str | None = None,
    amount: Annotated[Decimal | None, PLAIN] = None,
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Say what money at a provider was for; above an amount two persons say the same.

    Args:
        movement: The movement's number.
        invoice: The invoice that it was for, or that it gave back.
        account: Else an account, as fees:stripe or costs:disputes.
        amount: How much of it, without a sign (default: as much as can be).
        by: Who says so (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.desk.paying.explaining import MoneyWish, explain_money
    from projections.invoice_list import amount as words

    wish = MoneyWish(movement, invoice, account, amount)
    with opened(folder.settings()) as connection:
        done = explain_money(connection, wish, by=acting(by), at=SystemClock().now())
    to = done.allotment
    if folder.json:
        print_json({**done._asdict(), "allotment": to._asdict()})
        return 0
    said = (
        f"{words(to.minor, done.currency)} of movement {movement} for {to.document or to.account}"
    )
    if done.waits:
        say(f"proposed: {said}; another person says the same to book it")
    else:
        say(f"{said}; {words(done.left_minor, done.currency)} of it is unmatched")
    return 0
