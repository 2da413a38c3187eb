"""Recording what is chosen about an invoice, and saying what it comes to: for both commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from deploy.commands.users.acting import acting
from deploy.output import print_json, say
from deploy.progress_bar import progress_bar
from deploy.running.opening import opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

    from deploy.commands.data_folder import ReadingFolder
    from deploy.settings import Settings
    from ledger.books.document_taxes import DocumentTaxes
    from ledger.desk.crediting.agreeing import ProposedCredit
    from ledger.desk.crediting.billed_parts import BilledPart
    from ledger.desk.withdrawing.withdrawn import About
    from ledger.log.envelope import Choice
    from ledger.log.event_log import EventLog

Reason = Annotated[str, Parameter(help="Why; it is kept with the decision, on no document.")]


def record_all(
    connection: Connection[Any],
    log: EventLog,
    settings: Settings,
    choices: Sequence[Choice],
    *,
    is_shown: bool,
) -> None:
    """Record *choices*; return once the worker has taken them."""
    from deploy.running.owner import is_up
    from deploy.running.turns import work_off
    from ledger.desk.corrections import correct_all

    turn = None if is_up(settings) else work_off
    with progress_bar("recording", is_shown=is_shown) as told:
        correct_all(connection, choices, log=log, work_off=turn, told=told)


def give_back(
    connection: Connection[Any],
    log: EventLog,
    settings: Settings,
    wish: tuple[str, Sequence[BilledPart], Sequence[Choice]],
    *,
    is_shown: bool,
) -> ProposedCredit | None:
    """Give parts of an invoice back, by choices about them; or return what waits for another."""
    from deploy.running.owner import is_up
    from deploy.running.turns import work_off
    from ledger.desk.crediting.agreeing import credit_or_propose

    turn = None if is_up(settings) else work_off
    with progress_bar("recording", is_shown=is_shown) as told:
        return credit_or_propose(connection, *wish, log=log, work_off=turn, told=told)


def withdrawn(about: About, key: str, reason: str, by: str | None, folder: ReadingFolder) -> int:
    """Take back what was proposed about a session or an invoice, and say so."""
    from deploy.clock import SystemClock
    from ledger.desk.withdrawing.withdrawn import Withdrawal, withdraw

    with opened(folder.settings()) as connection, connection.transaction():
        how = Withdrawal(acting(by), reason.strip(), SystemClock().now())
        withdraw(connection, about, key, how)
    return said_withdrawn(key, is_json=folder.json)


def said_withdrawn(key: str, *, is_json: bool) -> int:
    """Say that what was proposed about *key* waits no more."""
    if is_json:
        print_json({"about": key, "is_withdrawn": True})
    else:
        say(f"what was proposed about {key} is withdrawn: it waits for nobody any more")
    return 0


def say_amount(owed: DocumentTaxes, currency: str, *, is_done: bool) -> None:
    """Say what a credit note comes to."""
    from projections.invoice_list import amount

    net, tax, due = (
        amount(minor, currency) for minor in (owed.net_minor, owed.tax_minor, owed.due_minor)
    )
    said = "are owed no more" if is_done else "would be owed no more"
    say(f"{due} {said}: net {net}, tax {tax}.")
