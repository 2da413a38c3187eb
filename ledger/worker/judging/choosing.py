"""What a person's choice about a session does, and when it may do that.

    held                  -> release, write_off
    priced                -> correct: priced again, by all that came since
    priced, as `revision` -> credit, dispute; disputed: uphold, reject
    held, priced          -> attest: priced by what a person says of its stop
    released              -> take_back: not billed until facts or a person settle it
    written off           -> take_back: rated as it is, as its next revision

A choice that came too late for what it is about does nothing: whoever chose saw another price. So
does one before which a fact came that nobody had seen: what is held has no revision that says so.

Tests: tests/ledger/worker/crediting/.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from psycopg import Connection

from ledger.facts.flags import Flag
from ledger.log.envelope import Choice
from ledger.rating.decisions import CorrectionCause, Moment
from ledger.sessions.attested.word import is_by_word, stop_of
from ledger.sessions.segments import Source
from ledger.sessions.session import ChargingSession
from ledger.sessions.states import CHOSEN_IN, SessionState
from ledger.worker.fact_shelf import FactShelf
from ledger.worker.judging.findings import Findings
from ledger.worker.judging.reviewing import Reviewer
from ledger.worker.rater import Rater, Verdict
from ledger.worker.session_rows import SessionRow


class Chooser:
    """Follows what people choose about sessions."""

    def __init__(
        self,
        connection: Connection[Any],
        shelf: FactShelf,
        rater: Rater,
        findings: Findings,
        reviewer: Reviewer,
    ) -> None:
        self._connection, self._shelf = connection, shelf
        self._rater, self._findings, self._reviewer = rater, findings, reviewer

    def may(self, row: SessionRow, choice: Choice) -> bool:
        """Whether *choice* is one that can be made about the session of *row*, as it is."""
        if row.station_id != choice.station or row.state not in CHOSEN_IN[choice.choice]:
            return False
        is_disputed = Flag.DISPUTED in row.flags
        if choice.choice in {"uphold", "reject"} and not is_disputed:
            return False
        if choice.choice == "attest" and not _is_attested_as(row, choice):
            return False
        if choice.facts_until is not None and row.last_fact_at > choice.facts_until:
            return False
        return choice.revision in (None, row.revision)

    def follow(
        self,
        row: SessionRow,
        choice: Choice,
        moment: Moment,
        source: Source,
        heard_at: datetime,
        fold: Callable[[], ChargingSession | None],
    ) -> bool:
        """Do what *choice*, the line at *source*, says; say whether that was possible.

        *fold* returns the session of *row* with all that is known.
        """
        if self._needs_no_fold(row, choice, moment):
            return True
        if choice.choice == "attest":
            return self._attest(row, choice, moment, source, heard_at, fold)
        session = fold()
        if session is None:
            return choice.choice == "correct" and self._reviewer.dissolve(row, moment, choice)
        session = _as_flagged(session, row)
        if choice.choice == "correct":
            self._reviewer.choose(row, session, moment, choice, heard_at)
        elif choice.choice == "take_back":
            self._bill_after_all(row, session, moment, choice, heard_at)
        else:
            self._findings.conclude(row, self._rater.choose(session, row, moment, choice))
        return True

    def _needs_no_fold(self, row: SessionRow, choice: Choice, moment: Moment) -> bool:
        """Do what *choice* says where its rating alone is concerned; say whether that was so."""
        match choice.choice:
            case "credit" | "uphold":
                self._settle_dispute(row)
                self._give_back(row, choice, moment)
            case "dispute":
                row.flags = sorted({*row.flags, Flag.DISPUTED})
                self._findings.change(row)
            case "reject":
                self._settle_dispute(row)
            case "take_back" if row.state is SessionState.RELEASED:
                self._take_release_back(row, choice, moment)
            case _:
                return False
        return True

    def _attest(
        self,
        row: SessionRow,
        choice: Choice,
        moment: Moment,
        source: Source,
        heard_at: datetime,
        fold: Callable[[], ChargingSession | None],
    ) -> bool:
        """Price the session by what a person says of its stop, whatever else is doubtful.

        That is kept among its facts, if the session is by it exactly.
        """
        fact = stop_of(choice, (row.transaction_ref, row.evse_id, row.connector_id), source)
        key = row.station_id, row.transaction_ref
        self._shelf.new[key].append(fact)
        session = fold()
        if session is None or not is_by_word(session, fact):
            self._shelf.take_off(key, fact)
            return False
        session = _as_flagged(session, row)
        if row.state is SessionState.HELD:
            verdict = self._rater.choose(session, row, moment, choice)
            row.describe(session, heard_at)
            self._findings.conclude(row, verdict)
        else:
            self._reviewer.choose(row, session, moment, choice, heard_at)
        row.flags = sorted({*row.flags, Flag.STOP_ATTESTED})
        row.lie(session)
        return True

    def _give_back(self, row: SessionRow, choice: Choice, moment: Moment) -> None:
        was = self._findings.rating(self._connection, row)
        verdict = self._rater.give_back(was, moment, choice)
        if verdict is not None:
            self._findings.conclude(row, verdict)

    def _settle_dispute(self, row: SessionRow) -> None:
        row.flags = [flag for flag in row.flags if flag != Flag.DISPUTED]
        self._findings.change(row)

    def _take_release_back(self, row: SessionRow, choice: Choice, moment: Moment) -> None:
        was = self._findings.rating(self._connection, row)
        cause = CorrectionCause.RELEASE_TAKEN_BACK
        self._findings.conclude(row, self._rater.not_billed(was, moment, cause, choice=choice))
        row.flags = sorted({*row.flags, Flag.CORRECTION_WAITS})
        row.reasons = [cause.value]

    def _bill_after_all(
        self,
        row: SessionRow,
        session: ChargingSession,
        moment: Moment,
        choice: Choice,
        heard_at: datetime,
    ) -> None:
        found = self._rater.bill_after_all(session, row, moment, choice)
        if isinstance(found, Verdict):
            self._reviewer.conclude(row, session, found, heard_at)
        else:
            row.reasons = [reason.code for reason in found]
            self._findings.change(row)


def _as_flagged(session: ChargingSession, row: SessionRow) -> ChargingSession:
    is_told = Flag.DECIDED_BEFORE in row.flags
    return session.flagged(Flag.DECIDED_BEFORE) if is_told else session


def _is_attested_as(row: SessionRow, choice: Choice) -> bool:
    """Whether what a person says of a stop was said of the session as it is, and of the past."""
    said = choice.attested
    if said is None or said.ended_at > choice.received_at:
        return False
    return said.of_held == (row.state is SessionState.HELD)
