"""What becomes of a decided session when a fact comes after its decision.

    held for a lost stop, the stop comes           -> decided again at that record
    rated, a late reading changes what is billed   -> corrected: the next revision
    rated, a late reading makes it doubtful        -> stands, flagged: a person must agree
    written off, its stop comes                    -> stands, flagged: a person gave it up

Tests: tests/ledger/worker/test_late_facts.py, test_corrections.py.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg import Connection

from ledger.facts.flags import Flag
from ledger.log.envelope import Choice
from ledger.rating.decisions import CorrectionCause, Moment, SessionRated
from ledger.rating.reconciling.correcting import is_billed_otherwise
from ledger.sessions.session import ChargingSession
from ledger.sessions.states import PRICED, SessionAct, SessionState
from ledger.worker.judging.findings import Findings
from ledger.worker.rater import Rater, Verdict
from ledger.worker.session_rows import SessionRow


class Reviewer:
    """Decides again where it may, and says where it may not."""

    def __init__(self, connection: Connection[Any], rater: Rater, findings: Findings) -> None:
        self._connection, self._rater, self._findings = connection, rater, findings

    def review(
        self, row: SessionRow, session: ChargingSession, moment: Moment, heard_at: datetime
    ) -> None:
        """Deal with a fact that changes *session*, that of *row*, after it was decided about."""
        if row.state is SessionState.HELD:
            self._decide_again(row, session, moment, heard_at)
            return
        self._findings.mark_late(row, moment_at=moment.at)
        if row.state in PRICED:
            self._correct(row, session, moment, heard_at)

    def _decide_again(
        self, row: SessionRow, session: ChargingSession, moment: Moment, heard_at: datetime
    ) -> None:
        """Rate a held session, or hold it for what is still wrong."""
        verdict = self._rater.decide_again(session, row, moment, heard_at)
        is_news = verdict.act is not SessionAct.HOLD or list(verdict.reasons) != row.reasons
        row.describe(session, heard_at)
        if is_news:
            self._findings.conclude(row, verdict)
        self._findings.change(row)

    def _correct(
        self, row: SessionRow, session: ChargingSession, moment: Moment, heard_at: datetime
    ) -> None:
        """Correct a priced session; where that takes a person, say so on it."""
        was = self._findings.rating(self._connection, row)
        found = self._rater.rated_again(session, row, moment, heard_at, was)
        if isinstance(found, SessionRated) and not is_billed_otherwise(found, was):
            self._waits_no_more(row)
            return
        verdict = self._rater.correct(found, session, was, moment)
        if verdict is not None:
            self.conclude(row, session, verdict, heard_at)
            return
        if not isinstance(found, SessionRated) or self._rater.asks_first(moment):
            reasons = () if isinstance(found, SessionRated) else found.reasons
            row.flags = sorted({*row.flags, Flag.CORRECTION_WAITS})
            row.reasons = [reason.code for reason in reasons]
        self._findings.change(row)

    def dissolve(self, row: SessionRow, moment: Moment, choice: Choice | None = None) -> bool:
        """Bill nothing of a priced session that by late facts is none any more.

        Where a person must agree, say so on it, until *choice* does; say whether it was possible.
        """
        cause = CorrectionCause.DISSOLVED
        if row.state not in PRICED:
            return False
        was = self._findings.rating(self._connection, row)
        if was.not_billed is cause:
            return False
        if choice is None:
            self._findings.mark_late(row, moment_at=moment.at)
        if choice is None and self._rater.asks_first(moment):
            row.flags = sorted({*row.flags, Flag.CORRECTION_WAITS})
            row.reasons = [cause.value]
            self._findings.change(row)
            return True
        row.flags = [flag for flag in row.flags if flag != Flag.CORRECTION_WAITS]
        row.flags = sorted({*row.flags, Flag.DISSOLVED})
        self._findings.conclude(row, self._rater.not_billed(was, moment, cause, choice=choice))
        return True

    def choose(
        self,
        row: SessionRow,
        session: ChargingSession,
        moment: Moment,
        choice: Choice,
        heard_at: datetime,
    ) -> None:
        """Correct a priced session because a person says so, doubtful or not, as master data is."""
        was = self._findings.rating(self._connection, row)
        found = self._rater.correct_as_chosen(session, row, moment, choice, was)
        if isinstance(found, Verdict):
            self.conclude(row, session, found, heard_at)
        elif found is None:
            self._waits_no_more(row)
        else:
            row.reasons = [reason.code for reason in found]
            self._findings.change(row)

    def conclude(
        self, row: SessionRow, session: ChargingSession, verdict: Verdict, heard_at: datetime
    ) -> None:
        """Keep *verdict*, a correction, with *session* as it is now."""
        late = {Flag.LATE_FACT, Flag.DISPUTED} & set(row.flags)
        row.describe(session, heard_at)
        row.flags = sorted({*row.flags, *late})
        self._findings.conclude(row, verdict)

    def _waits_no_more(self, row: SessionRow) -> None:
        if Flag.CORRECTION_WAITS in row.flags:
            row.flags = [flag for flag in row.flags if flag != Flag.CORRECTION_WAITS]
            row.reasons = []
        self._findings.change(row)
