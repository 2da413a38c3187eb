"""A choice about a session that moves much money: proposed by one person, made by another.

    it moves at most the policy's `payment_approval_above` -> made at once
    more, and nobody proposed the same                     -> proposed, and waits
    more, and another person proposed the same             -> made, in the name of both

The same is the same choice about the same lines of the same revision, with the same stop where one
is attested, and moves as much: what
changed meanwhile is looked at anew. Only one choice about a session waits at a time; a later
proposal takes its place, and the earlier stays among what was withdrawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
from psycopg import Connection
from psycopg.rows import dict_row

from ledger.declared.store import policy_in_force
from ledger.desk.choices import Chosen, choose
from ledger.desk.recording import WorkOff, check_reason
from ledger.desk.withdrawing.withdrawn import (
    About,
    NotProposedError,
    Withdrawal,
    replace_proposed,
)
from ledger.errors import LedgerError
from ledger.four_eyes import is_same_person
from ledger.log.envelope import Attested, Choice, ChoiceKind
from ledger.log.event_log import EventLog
from ledger.master_data.policies import Policy, is_above
from ledger.users.pairs import check_pair
from ledger.users.roles import Permission

_COLUMNS: LiteralString = """
SELECT session_id, choice, revision, lines, currency, moved_minor, reason, proposed_by, proposed_at,
    attested
FROM choice_proposal
"""
_PROPOSED: LiteralString = _COLUMNS + "WHERE session_id = ANY (%s)"
_WAITING: LiteralString = _COLUMNS + "ORDER BY proposed_at, session_id LIMIT %s"
_PROPOSE: LiteralString = """
INSERT INTO choice_proposal (session_id, choice, revision, lines, currency, moved_minor, reason,
    proposed_by, proposed_at, attested)
VALUES (%(session_id)s, %(choice)s, %(revision)s, %(lines)s, %(currency)s, %(moved_minor)s,
    %(reason)s, %(proposed_by)s, %(proposed_at)s, %(attested)s)
ON CONFLICT (session_id) DO UPDATE SET choice = excluded.choice, revision = excluded.revision,
    lines = excluded.lines, currency = excluded.currency, moved_minor = excluded.moved_minor,
    reason = excluded.reason, proposed_by = excluded.proposed_by,
    proposed_at = excluded.proposed_at, attested = excluded.attested
"""
_LOCK: LiteralString = "SELECT FROM choice_proposal WHERE session_id = %s FOR UPDATE"
_SETTLE: LiteralString = "DELETE FROM choice_proposal WHERE session_id = %s"


class ProposedChoice(NamedTuple):
    """What one person wants decided about a session, until another says the same.

    `revision`: as which the session was looked at; `lines` of its rating, none: all of it.
    `attested`: what is said of its stop.
    """

    session_id: str
    choice: ChoiceKind
    revision: int
    lines: Sequence[int]
    currency: str
    moved_minor: int
    reason: str
    proposed_by: str
    proposed_at: datetime
    attested: Attested | None = None

    @property
    def shown(self) -> str:
        """Return how much it moves, as `Moved.shown`."""
        return Moved(self.currency, self.moved_minor).shown

    def is_for(self, choice: Choice, moved: Moved) -> bool:
        """Say whether *choice*, which moves so much by now, is the same."""
        said = (self.choice, self.revision, tuple(self.lines), self.currency, self.moved_minor)
        now = (choice.choice, choice.revision, choice.lines, moved.currency, moved.minor)
        return said == now and self.attested == choice.attested


class Moved(NamedTuple):
    """How much of what is owed a choice moves, in minor units; nothing has no currency.

    `of_minor`: of what it is a part; who gives it part by part is no second person.
    """

    currency: str
    minor: int
    of_minor: int = 0

    @property
    def shown(self) -> str:
        """Return what a form brings back of what was looked at: "-476 EUR", or "0"."""
        return f"{self.minor} {self.currency}".strip()


NOTHING: Final = Moved("", 0)
"""Of a choice that moves none of what is owed."""


class SameDeciderError(LedgerError):
    """Who proposed a choice made it again: it takes somebody else."""

    def __init__(self, session_id: str, proposed_by: str) -> None:
        super().__init__(
            f"{proposed_by} proposed this about session {session_id}: it moves more than "
            "payment_approval_above, so another person says the same"
        )
        self.session_id, self.proposed_by = session_id, proposed_by


def takes_two(policy: Policy, moved: Moved) -> bool:
    """Say whether a choice that moves so much takes a second person."""
    if not moved.currency:
        return False
    minor = max(abs(moved.minor), abs(moved.of_minor))
    return is_above(policy.payment_approval_above, minor, moved.currency)


def proposed_choices(
    connection: Connection[Any], session_ids: Sequence[str]
) -> dict[str, ProposedChoice]:
    """Return what about these sessions waits for a second person, by session."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_PROPOSED, (list(session_ids),)).fetchall()
    return {each.session_id: each for each in map(_read, rows)}


