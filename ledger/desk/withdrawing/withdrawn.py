"""A proposal that is taken back: its row goes, and who took it back, when and why, stays.

So it does of one in whose place another one is put.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

from ledger.errors import LedgerError

REASON_MAX: Final = 500
WITHDRAWN_MAX: Final = 20
"""Of what was withdrawn again and again the last are told."""
_KEPT: LiteralString = """
INSERT INTO withdrawn_proposal (session_id, invoice, line, movement, choice, currency, moved_minor,
    reason, proposed_by, proposed_at, withdrawn_by, withdrawn_at, withdrawn_because)
"""
_CHOICE: LiteralString = f"""
WITH taken AS (DELETE FROM choice_proposal WHERE session_id = %(about)s RETURNING *)
{_KEPT} SELECT session_id, NULL, NULL, NULL::bigint, choice, currency, moved_minor, reason,
    proposed_by, proposed_at, %(by)s, %(at)s, %(because)s FROM taken
"""  # noqa: S608 - our own
_CREDIT: LiteralString = f"""
WITH taken AS (DELETE FROM credit_proposal WHERE invoice = %(about)s RETURNING *)
{_KEPT} SELECT NULL, invoice, NULL, NULL::bigint, 'credit', currency, -due_minor, reason,
    proposed_by, proposed_at, %(by)s, %(at)s, %(because)s FROM taken
"""  # noqa: S608 - our own
_MATCH: LiteralString = f"""
WITH taken AS (DELETE FROM match_proposal WHERE line = %(about)s RETURNING *)
{_KEPT} SELECT NULL, NULL, line, NULL::bigint, 'match', %(currency)s, %(minor)s, '',
    proposed_by, proposed_at, %(by)s, %(at)s, %(because)s FROM taken
"""  # noqa: S608 - our own
_MONEY: LiteralString = f"""
WITH taken AS (DELETE FROM money_proposal WHERE number = %(about)s RETURNING *)
{_KEPT} SELECT NULL, NULL, NULL, number, 'match', %(currency)s, %(minor)s, '',
    proposed_by, proposed_at, %(by)s, %(at)s, %(because)s FROM taken
"""  # noqa: S608 - our own
_REFUND: LiteralString = """
WITH taken AS (DELETE FROM refund_proposal WHERE invoice = %(about)s RETURNING *)
INSERT INTO withdrawn_proposal (refund, choice, currency, moved_minor, reason, proposed_by,
    proposed_at, withdrawn_by, withdrawn_at, withdrawn_because)
SELECT invoice, 'refund', issued.currency, -amount_minor, '', proposed_by, proposed_at, %(by)s,
    %(at)s, %(because)s
FROM taken JOIN issued_invoice AS issued ON issued.number = taken.invoice
"""
_PAY_BACK: LiteralString = """
WITH taken AS (DELETE FROM pay_back_proposal WHERE key = %(about)s RETURNING *)
INSERT INTO withdrawn_proposal (pay_back, choice, currency, moved_minor, reason, proposed_by,
    proposed_at, withdrawn_by, withdrawn_at, withdrawn_because)
SELECT key, 'pay_back', currency, -amount_minor, '', proposed_by, proposed_at, %(by)s, %(at)s,
    %(because)s FROM taken
"""
_COLUMNS: LiteralString = """
SELECT choice, currency, moved_minor, reason, proposed_by, proposed_at, withdrawn_by, withdrawn_at,
    withdrawn_because FROM withdrawn_proposal
"""


class About(Enum):
    """What a proposal is about."""

    SESSION = "session"
    """A choice about it waits."""
    INVOICE = "invoice"
    """A credit on it."""
    LINE = "line"
    """What a bank's line is for."""
    MOVEMENT = "movement"
    """What money at a provider is for."""
    REFUND = "refund"
    """To give back what was paid too much for an invoice."""
    PAY_BACK = "pay_back"
    """To give back some of a prepaid balance."""


