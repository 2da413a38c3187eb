"""Decides what drivers of ours owe for what a partner bills us, at the lines that want it so.

    charge     not decided   -> rated, or held with its reasons until a person accepts the CDR again
               rated         -> nothing, if it would be billed the same; else its next revision
    take_back  rated         -> the next revision, of which nothing is owed
               anything else -> nothing

There is no station behind it, no fold and no row among the sessions: a decision follows from one
line, the CDR that it names and what was decided before.

Tests: tests/roaming_ocpi/incoming/charged/test_charged_on.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection

from ledger.log.envelope import ChargeOn
from ledger.log.event_log import Record
from ledger.log.reading import numbered_lines
from ledger.partners.elsewhere import session_of
from ledger.partners.elsewhere_cdrs import read_elsewhere
from ledger.rating.decisions import (
    FIRST_REVISION,
    CorrectionCause,
    Decision,
    Moment,
    Release,
    SessionHeld,
    SessionRated,
)
from ledger.rating.elsewhere.charging_on import charge_on
from ledger.rating.reconciling.correcting import corrected, is_billed_otherwise
from ledger.rating.reconciling.giving_back import not_billed
from ledger.rating.stored import unpack_decision
from ledger.worker.rater import Rater

_DECIDED: LiteralString = """
SELECT body FROM session_decision WHERE session_id = %s AND kind <> 'held'
ORDER BY revision DESC LIMIT 1
"""


class _Before(NamedTuple):
    """What holds of a session by now: its rating, if it has one."""

    rated: SessionRated | None

    @property
    def revision(self) -> int:
        """As which revision it is decided next."""
        return FIRST_REVISION if self.rated is None else self.rated.revision + 1


class Charger:
    """Follows the lines that charge something on; keeps the decisions until they are written."""

    def __init__(
        self,
        connection: Connection[Any],
        rater: Rater,
        record_at: Callable[[int], Record | None],
    ) -> None:
        self._connection, self._rater, self._record_at = connection, rater, record_at
        self._rated: dict[str, SessionRated] = {}
        self.decisions: list[Decision] = []

    def take(self, asked: ChargeOn, moment: Moment) -> bool:
        """Do what a line says; say whether that was possible.

        Raises:
            LedgerError, TariffError: If there is no CDR where the line says, or none to be read.
        """
        before = self._before(session_of(asked.party, asked.cdr_id))
        chosen = Release(by=asked.by, reason=asked.reason) if asked.by else None
        frames = ((asked.position, asked.line), (moment.position, 0))
        if asked.act == "take_back":
            was = before.rated
            if was is None or was.not_billed:
                return False
            back = not_billed(
                was,
                moment,
                self._rater.entitlements_of(was.session_id, moment, was).allowances,
                cause=CorrectionCause.PARTNER,
                chosen=chosen,
                frames=frames,
            )
            self._keep(back)
            return True
        found = self._charged(asked, before, moment)
        if isinstance(found, SessionHeld) or before.rated is None:
            self._keep(found)
            return True
        if not before.rated.not_billed and not is_billed_otherwise(found, before.rated):
            return False
        cause = CorrectionCause.PARTNER
        self._keep(corrected(found, before.rated, frames=frames, chosen=chosen, cause=cause))
        return True

    def stored(self) -> None:
        """Begin the next group: all is written."""
        self._rated.clear()
        self.decisions.clear()

    def _charged(
        self, asked: ChargeOn, before: _Before, moment: Moment
    ) -> SessionRated | SessionHeld:
        record = self._record_at(asked.position)
        line = dict(numbered_lines(record.payload)).get(asked.line) if record else None
        session_id = session_of(asked.party, asked.cdr_id)
        return charge_on(
            asked,
            read_elsewhere(asked, line),
            self._rater.declarations,
            moment=moment,
            entitlements=self._rater.entitlements_of(session_id, moment, before.rated),
            revision=before.revision,
        )

    def _before(self, session_id: str) -> _Before:
        found = self._rated.get(session_id)
        if found is None:
            row = self._connection.execute(_DECIDED, (session_id,)).fetchone()
            decision = None if row is None else unpack_decision(row[0])
            found = decision if isinstance(decision, SessionRated) else None
        return _Before(found)

    def _keep(self, decision: SessionRated | SessionHeld) -> None:
        if isinstance(decision, SessionRated):
            self._rated[decision.session_id] = decision
            self._rater.count(decision)
        self.decisions.append(decision)
