"""`wattledger payment`: a payment at a terminal, by the receipt that we numbered."""

from __future__ import annotations

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.errors import DeployError
from deploy.output import print_json, say, shown
from deploy.running.opening import opened


class UnknownReceiptError(DeployError):
    """We gave no such receipt number."""

    def __init__(self, receipt: str) -> None:
        self.receipt = receipt
        super().__init__(
            f"no payment has the receipt {receipt}: ours are called R-812; what a terminal "
            "numbered itself stands with its session (wattledger explain)"
        )


def payment(receipt: str, *, folder: ReadingFolder = READ_FOLDER) -> int:
    """Show the payment whose receipt we numbered: where it was, what its terminal said, for what.

    Args:
        receipt: The receipt's id, as the driver has it.
        folder: Where.
    """
    from projections.audit.payments import payment_of_receipt

    with opened(folder.settings()) as connection:
        found = payment_of_receipt(connection, receipt)
    if found is None:
        raise UnknownReceiptError(receipt)
    if folder.json:
        print_json(found)
        return 0
    told = found.payment
    say(
        f"receipt      {found.receipt_id}, given {shown(found.given_at)}",
        f"station      {found.station}",
        f"transaction  {shown(found.transaction_id)}",
        f"sessions     {shown(found.sessions)}",
        f"amount       {shown(told and told.amount)}",
        f"settled      {shown(told and told.settled_at)}",
        f"reference    {shown(told and told.psp_ref)}",
    )
    return 0
