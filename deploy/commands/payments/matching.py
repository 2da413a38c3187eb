"""`wattledger payments unmatched|match|unmatch|return`: lines that wait for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from deploy.commands.data_folder import READ_FOLDER, Limit, ReadingFolder
from deploy.commands.users.acting import acting
from deploy.output import print_json, print_rows, say
from deploy.running.opening import opened

if TYPE_CHECKING:
    from ledger.desk.paying.match_plans import MatchWish
    from ledger.desk.paying.matching import DecidedMatch
    from ledger.payments.bank.proposals import WaitingLine

COLUMNS: Final = {
    "line": "left",
    "day": "left",
    "waits": "right",
    "why": "left",
    "says": "left",
    "may be for": "left",
}
_ERASED: Final = "(erased)"


def unmatched(*, limit: Limit = 50, folder: ReadingFolder = READ_FOLDER) -> int:
    """List the lines of bank statements that wait for a decision, the oldest first.

    With what the payer wrote, why nothing was sure, and what it may be for: its number is named,
    something is alike to it, or its amount is that of a payout.

    Args:
        limit: At most so many.
        folder: Where.
    """
    from ledger.declared.store import load_declarations
    from ledger.payments.bank.proposals import work_list

    with opened(folder.settings()) as connection:
        found = work_list(connection, load_declarations(connection), limit)
    if folder.json:
        print_json({"lines": [_shown(each) for each in found]})
        return 0
    print_rows("To decide", COLUMNS, [_row(each) for each in found])
    say(f"{len(found)} lines wait" if found else "nothing waits")
    return 0


def match(
    line: str,
    /,
    *documents: str,
    balance: str | None = None,
    account: str | None = None,
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Say what a line of a bank statement is for; above an amount two persons say the same.

    Documents are invoices, credit notes, settlements with partners and payouts: each takes what is
    open of it, or so much. The rest goes to a balance or an account, or stays on the work list.
    The policy's `payment_approval_above` says above which amount a second person is asked.

    Args:
        line: The line, as `payments unmatched` names it.
        documents: NUMBER, or NUMBER:AMOUNT.
        balance: The key of the customer whose prepaid balance gets the rest.
        account: The account of costs or income that gets the rest, as fees:bank.
        by: Who decides (default: your login).
        folder: Where.
    """
    from ledger.desk.paying.match_plans import MatchWish, parse_documents

    named = parse_documents(documents)
    return _decided(MatchWish(line, named, balance, account), by, folder)


def give_back(line: str, /, *, by: str | None = None, folder: ReadingFolder = READ_FOLDER) -> int:
    """Say that what waits of a line is to be sent back to its payer.

    It is owed from then on (payable:returns) until a statement shows that it went: have your bank
    write the line's name in the transfer, and the two are matched.

    Args:
        line: The line, as `payments unmatched` names it.
        by: Who decides (default: your login).
        folder: Where.
    """
    from ledger.desk.paying.match_plans import MatchWish

    return _decided(MatchWish(line, is_returned=True), by, folder)


def unmatch(line: str, /, *, by: str | None = None, folder: ReadingFolder = READ_FOLDER) -> int:
    """Take back all that a line was matched with: it waits for a decision again.

    Nothing is changed: the opposite is booked. A balance that it went to must still have it.

    Args:
        line: The line.
        by: Who decides (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.desk.paying.matching import undo_match

    with opened(folder.settings()) as connection:
        done = undo_match(connection, line, by=acting(by), at=SystemClock().now())
    return _told(done, folder)


def _decided(wish: MatchWish, by: str | None, folder: ReadingFolder) -> int:
    from deploy.clock import SystemClock
    from ledger.desk.paying.matching import match_line

    with opened(folder.settings()) as connection:
        done = match_line(connection, wish, by=acting(by), at=SystemClock().now())
    return _told(done, folder)


def _told(done: DecidedMatch, folder: ReadingFolder) -> int:
    from projections.invoice_list import amount

    if folder.json:
        print_json(
            {
                "line": done.line,
                "currency": done.currency,
                "waits": done.waits,
                "left_minor": done.left_minor,
                "allotments": [each._asdict() for each in done.match.allotments],
            }
        )
        return 0
    for each in done.match.allotments:
        words = amount(each.minor, done.currency)
        say(f"{'would go' if done.waits else 'went'} to {each.document or each.account}: {words}")
    if done.waits:
        say("it is above payment_approval_above: another person says the same, then it is booked")
    elif done.left_minor:
        say(f"{amount(done.left_minor, done.currency)} of {done.line} wait for a decision")
    return 0


def _shown(waiting: WaitingLine) -> dict[str, Any]:
    line, details = waiting.line, waiting.details
    return {
        "line": line.line,
        "source": line.source,
        "legal_entity": line.legal_entity,
        "currency": line.currency,
        "amount_minor": line.amount_minor,
        "left_minor": line.left_minor,
        "booked_on": line.booked_on,
        "reason": line.reason,
        "payer": None if details is None else details.payer,
        "says": None if details is None else details.written(),
        "proposals": [each._asdict() for each in waiting.proposals],
    }


def _row(waiting: WaitingLine) -> tuple[object, ...]:
    from projections.invoice_list import amount

    line, details = waiting.line, waiting.details
    says = _ERASED if details is None else " / ".join((details.payer, *details.written()))
    proposals = (
        f"{each.document} ({each.why}, {amount(each.open_minor, line.currency)})"
        for each in waiting.proposals
    )
    return (
        line.line,
        f"{line.booked_on}",
        amount(line.left_minor, line.currency),
        line.reason,
        says,
        ", ".join(proposals),
    )
