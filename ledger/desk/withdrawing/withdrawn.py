"""A proposal that is taken back: its row goes, and who took it back, when and why, stays.

So it does of one in whose place another one is put.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
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
_COLUMNS: LiteralString = """
SELECT choice, currency, moved_minor, reason, proposed_by, proposed_at, withdrawn_by, withdrawn_at,
    withdrawn_because FROM withdrawn_proposal
"""
_OF_SESSION: LiteralString = _COLUMNS + "WHERE session_id = %s ORDER BY number DESC LIMIT %s"
_OF_INVOICE: LiteralString = _COLUMNS + "WHERE invoice = %s ORDER BY number DESC LIMIT %s"
_OF_LINE: LiteralString = _COLUMNS + "WHERE line = %s ORDER BY number DESC LIMIT %s"
_OF_MOVEMENT: LiteralString = _COLUMNS + "WHERE movement = %s ORDER BY number DESC LIMIT %s"


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


def withdraw_choice(connection: Connection[Any], session_id: str, how: Withdrawal) -> None:
    """Take back what was proposed about a session; whoever may decide may withdraw it.

    Raises:
        NotProposedError: If nothing was.
        NoReasonError: If *how* does not say why.
    """
    _withdraw(connection, _CHOICE, session_id, how)


def withdraw_credit(connection: Connection[Any], invoice: str, how: Withdrawal) -> None:
    """Take back what was proposed about an invoice; whoever may credit may withdraw it.

    Raises:
        NotProposedError: If nothing was.
        NoReasonError: If *how* does not say why.
    """
    _withdraw(connection, _CREDIT, invoice, how)


def withdraw_match(
    connection: Connection[Any], line: str, meant: MoneyMeant, how: Withdrawal
) -> None:
    """Take back what was proposed about a bank's line, in the caller's transaction.

    Raises:
        NotProposedError: If nothing was.
        NoReasonError: If *how* does not say why.
    """
    _withdraw(connection, _MATCH, line, how, meant)


def withdraw_money(
    connection: Connection[Any], movement: int, meant: MoneyMeant, how: Withdrawal
) -> None:
    """Take back what was proposed about a movement, in the caller's transaction.

    Raises:
        NotProposedError: If nothing was.
        NoReasonError: If *how* does not say why.
    """
    _withdraw(connection, _MONEY, movement, how, meant)


def replace_match(
    connection: Connection[Any], line: str, meant: MoneyMeant, by: str, at: datetime
) -> None:
    """Keep what was proposed about a bank's line as *by* proposes something else."""
    how = Withdrawal(by, "", at)
    connection.execute(_MATCH, {"about": line, **how._asdict(), **meant._asdict()})


def replace_money(
    connection: Connection[Any], movement: int, meant: MoneyMeant, by: str, at: datetime
) -> None:
    """Keep what was proposed about a movement as *by* proposes something else."""
    how = Withdrawal(by, "", at)
    connection.execute(_MONEY, {"about": movement, **how._asdict(), **meant._asdict()})


def replace_choice(connection: Connection[Any], session_id: str, by: str, at: datetime) -> None:
    """Keep what was proposed about a session, if anything was, as *by* proposes something else."""
    how = Withdrawal(by, "", at)
    connection.execute(_CHOICE, {"about": session_id, **how._asdict()})


def replace_credit(connection: Connection[Any], invoice: str, by: str, at: datetime) -> None:
    """Keep what was proposed about an invoice, if anything was, as *by* proposes something else."""
    how = Withdrawal(by, "", at)
    connection.execute(_CREDIT, {"about": invoice, **how._asdict()})


def withdrawn_of_session(
    connection: Connection[Any], session_id: str
) -> Sequence[WithdrawnProposal]:
    """Return what was proposed about a session and taken back, the last first."""
    return _found(connection, _OF_SESSION, session_id)


def withdrawn_of_invoice(connection: Connection[Any], invoice: str) -> Sequence[WithdrawnProposal]:
    """Return what was proposed about an invoice and taken back, the last first."""
    return _found(connection, _OF_INVOICE, invoice)


def withdrawn_of_line(connection: Connection[Any], line: str) -> Sequence[WithdrawnProposal]:
    """Return what was proposed about a bank's line and taken back, the last first."""
    return _found(connection, _OF_LINE, line)


def withdrawn_of_movement(
    connection: Connection[Any], movement: int
) -> Sequence[WithdrawnProposal]:
    """Return what was proposed about a movement and taken back, the last first."""
    return _found(connection, _OF_MOVEMENT, movement)


def _withdraw(
    connection: Connection[Any],
    statement: LiteralString,
    about: str | int,
    how: Withdrawal,
    meant: MoneyMeant | None = None,
) -> None:
    if not how.because or len(how.because) > REASON_MAX:
        raise NoReasonError
    # One statement: it goes and is kept, or neither.
    said = {"about": about, **how._asdict(), **(meant._asdict() if meant else {})}
    if not connection.execute(statement, said).rowcount:
        raise NotProposedError(str(about))


def _found(
    connection: Connection[Any], query: LiteralString, about: str | int
) -> Sequence[WithdrawnProposal]:
    with connection.cursor(row_factory=class_row(WithdrawnProposal)) as cursor:
        return cursor.execute(query, (about, WITHDRAWN_MAX)).fetchall()
