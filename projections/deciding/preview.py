"""What a person's choice about a session would make of what is owed: nothing is decided.

By the very functions that the worker decides with (`ledger.worker.rater`), over what is known now.
What others use meanwhile of grants that are shared, and what still comes, can change it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.books.decisions_store import rated_sessions
from ledger.declared.declarations import Declarations
from ledger.desk.second_person import Moved
from ledger.facts.flags import Flag
from ledger.log.envelope import Attested, ChoiceKind
from ledger.rating.allowances import ReadAllowances
from ledger.rating.decide import release
from ledger.rating.decisions import (
    CorrectionCause,
    Moment,
    Release,
    SessionHeld,
    SessionRated,
    SessionRevision,
)
from ledger.rating.entitlements import Entitlements
from ledger.rating.reconciling.correcting import is_billed_otherwise
from ledger.rating.reconciling.giving_back import give_back, not_billed
from ledger.sessions.session import ChargingSession
from ledger.sessions.states import CHOSEN_IN, PRICED, SessionState
from projections.deciding.attesting import ByWord, by_word
from projections.deciding.fold import folded_session
from projections.sessions import SessionSummary
from tariffs.phrases.phrase import Phrase

_ROW: LiteralString = "SELECT partition, validations FROM session WHERE session_id = %s"
_STANDS: LiteralString = """
SELECT max(abs(invoice.due_minor)) FROM invoiced_session AS stands
JOIN issued_invoice AS invoice USING (number)
WHERE stands.session_id = %s AND NOT EXISTS (
    SELECT FROM credited_session AS credited WHERE credited.session_id = stands.session_id
    AND credited.revision = stands.revision AND credited.is_rest
)
"""
_NOBODY: Final = Release(by="", reason="")
KINDS: Final[Sequence[ChoiceKind]] = (
    "release",
    "write_off",
    "correct",
    "attest",
    "take_back",
    "credit",
    "dispute",
    "uphold",
    "reject",
)
"""In the order in which they are offered."""


class ChoicePreview(NamedTuple):
    """What is owed of a session, and what would be; None: it has no rating.

    Of a write-off `was` is what it would cost, and is given up. `reasons`: why it has no price.
    `of_minor`: of what a part is given back, or said to end otherwise: the session's price, or all
    that its invoice asks for.
    `doubts`: flags that say why what is attested of its stop is hardly so.
    """

    was: SessionRated | None
    now: SessionRated | None
    reasons: tuple[Phrase, ...] = ()
    of_minor: int = 0
    doubts: tuple[str, ...] = ()

    @property
    def currency(self) -> str:
        """Return the currency of what moves."""
        rated = self.now or self.was
        return "" if rated is None else rated.currency

    @property
    def moved(self) -> Moved:
        """Return what moves, as the desk asks for a second person by it."""
        return Moved(self.currency, self.moved_minor, self.of_minor)

    @property
    def moved_minor(self) -> int:
        """Return how much of what is owed moves, in minor units.

        Where another one owes it, or in another currency, all of both moves: the larger is meant.
        """
        was = self.was.gross_minor if self.was else 0
        now = self.now.gross_minor if self.now else 0
        if self.was and self.now and _is_owed_otherwise(self.was, self.now):
            return max(abs(was), abs(now))
        return abs(now - was)


def possible_choices(session: SessionSummary) -> list[ChoiceKind]:
    """Return what can be chosen about a session as it stands."""
    is_disputed = Flag.DISPUTED in session.flags
    fit = [each for each in KINDS if SessionState(session.state) in CHOSEN_IN[each]]
    wanted = {"uphold", "reject"} if is_disputed else {"dispute"}
    return [each for each in fit if each not in {"uphold", "reject", "dispute"} or each in wanted]


def preview(
    connection: Connection[Any],
    declarations: Declarations,
    session: SessionSummary,
    choice: ChoiceKind,
    lines: Sequence[int] = (),
    *,
    at: datetime,
    attested: Attested | None = None,
) -> ChoicePreview:
    """Return what *choice* would come to, about these *lines* of the rating (none: all of it).

    *attested*: what is said of its stop, where that is the choice.

    Raises:
        WordRefutedError: If that cannot be.
    """
    partition, validations = connection.execute(_ROW, (session.session_id,)).fetchall()[0]
    # Of no record: nothing is decided.
    moment = Moment(partition=partition, position=-1, at=at)
    was = _rated(connection, session)
    if choice in {"dispute", "reject"}:
        return ChoicePreview(was, was)
    if choice in {"credit", "uphold"} and was is not None:
        cause = CorrectionCause.DISPUTE if choice == "uphold" else CorrectionCause.CREDIT
        allowances = ReadAllowances(connection)
        now = give_back(was, lines, moment, allowances, chosen=_NOBODY, cause=cause)
        return ChoicePreview(was, now, of_minor=_whole_minor(connection, was))
    if choice == "take_back" and was is not None:
        cause = CorrectionCause.RELEASE_TAKEN_BACK
        now = not_billed(was, moment, ReadAllowances(connection), cause=cause, chosen=_NOBODY)
        return ChoicePreview(was, now)
    if attested is not None:
        word = by_word(connection, declarations, session, attested, at)
    else:
        word = ByWord(folded_session(connection, declarations, session), ())
    told = word.session, validations, was
    priced = _priced(connection, declarations, session, moment, told)
    if choice == "write_off":
        # What is given up is what it would cost.
        return ChoicePreview(priced.now, None, priced.reasons)
    if choice == "attest" and was is not None:
        # Who says it bit by bit is no second person either, up or down.
        most = 0 if priced.now is None else abs(priced.now.gross_minor)
        priced = priced._replace(of_minor=max(_whole_minor(connection, was), most))
    return priced._replace(doubts=word.doubts)


def _whole_minor(connection: Connection[Any], was: SessionRated) -> int:
    """Return of what *was* is a part: who gives an invoice back by its sessions is one person."""
    [(due_minor,)] = connection.execute(_STANDS, (was.session_id,)).fetchall()
    return max(abs(was.gross_minor), due_minor or 0)


def _rated(connection: Connection[Any], session: SessionSummary) -> SessionRated | None:
    if session.state not in PRICED:
        return None
    [rated] = rated_sessions(connection, [SessionRevision(session.session_id, session.revision)])
    return rated


def _priced(
    connection: Connection[Any],
    declarations: Declarations,
    session: SessionSummary,
    moment: Moment,
    told: tuple[ChargingSession | None, Sequence[str], SessionRated | None],
) -> ChoicePreview:
    """Return the price of a session as it is folded, with the codes shown for it, and what was."""
    folded, validations, was = told
    if folded is None:
        return ChoicePreview(was, None)
    found = release(
        _flagged(folded, session),
        declarations,
        moment=moment,
        by="",
        reason="",
        entitlements=Entitlements(
            validations=tuple(validations),
            allowances=ReadAllowances(connection),
            corrects=was,
        ),
        revision=session.revision if was is None else was.revision + 1,
    )
    if isinstance(found, SessionHeld):
        return ChoicePreview(was, was, found.reasons)
    if was is not None and not is_billed_otherwise(found, was):
        return ChoicePreview(was, was)
    return ChoicePreview(was, found)


def _flagged(folded: ChargingSession, session: SessionSummary) -> ChargingSession:
    return folded.flagged(Flag.DECIDED_BEFORE) if Flag.DECIDED_BEFORE in session.flags else folded


def _is_owed_otherwise(was: SessionRated, now: SessionRated) -> bool:
    return was.currency != now.currency or was.payer.party != now.payer.party