_TAKE: Final[Mapping[About, LiteralString]] = {
    About.SESSION: _CHOICE,
    About.INVOICE: _CREDIT,
    About.LINE: _MATCH,
    About.MOVEMENT: _MONEY,
    About.REFUND: _REFUND,
    About.PAY_BACK: _PAY_BACK,
}
_OF: Final[Mapping[About, LiteralString]] = {
    About.SESSION: _COLUMNS + "WHERE session_id = %s ORDER BY number DESC LIMIT %s",
    About.INVOICE: _COLUMNS + "WHERE invoice = %s ORDER BY number DESC LIMIT %s",
    About.LINE: _COLUMNS + "WHERE line = %s ORDER BY number DESC LIMIT %s",
    About.MOVEMENT: _COLUMNS + "WHERE movement = %s ORDER BY number DESC LIMIT %s",
    About.REFUND: _COLUMNS + "WHERE refund = %s ORDER BY number DESC LIMIT %s",
    About.PAY_BACK: _COLUMNS + "WHERE pay_back = %s ORDER BY number DESC LIMIT %s",
}


class Withdrawal(NamedTuple):
    """Who takes a proposal back, why, and when."""

    by: str
    because: str
    at: datetime


class MoneyMeant(NamedTuple):
    """How much a proposal of what money was for would have booked, in minor units."""

    currency: str
    minor: int


class WithdrawnProposal(NamedTuple):
    """What was proposed, and who took it back; `moved_minor`: what it would have moved.

    `withdrawn_because` is "" where they proposed something else in its place.
    """

    choice: str
    currency: str
    moved_minor: int
    reason: str
    proposed_by: str
    proposed_at: datetime
    withdrawn_by: str
    withdrawn_at: datetime
    withdrawn_because: str


class NotProposedError(LedgerError):
    """Nothing waits for a second person."""

    def __init__(self, about: str) -> None:
        super().__init__(f"nothing about {about} waits for a second person")
        self.about = about


class NoReasonError(LedgerError):
    """Somebody does not say why, or at too much length."""

    def __init__(self) -> None:
        super().__init__(f"say why it is withdrawn, in at most {REASON_MAX} characters")


def withdraw(
    connection: Connection[Any],
    about: About,
    key: str | int,
    how: Withdrawal,
    meant: MoneyMeant | None = None,
) -> None:
    """Take back what was proposed *about* something; whoever may propose may withdraw it.

    Args:
        connection: The caller's transaction is around it.
        about: What *key* is the id of.
        key: A session's id, an invoice's number, the name of a line, a movement's number, the key
            of the request that a pay-back would become.
        how: Who takes it back, why and when.
        meant: What it comes to; of a line and a movement alone, the others say so themselves.

    Raises:
        NotProposedError: If nothing was.
        NoReasonError: If *how* does not say why.
    """
    if not how.because or len(how.because) > REASON_MAX:
        raise NoReasonError
    if not _take(connection, about, key, how, meant):
        raise NotProposedError(str(key))


def replace_proposed(
    connection: Connection[Any],
    about: About,
    key: str | int,
    how: Withdrawal,
    meant: MoneyMeant | None = None,
) -> None:
    """Keep what was proposed *about* something, if anything was, as something else is."""
    _take(connection, about, key, how, meant)


def withdrawn_of(
    connection: Connection[Any], about: About, key: str | int
) -> Sequence[WithdrawnProposal]:
    """Return what was proposed *about* something and taken back, the last first."""
    with connection.cursor(row_factory=class_row(WithdrawnProposal)) as cursor:
        return cursor.execute(_OF[about], (key, WITHDRAWN_MAX)).fetchall()


def _take(
    connection: Connection[Any],
    about: About,
    key: str | int,
    how: Withdrawal,
    meant: MoneyMeant | None,
) -> bool:
    """Let it go and keep it, in one statement: both or neither. Return whether there was one."""
    said = {"about": key, **how._asdict(), **(meant._asdict() if meant else {})}
    return connection.execute(_TAKE[about], said).rowcount > 0
