"""Giving back of an invoice: by one person, and above an amount by two.

    the invoice asks for at most the policy's `payment_approval_above` -> given back at once
    more, and nobody proposed the same                                 -> proposed, and waits
    more, and another person proposed the same                         -> given back, by both

Of a part as of the whole: who gives an invoice back line by line is no other person. The same are
the same lines of the same revisions; a later proposal about an invoice takes the earlier's place.
All of it is said in one transaction with the proposal that was agreed to: of two who agree, or of
who agrees and who withdraws it, one is first, and a kill leaves all of it or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, LiteralString, NamedTuple

import msgspec
from msgspec.structs import replace
from psycopg import Connection
from psycopg.rows import class_row

from ledger.declared.store import policy_in_force
from ledger.desk.corrections import give_back_all
from ledger.desk.crediting.billed_parts import BilledPart, owed_no_more
from ledger.desk.recording import WorkOff, check_reason
from ledger.desk.second_person import Moved, takes_two
from ledger.desk.withdrawing.withdrawn import (
    About,
    NotProposedError,
    Withdrawal,
    replace_proposed,
)
from ledger.errors import LedgerError
from ledger.four_eyes import is_same_person
from ledger.log.envelope import Choice
from ledger.log.event_log import EventLog
from ledger.shapes import read_stored
from ledger.users.pairs import check_pair
from ledger.users.roles import Permission
from tariffs.model.canonical import canonical_json

_PROPOSED: LiteralString = """
SELECT invoice, parts, reason, currency, due_minor, proposed_by, proposed_at
FROM credit_proposal WHERE invoice = %s
"""
_PROPOSE: LiteralString = """
INSERT INTO credit_proposal (invoice, parts, reason, currency, due_minor, proposed_by, proposed_at)
VALUES (%(invoice)s, %(parts)s, %(reason)s, %(currency)s, %(due_minor)s, %(proposed_by)s,
    %(proposed_at)s)
ON CONFLICT (invoice) DO UPDATE SET parts = excluded.parts, reason = excluded.reason,
    currency = excluded.currency, due_minor = excluded.due_minor,
    proposed_by = excluded.proposed_by, proposed_at = excluded.proposed_at
