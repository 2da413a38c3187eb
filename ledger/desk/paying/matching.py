"""What a person decides about lines of bank statements; above an amount two persons do.

    matched with documents, a balance, an account    out of cash:unmatched, into those
    to be returned                                   owed to the payer until a statement shows it
    undone                                           back into cash:unmatched, and on the work list
    above the policy's `payment_approval_above`      proposed; another person says the same

The rest of a line stays on the work list. What a document is paid is at most what is open of it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.declared.store import load_declarations
from ledger.desk.paying.agreed import check_agreed
from ledger.desk.paying.match_plans import MatchWish, PlannedMatch, plan_match, proposed_match
from ledger.desk.withdrawing.withdrawn import (
    About,
    MoneyMeant,
    NotProposedError,
    Withdrawal,
    replace_proposed,
    withdraw,
)
from ledger.errors import LedgerError
from ledger.four_eyes import is_same_person
from ledger.payments.bank.lines import BankLine
from ledger.payments.bank.matched import Match, record_match
from ledger.payments.bank.matching import WaitReason
from ledger.payments.recording import under_the_books
from ledger.users.pairs import check_pair
from ledger.users.roles import Permission
from tariffs.zones import zone

_PROPOSE: LiteralString = """
INSERT INTO match_proposal (line, body, proposed_by, proposed_at) VALUES (%s, %s, %s, %s)
ON CONFLICT (line) DO UPDATE SET body = excluded.body, proposed_by = excluded.proposed_by,
    proposed_at = excluded.proposed_at
"""
_SETTLE: LiteralString = "DELETE FROM match_proposal WHERE line = %s"


class DecidedMatch(NamedTuple):
    """What was decided of a line, in minor units; `waits`: another person is to say the same."""

    line: str
    currency: str
    match: Match
    left_minor: int
    waits: bool


def match_line(
    connection: Connection[Any],
    wish: MatchWish,
    *,
    by: str,
    at: datetime,
    agreed: str | None = None,
) -> DecidedMatch:
    """Book what *wish* says of a line, or propose it.

    Args:
        connection: To the books, in no transaction.
        wish: What it is for.
        by: Who says so.
        at: Now.
        agreed: The digest of the plan that this person read; None: it was not looked at before.

    Raises:
        UnknownBankLineError: If there is no such line.
        UnfitMatchError: If nothing of it waits, or it cannot be for that.
        ReadOtherwiseError: If it comes to something else than was read.
        SecondMatcherError: If who proposed it says so again.
        UnknownCustomerError: If nobody has the key `balance`.
        BalanceTooSmallError: If a balance has not what is to be taken from it.
    """
    declared = load_declarations(connection)
    with under_the_books(connection):
        planned = plan_match(connection, declared, wish, at)
        check_agreed(agreed, planned.digest)
        reason = WaitReason.UNDONE if wish.is_undone else WaitReason.PART_LEFT
        return _decide(connection, declared, planned, reason, by=by, at=at)


def undo_match(
    connection: Connection[Any], line_name: str, *, by: str, at: datetime
) -> DecidedMatch:
    """Take back all that a line was matched with, or propose to; it is on the work list then.

    Raises:
        UnknownBankLineError: If there is no such line.
        UnfitMatchError: If it is matched with nothing.
        SecondMatcherError: If who proposed it says so again.
        BalanceTooSmallError: If a balance was used meanwhile that it had gone to.
    """
    return match_line(connection, MatchWish(line_name, is_undone=True), by=by, at=at)


def withdraw_proposed_match(connection: Connection[Any], line: BankLine, how: Withdrawal) -> None:
    """Take back what was proposed of a line; whoever may move money may withdraw it.

    Raises:
        NotProposedError: If nothing was.
        NoReasonError: If *how* does not say why.
    """
    with under_the_books(connection):
        meant = _meant(connection, line)
        if meant is None:
            raise NotProposedError(line.line)
        withdraw(connection, About.LINE, line.line, how, meant)


def _meant(connection: Connection[Any], line: BankLine) -> MoneyMeant | None:
    """Return what waits of a line for a second person comes to."""
    proposed = proposed_match(connection, line.line)
    return None if proposed is None else MoneyMeant(line.currency, proposed.match.minor)


def _decide(
    connection: Connection[Any],
    declared: Declarations,
    planned: PlannedMatch,
    reason: WaitReason,
    *,
    by: str,
    at: datetime,
) -> DecidedMatch:
    line, first = planned.line, planned.proposed_by
    if planned.takes_two:
        if first is None:
            meant = _meant(connection, line)
            if meant is not None:
                how = Withdrawal(by, "", at)
                replace_proposed(connection, About.LINE, line.line, how, meant)
            connection.execute(_PROPOSE, (line.line, planned.body, by, at))
            told = line.currency, planned.match, line.left_minor
            return DecidedMatch(line.line, *told, waits=True)
        if is_same_person(first, by):
            raise SecondMatcherError(line, first)
        check_pair(connection, first, by, Permission.MOVE_MONEY)
        by = f"{first}, {by}"
    entity = declared.legal_entity(line.legal_entity, at)
    calendar = zone(entity.time_zone) if entity else UTC
    record_match(connection, line, planned.match, reason, by=by, at=at, calendar=calendar)
    connection.execute(_SETTLE, (line.line,))
    return DecidedMatch(line.line, line.currency, planned.match, planned.left_minor, waits=False)


class SecondMatcherError(LedgerError):
    """Who proposed a match said so again: it takes somebody else."""

    def __init__(self, line: BankLine, proposed_by: str) -> None:
        super().__init__(
            f"{proposed_by} proposed this for {line.line}: it is above payment_approval_above, so "
            "another person says the same"
        )
        self.line, self.proposed_by = line.line, proposed_by