def waiting_choices(connection: Connection[Any], *, limit: int) -> list[ProposedChoice]:
    """Return what waits for a second person, the longest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return [*map(_read, cursor.execute(_WAITING, (limit,)).fetchall())]


def choose_or_propose(
    connection: Connection[Any],
    choice: Choice,
    moved: Moved,
    *,
    log: EventLog,
    work_off: WorkOff | None,
) -> Chosen | ProposedChoice:
    """Make *choice*, which moves so much; or propose it where that takes a second person.

    Args:
        connection: To the books, in no transaction.
        choice: With the revision that was looked at.
        moved: What it moves, as it was previewed.
        log: Where it is to stand.
        work_off: As for `choose`.

    Raises:
        ReasonlessChoiceError: If it has no reason.
        SameDeciderError: If who proposed it makes it.
        NotProposedError: If what was proposed was withdrawn, or made, at the same moment.
        LedgerError: As `choose` does.
    """
    check_reason(choice.reason)
    policy = policy_in_force(connection, choice.received_at)
    named, first = choice, None
    if takes_two(policy, moved):
        first = proposed_choices(connection, [choice.session_id]).get(choice.session_id)
        if first is None or not first.is_for(choice, moved):
            return _propose(connection, choice, moved)
        if is_same_person(first.proposed_by, choice.by):
            raise SameDeciderError(choice.session_id, first.proposed_by)
        check_pair(connection, first.proposed_by, choice.by, Permission.DECIDE_SESSIONS)
        named = msgspec.structs.replace(choice, by=f"{first.proposed_by}, {choice.by}")
    return choose(
        connection,
        choice.session_id,
        choice=named,
        log=log,
        work_off=work_off,
        beside=partial(_settle, connection, choice, first),
    )


def _settle(connection: Connection[Any], choice: Choice, agreed: ProposedChoice | None) -> None:
    """Let what was *agreed* to wait no more, with the choice; None: nobody had to agree.

    Raises:
        NotProposedError: If it does not wait as it was read.
    """
    if agreed is None:
        how = Withdrawal(choice.by, "", choice.received_at)
        replace_proposed(connection, About.SESSION, choice.session_id, how)
        return
    connection.execute(_LOCK, (choice.session_id,))
    now = proposed_choices(connection, [choice.session_id]).get(choice.session_id)
    if now != agreed:
        raise NotProposedError(choice.session_id)
    connection.execute(_SETTLE, (choice.session_id,))


def _propose(connection: Connection[Any], choice: Choice, moved: Moved) -> ProposedChoice:
    proposed = ProposedChoice(
        session_id=choice.session_id,
        choice=choice.choice,
        revision=choice.revision or 1,
        lines=list(choice.lines),
        currency=moved.currency,
        moved_minor=moved.minor,
        reason=choice.reason,
        proposed_by=choice.by,
        proposed_at=choice.received_at,
        attested=choice.attested,
    )
    said = None if choice.attested is None else msgspec.json.encode(choice.attested).decode()
    with connection.transaction():
        how = Withdrawal(proposed.proposed_by, "", proposed.proposed_at)
        replace_proposed(connection, About.SESSION, choice.session_id, how)
        connection.execute(_PROPOSE, proposed._asdict() | {"attested": said})
    return proposed


def _read(row: dict[str, Any]) -> ProposedChoice:
    said = row.pop("attested")
    attested = None if said is None else msgspec.convert(said, Attested)
    return ProposedChoice(**row, attested=attested)
