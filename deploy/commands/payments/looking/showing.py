"""`wattledger payments show`: a movement of money with all that is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.errors import DeployError
from deploy.output import print_json, say, utc
from deploy.running.opening import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from projections.payments.movement_detail import (
        AskedRequest,
        MovementDetail,
        PaymentsFound,
        ShownBankLine,
    )
    from projections.payments.movement_list import ListedMovement


class UnknownPaymentError(DeployError):
    """Nothing of that name moved or was asked for."""

    def __init__(self, named: str) -> None:
        self.named = named
        super().__init__(
            f"no movement, request or invoice is called {named}: `wattledger payments list` has "
            "their numbers and references; a terminal's receipt is shown by `wattledger payment`"
        )


def show(what: str, /, *, folder: ReadingFolder = READ_FOLDER) -> int:
    """Show a movement, or all of a document's: postings, what asked for it, its payout.

    Args:
        what: A movement's number, its reference at the provider or bank, a request's key, an
            invoice, or a settlement with a partner.
        folder: Where.
    """
    from projections.payments.movement_detail import find_payments

    with opened(folder.settings()) as connection:
        found = find_payments(connection, what)
    if not (found.movements or found.requests or found.invoice):
        raise UnknownPaymentError(what)
    if folder.json:
        print_json(_for_machines(found))
        return 0
    say(*lines_of(found))
    return 0


def _for_machines(found: PaymentsFound) -> dict[str, object]:
    item = found.invoice
    invoice = None if item is None else {**item._asdict(), "open_minor": item.open_minor}
    return {"movements": found.movements, "requests": found.requests, "invoice": invoice}


def lines_of(found: PaymentsFound) -> Iterator[str]:
    """Yield what was found as lines for people."""
    from projections.invoice_list import amount

    item = found.invoice
    if item is not None:
        parts = {
            "due": item.due_minor,
            "credited": -item.credited_minor,
            "from balance": -item.settled_minor,
            "paid": -item.paid_minor,
            "open": item.open_minor,
        }
        said = ", ".join(f"{name} {amount(minor, item.currency)}" for name, minor in parts.items())
        yield f"{item.number}: {said}"
        if not found.movements:
            yield "no money moved for it yet"
    for detail in found.movements:
        yield from _movement_lines(detail)
    told = {request.key for detail in found.movements for request in detail.requests}
    for request in found.requests:
        if request.key not in told:
            yield _request_line(request)


def _movement_lines(detail: MovementDetail) -> Iterator[str]:
    from projections.invoice_list import amount

    yield _headline(detail.movement)
    yield f"  entry        {detail.entry}, in the books of {detail.movement.period}"
    names = {each.subject: each.customer for each in detail.movement.allotments}
    for leg in detail.postings:
        party = f" of {names.get(leg.party, leg.party)}" if leg.party else ""
        yield f"  posting      {leg.account}{party}  {amount(leg.amount_minor, leg.currency)}"
    for each in detail.movement.allotments:
        said = amount(each.minor, detail.movement.currency)
        yield f"  for          {each.document or each.account}  {said}"
    yield f"  recorded by  {detail.movement.recorded_by}"
    for request in detail.requests:
        yield f"  {_request_line(request)}"
    for dispute in detail.disputes:
        about = f"{amount(dispute.amount_minor, dispute.currency)}, {dispute.reason or 'no reason'}"
        yield f"  dispute      {dispute.dispute_id}: {dispute.status}, {about}"
    if detail.bank_line is not None:
        yield from _bank_lines(detail.bank_line)
    for share in detail.payouts:
        net, fee = (amount(each, share.currency) for each in (share.net_minor, share.fee_minor))
        yield f"  payout       {share.payout_id}: {net} after a fee of {fee}"
    for related in detail.related:
        yield f"  see also     {_headline(related)}"


def _bank_lines(line: ShownBankLine) -> Iterator[str]:
    from projections.invoice_list import amount

    said = amount(line.amount_minor, line.currency)
    yield f"  bank line    {line.line}: {said}, booked {line.booked_on}, value {line.value_on}"
    if line.written is None:
        yield "  written      (erased)"
    else:
        payer = " ".join(filter(None, (line.written.payer, line.written.payer_account)))
        yield f"  written      {'; '.join(filter(None, (payer, *line.written.written()))) or '-'}"
    if line.unmatched_minor:
        yield f"  unmatched    {amount(line.unmatched_minor, line.currency)} ({line.reason})"


def _headline(movement: ListedMovement) -> str:
    from projections.invoice_list import amount

    said = amount(movement.amount_minor, movement.currency)
    where = f"{movement.source}/{movement.reference}"
    return f"{movement.number}  {movement.kind} {where}  {said}  {utc(movement.happened_at)}"


def _request_line(request: AskedRequest) -> str:
    from projections.invoice_list import amount

    why = f" ({request.reason})" if request.reason else ""
    said = amount(request.amount_minor, request.currency) if request.currency else ""
    asked = f"asked {request.attempts} times"
    return (
        f"request      {request.key}: {request.state}{why}, {asked}, {said} by {request.decided_by}"
    )
