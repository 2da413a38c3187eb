"""`wattledger payments withdraw`: what waits for a second person about money, taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from deploy.commands.crediting.chosen import Reason, said_withdrawn
from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.commands.users.acting import acting
from deploy.errors import DeployError
from deploy.running.opening import opened

if TYPE_CHECKING:
    from psycopg import Connection

    from ledger.desk.withdrawing.withdrawn import Withdrawal

_NUMBER_MAX: Final = 2**63 - 1


class NoCustomerNamedError(DeployError):
    """A pay-back is named by its reference and its customer."""

    def __init__(self) -> None:
        super().__init__("say whose balance it is of: --customer")


def withdraw(
    what: Literal["line", "payment", "refund", "pay-back"],
    key: str,
    /,
    *,
    reason: Reason,
    customer: str | None = None,
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Take back what one person proposed about money and no other agreed to yet.

    Nothing is booked by it; who proposed, who took it back and why stay on record.

    Args:
        what: A bank's line, a payment at a provider, the refund of an invoice, or the pay-back of
            a prepaid balance.
        key: The line's name, the payment's number, the invoice's, or the pay-back's reference.
        reason: Why it is withdrawn.
        customer: Of a pay-back: the customer's key.
        by: Who withdraws it (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.desk.paying.giving_back import withdraw_refund
    from ledger.desk.paying.raising_balances import withdraw_pay_back
    from ledger.desk.withdrawing.withdrawn import Withdrawal

    with opened(folder.settings()) as connection:
        how = Withdrawal(acting(by), reason.strip(), SystemClock().now())
        if what == "line":
            _of_line(connection, key, how)
        elif what == "payment":
            _of_payment(connection, key, how)
        elif what == "refund":
            withdraw_refund(connection, key, how)
        elif customer is None:
            raise NoCustomerNamedError
        else:
            withdraw_pay_back(connection, customer, key, how)
    return said_withdrawn(key, is_json=folder.json)


def _of_line(connection: Connection[Any], name: str, how: Withdrawal) -> None:
    from ledger.desk.paying.match_plans import UnknownBankLineError
    from ledger.desk.paying.matching import withdraw_proposed_match
    from ledger.payments.bank.lines import find_line

    line = find_line(connection, name)
    if line is None:
        raise UnknownBankLineError(name)
    withdraw_proposed_match(connection, line, how)


def _of_payment(connection: Connection[Any], text: str, how: Withdrawal) -> None:
    from ledger.desk.paying.explaining import withdraw_proposed_money
    from ledger.desk.withdrawing.withdrawn import NotProposedError
    from ledger.payments.recording import movements

    number = int(text) if text.isascii() and text.isdecimal() else 0
    found = movements(connection, [number]) if 0 < number <= _NUMBER_MAX else []
    if not found:
        raise NotProposedError(text[:60])
    withdraw_proposed_money(connection, number, found[0].currency, how)
