"""What a person's choice about a session does, and when it may do that.

    held                  -> release, write_off
    priced                -> correct: priced again, by all that came since
    priced, as `revision` -> credit, dispute; disputed: uphold, reject
    released              -> take_back: not billed until facts or a person settle it
    written off           -> take_back: rated as it is, as its next revision

A choice that came too late for what it is about does nothing: whoever chose saw another price.

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
from ledger.sessions.session import ChargingSession
from ledger.sessions.states import CHOSEN_IN, SessionState
from ledger.worker.judging.findings import Findings
from ledger.worker.judging.reviewing import Reviewer
from ledger.worker.rater import Rater, Verdict
from ledger.worker.session_rows import SessionRow


class Chooser:
    """Follows what people choose about sessions."""

    def __init__(
        self, connection: Connection[Any], rater: Rater, findings: Findings, reviewer: Reviewer
    ) -> None:
        self._connection = connection
        self._rater, self._findings, self._reviewer = rater, findings, reviewer

    def may(self, row: SessionRow, choice: Choice) -> bool:
        """Whether *choice* is one that can be made about the session of *row*, as it is."""
        if row.station_id != choice.station or row.state not in CHOSEN_IN[choice.choice]:
            return False
        is_disputed = Flag.DISPUTED in row.flags
        if choice.choice in {"uphold", "reject"} and not is_disputed:
            return False
        return choice.revision in (None, row.revision)

    def follow(
        self,
        row: SessionRow,
        choice: Choice,
        moment: Moment,
        heard_at: datetime,
        fold: Callable[[], ChargingSession | None],
    ) -> bool:
        """Do what *choice* says with the session of *row*; say whether that was possible.

        *fold* returns the session with all that is known.
        """
        match choice.choice:
            case "credit" | "uphold":
                self._settle_dispute(row)
                self._give_back(row, choice, moment)
                return True
            case "dispute":
                row.flags = sorted({*row.flags, Flag.DISPUTED})
                self._findings.change(row)
                return True
            case "reject":
                self._settle_dispute(row)
                return True
            case "take_back" if row.state is SessionState.RELEASED:
                self._take_release_back(row, choice, moment)
                return True
            case _:
                pass
        session = fold()
        if session is None:
            return choice.choice == "correct" and self._reviewer.dissolve(row, moment, choice)
        if Flag.DECIDED_BEFORE in row.flags:
            session = session.flagged(Flag.DECIDED_BEFORE)
        if choice.choice == "correct":
            self._reviewer.choose(row, session, moment, choice, heard_at)
        elif choice.choice == "take_back":
            self._bill_after_all(row, session, moment, choice, heard_at)
        else:
            self._findings.conclude(row, self._rater.choose(session, row, moment, choice))
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
