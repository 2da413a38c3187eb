"""The ledger's rating as one partition uses it: bound to the declarations in force there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec
import psycopg
from psycopg import Connection

from ledger.books.decisions_store import store_decisions
from ledger.books.periods import ClosedMonths
from ledger.declared.declarations import Declarations
from ledger.declared.store import load_declarations
from ledger.facts.station_traits import ChangedTraits, StationTraits
from ledger.log.envelope import Choice
from ledger.master_data.policies import Policy
from ledger.rating.allowances import SharedStandings
from ledger.rating.decide import decide, release, write_off
from ledger.rating.decisions import (
    CorrectionCause,
    Decision,
    DecisionKind,
    Moment,
    Release,
    SessionHeld,
    SessionRated,
    Waiting,
    kind_of,
)
from ledger.rating.entitlements import Entitlements
from ledger.rating.reconciling.correcting import (
    after_write_off,
    corrected,
    is_billed_otherwise,
    is_worth_correcting,
)
from ledger.rating.reconciling.giving_back import give_back, not_billed
from ledger.rating.recorded import RecordedAllowances, RecordedDecisions, RecordedZones
from ledger.rating.time_zones import PINNED_ZONES, Zones, with_zones
from ledger.sessions.session import ChargingSession
from ledger.sessions.states import SessionAct
from ledger.worker.session_rows import NEVER, SessionRow, WaitsSince
from tariffs.offsets import UtcOffsets
from tariffs.phrases.phrase import Phrase, bounded, phrase

logger = logging.getLogger(__name__)


ACT_OF: Final[Mapping[DecisionKind, SessionAct]] = {
    DecisionKind.RATED: SessionAct.RATE,
    DecisionKind.RELEASED: SessionAct.RELEASE,
    DecisionKind.CORRECTED: SessionAct.CORRECT,
    DecisionKind.HELD: SessionAct.HOLD,
    DecisionKind.WRITTEN_OFF: SessionAct.WRITE_OFF,
}


class Verdict(NamedTuple):
    """What was concluded about a session: how it moves, why, and the decision to be stored."""

    act: SessionAct
    reasons: tuple[str, ...]
    decision: Decision


class Rater:
    """Decides with the master data of one version; `use` changes to another one."""

    def __init__(
        self,
        connection: Connection[Any],
        version: int,
        closed: ClosedMonths,
        *,
        recorded_in: str | None = None,
    ) -> None:
        self._connection, self._closed = connection, closed
        self._allowances: SharedStandings | RecordedAllowances = SharedStandings(connection)
        self._recorded: RecordedDecisions | None = None
        if recorded_in is not None:
            self._recorded = RecordedDecisions(connection, recorded_in)
            self._allowances = RecordedAllowances(self._recorded)
        self._declarations = load_declarations(connection, version) if version else Declarations()
        # What was asked for last: a record is looked at several times, at the same moment.
        self._traits: tuple[str, datetime, StationTraits] | None = None
        self._policy: tuple[datetime, Policy] | None = None

    def use(self, version: int) -> None:
        """Decide with what was declared up to *version* from here on."""
        if version != self._declarations.version:
            known = self._declarations
            self._declarations = load_declarations(self._connection, version, known=known)
            self._traits = self._policy = None

    @property
    def declarations(self) -> Declarations:
        """What holds at the records that are decided about now."""
        return self._declarations

    def traits(self, station_id: str, at: datetime) -> StationTraits:
        """Return what the fold has to know of a station."""
        if self._traits is not None and self._traits[:2] == (station_id, at):
            return self._traits[2]
        traits = self._declarations.traits(station_id, at)
        if self._recorded is not None:
            traits = _with_clocks(traits, partial(self._recorded.clock, station_id))
        self._traits = station_id, at, traits
        return traits

    def _policy_at(self, at: datetime) -> Policy:
        if self._policy is None or self._policy[0] != at:
            self._policy = at, self._declarations.policy(at)
        return self._policy[1]

    def decide(
        self, session: ChargingSession, row: SessionRow, moment: Moment, heard_at: datetime
    ) -> Verdict | None:
        """Return what is concluded about *session*, None while it has to wait."""
        decided = self._decide(session, row, moment, heard_at)
        return None if isinstance(decided, Waiting) else self._concluded(decided, session)

    def decide_again(
        self, session: ChargingSession, row: SessionRow, moment: Moment, heard_at: datetime
    ) -> Verdict:
        """Return what is concluded about a held *session* that changed: it waited long enough."""
        decided = self._decide(session, row, moment, heard_at)
        if isinstance(decided, Waiting):
            decided = self._held(session, row, moment, decided.reasons)
        return self._concluded(decided, session)

    def rated_again(
        self,
        session: ChargingSession,
        row: SessionRow,
        moment: Moment,
        heard_at: datetime,
        was: SessionRated,
    ) -> SessionRated | SessionHeld | Waiting:
        """Return what would be decided about a priced *session* now, as the revision after *was*.

        What it found used of shared grants stands. Nothing is counted yet: see `correct`.
        """
        return self._decide(session, row, moment, heard_at, was)

    def correct(
        self,
        found: SessionRated | SessionHeld | Waiting,
        session: ChargingSession,
        was: SessionRated,
        moment: Moment,
    ) -> Verdict | None:
        """Return the correction of *was* that *found* is; None where the policy wants none."""
        policy = self._policy_at(moment.at)
        if not isinstance(found, SessionRated) or policy.corrections_agreed:
            return None
        if not is_worth_correcting(found, was, policy):
            return None
        frames = tuple(frame for frame in session.frames if frame[0] == moment.position)
        return self._concluded(corrected(found, was, frames=frames), session)

    def correct_as_chosen(
        self,
        session: ChargingSession,
        row: SessionRow,
        moment: Moment,
        choice: Choice,
        was: SessionRated,
    ) -> Verdict | tuple[Phrase, ...] | None:
        """Return the correction of *was* that a person asks for.

        None where it would change nothing, and the reasons where it cannot be priced at all.
        """
        found = release(
            session,
            self._declarations,
            moment=moment,
            by=choice.by,
            reason=choice.reason,
            entitlements=self._entitlements(row, moment, was),
            revision=was.revision + 1,
        )
        if isinstance(found, SessionHeld):
            return found.reasons
        if not is_billed_otherwise(found, was):
            return None
        chosen = Release(by=choice.by, reason=choice.reason)
        return self._concluded(corrected(found, was, chosen=chosen), session)

    def give_back(
        self,
        was: SessionRated,
        moment: Moment,
        choice: Choice,
    ) -> Verdict | None:
        """Return the correction of *was* in which the lines of *choice* are free.

        None where that would change nothing.
        """
        chosen = Release(by=choice.by, reason=choice.reason)
        cause = CorrectionCause.DISPUTE if choice.choice == "uphold" else CorrectionCause.CREDIT
        now = give_back(was, choice.lines, moment, self._allowances, chosen=chosen, cause=cause)
        return self._corrected(now) if is_billed_otherwise(now, was) else None

    def not_billed(
        self,
        was: SessionRated,
        moment: Moment,
        cause: CorrectionCause,
        *,
        choice: Choice | None = None,
    ) -> Verdict:
        """Return the correction of *was* by which nothing of it is owed any more."""
        chosen = Release(by=choice.by, reason=choice.reason) if choice else None
        return self._corrected(
            not_billed(was, moment, self._allowances, cause=cause, chosen=chosen)
        )

    def bill_after_all(
        self, session: ChargingSession, row: SessionRow, moment: Moment, choice: Choice
    ) -> Verdict | tuple[Phrase, ...]:
        """Return the rating of a *session* whose write-off a person takes back, as it is.

        The reasons where it cannot be priced at all.
        """
        chosen = Release(by=choice.by, reason=choice.reason)
        found = release(
            session,
            self._declarations,
            moment=moment,
            by=chosen.by,
            reason=chosen.reason,
            entitlements=self._entitlements(row, moment),
            revision=row.revision + 1,
        )
        if isinstance(found, SessionHeld):
            return found.reasons
        return self._concluded(after_write_off(found, row.revision, chosen), session)

    def _corrected(self, decision: SessionRated) -> Verdict:
        self._allowances.take(decision.allowances)
        return Verdict(SessionAct.CORRECT, (), decision)

    def asks_first(self, moment: Moment) -> bool:
        """Whether a person must agree before a correction moves money."""
        return self._policy_at(moment.at).corrections_agreed

    def _decide(
        self,
        session: ChargingSession,
        row: SessionRow,
        moment: Moment,
        heard_at: datetime,
        corrects: SessionRated | None = None,
    ) -> SessionRated | SessionHeld | Waiting:
        revision = row.revision if corrects is None else corrects.revision + 1
        try:
            return decide(
                session,
                self._declarations,
                moment=moment,
                heard_at=heard_at,
                entitlements=self._entitlements(row, moment, corrects),
                revision=revision,
            )
        except psycopg.Error:
            raise  # the transaction is lost, whatever it was about
        except Exception as error:
            # One session must not stop all others; a person sees it among the held ones.
            logger.exception("%s was not rated", session.session_id)
            name, message = type(error).__name__, bounded(str(error))
            failed = phrase("rating_failed", error=name, message=message)
            return self._held(session, row, moment, (failed,))

    def _held(
        self,
        session: ChargingSession,
        row: SessionRow,
        moment: Moment,
        reasons: tuple[Phrase, ...],
    ) -> SessionHeld:
        return SessionHeld(
            session_id=session.session_id,
            revision=row.revision,
            station_id=session.station_id,
            moment=moment,
            declared_version=self._declarations.version,
            flags=session.flags,
            started_at=session.started_at,
            energy_wh=session.energy_wh,
            reasons=reasons,
        )

    def choose(
        self, session: ChargingSession, row: SessionRow, moment: Moment, choice: Choice
    ) -> Verdict:
        """Return what a person's *choice* makes of a held session."""
        known, by, reason = self._declarations, choice.by, choice.reason
        if choice.choice == "write_off":
            given_up = write_off(
                session, known, moment=moment, by=by, reason=reason, revision=row.revision
            )
            return self._concluded(given_up, session)
        released = release(
            session,
            known,
            moment=moment,
            by=by,
            reason=reason,
            entitlements=self._entitlements(row, moment),
            revision=row.revision,
        )
        return self._concluded(released, session)

    def _entitlements(
        self, row: SessionRow, moment: Moment, corrects: SessionRated | None = None
    ) -> Entitlements:
        found = self.entitlements_of(row.session_id, moment, corrects)
        return msgspec.structs.replace(found, validations=tuple(row.validations))

    def entitlements_of(
        self, session_id: str, moment: Moment, corrects: SessionRated | None
    ) -> Entitlements:
        """Return what others used of shared grants and what clocks show, for one session."""
        zones = self._zones(session_id, moment)
        return Entitlements(corrects=corrects, allowances=self._allowances, zones=zones)

    def count(self, decision: SessionRated) -> None:
        """Count what a *decision* used of shared grants: it will be stored."""
        self._allowances.take(decision.allowances)

    def _zones(self, session_id: str, moment: Moment) -> Zones:
        if self._recorded is None:
            return PINNED_ZONES
        return RecordedZones(self._recorded, session_id, moment.position)

    def _concluded(self, decision: Decision, session: ChargingSession) -> Verdict:
        """Count what a rated session used of shared grants; note what zones others used."""
        moment = decision.moment
        if isinstance(decision, SessionRated):
            self._allowances.take(decision.allowances)
        else:
            traits = self._declarations.traits(session.station_id, moment.at)
            traits = traits.held_at(session.started_at or session.first_received_at)
            zones = self._zones(session.session_id, moment)
            decision = with_zones(decision, session, traits.time_zone, zones)
        reasons = decision.reasons if isinstance(decision, SessionHeld) else ()
        return Verdict(
            ACT_OF[kind_of(decision)], tuple(reason.code for reason in reasons), decision
        )

    def wait(self, at: datetime) -> timedelta:
        """Return how long an ended session waits for what is missing."""
        return timedelta(seconds=self._policy_at(at).wait_s)

    def waits(self, at: datetime) -> tuple[int, int]:
        """Return the seconds after which a session times out: an ended one, and an open one."""
        policy = self._policy_at(at)
        return policy.wait_s, policy.silence_s

    def deadline(self, since: WaitsSince, at: datetime) -> datetime:
        """Return when the first of what waits as *since* says will have waited long enough."""
        # As `decide` waits: a later deadline would leave a session behind until something came.
        policy, deadline = self._policy_at(at), NEVER
        if since.silent_since is not None:
            deadline = since.silent_since + timedelta(seconds=policy.silence_s)
        if since.waiting_since is not None:
            waited = since.waiting_since + timedelta(seconds=policy.wait_s)
            deadline = min(deadline, waited)
        return deadline

    def store(self, decisions: Sequence[Decision], number: int) -> int:
        """Write *decisions*, from *number* on, with what follows; return the next number."""
        store_decisions(self._connection, decisions, first_number=number, closed=self._closed)
        self._allowances.store()
        if self._recorded is not None:
            self._recorded.next_number = number + len(decisions)
        return number + len(decisions)


def _with_clocks(traits: StationTraits, clock: Callable[[str], UtcOffsets]) -> StationTraits:
    """Return *traits*, and those that held before, with what the *clock* of each zone showed."""
    found = msgspec.structs.replace(traits, offsets=clock(traits.time_zone))
    if not isinstance(found, ChangedTraits):
        return found
    earlier = tuple((until, _with_clocks(was, clock)) for until, was in found.earlier)
    return msgspec.structs.replace(found, earlier=earlier)
