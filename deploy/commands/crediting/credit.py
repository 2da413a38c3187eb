"""`wattledger credit`: an invoice, or a line of it, that a person gives back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.commands.crediting.chosen import Reason, say_amount
from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.commands.users.acting import acting
from deploy.output import complain, print_json, say
from deploy.running.opening import opened_with_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.books.document_taxes import DocumentTaxes
    from projections.crediting.chosen import CreditedSession


def credit(
    invoice: str,
    *,
    reason: Reason,
    line: int | None = None,
    preview: bool = False,
    withdraw: bool = False,
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Give an invoice, or one line of it, back: it is credited, and stays free whatever comes late.

    Each session on it gets a further revision, in which these lines are free. The credit note
    follows an hour (the policy's wait_s) later; what is left of the invoice stands. Where the whole
    asks for more than the policy's payment_approval_above, another person says the same first.

    Args:
        invoice: The invoice's number.
        reason: Why; it is kept with the decision, on no document.
        line: Only this line, as `wattledger explain` numbers them.
        preview: Say what would be credited, and do nothing.
        withdraw: Take back what one person proposed and no other agreed to yet.
        by: Who decides (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from deploy.commands.crediting.chosen import give_back, withdrawn
    from ledger.desk.crediting.billed_parts import owed_no_more
    from ledger.desk.withdrawing.withdrawn import About
    from projections.crediting.chosen import choices_of, credited_sessions, parts_of

    if withdraw:
        return withdrawn(About.INVOICE, invoice, reason, by, folder)
    settings = folder.settings()
    with opened_with_log(settings) as (connection, log):
        parts = parts_of(connection, invoice, () if line is None else (line,))
        owed, currency = owed_no_more(connection, invoice, parts), parts[0].was.currency
        proposed = None
        if not preview:
            choices = choices_of(parts, "credit", acting(by), reason, SystemClock().now())
            wish = (invoice, parts, choices)
            proposed = give_back(connection, log, settings, wish, is_shown=not folder.json)
        sessions = credited_sessions(connection, parts)
    is_done = not preview and proposed is None
    _tell(invoice, owed, currency, sessions, is_done=is_done, is_json=folder.json)
    if proposed is not None and not folder.json:
        say("It asks for more than one person may give back: another says the same.")
    return _missed(sessions) if is_done else 0


def _missed(sessions: Sequence[CreditedSession]) -> int:
    """Say of which sessions nothing was given back; return what the command ends with."""
    missed = [each.session_id for each in sessions if not each.is_done]
    for session_id in missed:
        complain(f"{session_id} was corrected meanwhile, or is free already: look and credit again")
    return 1 if missed else 0


def _tell(
    invoice: str,
    owed: DocumentTaxes,
    currency: str,
    sessions: Sequence[CreditedSession],
    *,
    is_done: bool,
    is_json: bool,
) -> None:
    """Say what is owed no more, or would be."""
    if is_json:
        print_json(
            {
                "invoice": invoice,
                "is_applied": is_done,
                "currency": currency,
                "net_minor": owed.net_minor,
                "tax_minor": owed.tax_minor,
                "due_minor": owed.due_minor,
                "sessions": sessions,
            }
        )
        return
    say_amount(owed, currency, is_done=is_done)
    if is_done:
        say("The credit note follows an hour (the policy's wait_s) after: wattledger invoices")