"""
_LOCK: LiteralString = "SELECT FROM credit_proposal WHERE invoice = %s FOR UPDATE"
_SETTLE: LiteralString = "DELETE FROM credit_proposal WHERE invoice = %s"
_DUE: LiteralString = "SELECT currency, due_minor FROM issued_invoice WHERE number = %s"


class GivenBackOf(msgspec.Struct, frozen=True, array_like=True):
    """What of a session is meant; `lines` of its rating of that revision, none: all of it."""

    session_id: str
    revision: int
    lines: tuple[int, ...]


class ProposedCredit(NamedTuple):
    """What one person wants given back of an invoice, until another says the same."""

    invoice: str
    parts: bytes
    reason: str
    currency: str
    due_minor: int
    proposed_by: str
    proposed_at: datetime

    @property
    def sessions(self) -> tuple[GivenBackOf, ...]:
        """Return what of which session.

        Raises:
            UnreadableProposalError: If it cannot be read.
        """
        found = read_stored(self.parts, tuple[GivenBackOf, ...])
        if found is None:
            raise UnreadableProposalError(self.invoice)
        return found


class UnreadableProposalError(LedgerError):
    """What was proposed about an invoice cannot be read."""

    def __init__(self, invoice: str) -> None:
        super().__init__(
            f"what was proposed about invoice {invoice} cannot be read: withdraw it, choose anew"
        )
        self.invoice = invoice


class SameCrediterError(LedgerError):
    """Who proposed to give something back said so again: it takes somebody else."""

    def __init__(self, invoice: str, proposed_by: str) -> None:
        super().__init__(
            f"{proposed_by} proposed this about invoice {invoice}: it asks for more than "
            "payment_approval_above, so another person says the same"
        )
        self.invoice, self.proposed_by = invoice, proposed_by


def proposed_credit(connection: Connection[Any], invoice: str) -> ProposedCredit | None:
    """Return what of an invoice waits for a second person."""
    with connection.cursor(row_factory=class_row(ProposedCredit)) as cursor:
        return cursor.execute(_PROPOSED, (invoice,)).fetchone()


def credit_takes_two(connection: Connection[Any], invoice: str, at: datetime) -> bool:
    """Say whether what is given back of an invoice takes a second person."""
    row = connection.execute(_DUE, (invoice,)).fetchone()
    return row is not None and takes_two(policy_in_force(connection, at), Moved(*row))


def credit_or_propose(
    connection: Connection[Any],
    invoice: str,
    parts: Sequence[BilledPart],
    choices: Sequence[Choice],
    *,
    log: EventLog,
    work_off: WorkOff | None,
    told: Callable[[int, int], None] = lambda _done, _total: None,
) -> ProposedCredit | None:
    """Give *parts* of an invoice back; or return what is proposed where that takes a second person.

    Args:
        connection: To the books, in no transaction.
        invoice: Its number.
        parts: At least one, as `billed_parts` found them.
        choices: What one person says about each of them, at one moment, for one reason.
        log: Where they are to stand.
        work_off: As for `give_back_all`.
        told: Told how many of how many are done.

    Raises:
        ReasonlessChoiceError: If there is no reason.
        SameCrediterError: If who proposed it says so again.
        NotProposedError: If what was proposed was withdrawn, or agreed to, at the same moment.
        LedgerError: As `give_back_all` does.
    """
    said, agreed, first = choices[0], choices, None
    check_reason(said.reason)
    if credit_takes_two(connection, invoice, said.received_at):
        wanted = _parts(choices)
        first = proposed_credit(connection, invoice)
        if first is None or bytes(first.parts) != wanted:
            return _propose(connection, invoice, parts, wanted, said)
        if is_same_person(first.proposed_by, said.by):
            raise SameCrediterError(invoice, first.proposed_by)
        check_pair(connection, first.proposed_by, said.by, Permission.CREDIT)
        both = f"{first.proposed_by}, {said.by}"
        agreed = [replace(each, by=both) for each in choices]
    settle = partial(_settle, connection, invoice, said, first)
    give_back_all(connection, agreed, log=log, work_off=work_off, beside=settle)
    told(len(choices), len(choices))
    return None


def _settle(
    connection: Connection[Any], invoice: str, said: Choice, agreed: ProposedCredit | None
) -> None:
    """Let what was *agreed* to wait no more, with the choices; None: nobody had to agree.

    Raises:
        NotProposedError: If it does not wait as it was read.
    """
    if agreed is None:
        replace_proposed(
            connection, About.INVOICE, invoice, Withdrawal(said.by, "", said.received_at)
        )
        return
    connection.execute(_LOCK, (invoice,))
    if proposed_credit(connection, invoice) != agreed:
        raise NotProposedError(invoice)
    connection.execute(_SETTLE, (invoice,))


def _propose(
    connection: Connection[Any],
    invoice: str,
    parts: Sequence[BilledPart],
    wanted: bytes,
    said: Choice,
) -> ProposedCredit:
    proposed = ProposedCredit(
        invoice=invoice,
        parts=wanted,
        reason=said.reason,
        currency=parts[0].was.currency,
        due_minor=owed_no_more(connection, invoice, parts).due_minor,
        proposed_by=said.by,
        proposed_at=said.received_at,
    )
    with connection.transaction():
        how = Withdrawal(proposed.proposed_by, "", proposed.proposed_at)
        replace_proposed(connection, About.INVOICE, invoice, how)
        connection.execute(_PROPOSE, proposed._asdict())
    return proposed


def _parts(choices: Sequence[Choice]) -> bytes:
    said = sorted((each.session_id, each.revision or 1, tuple(each.lines)) for each in choices)
    return canonical_json(tuple(GivenBackOf(*each) for each in said))
