"""The fold: from the set of facts of one session to the session. Total, pure, order-free.

Billing asks when a session began and ended, how much energy flowed, who pays, and whether a person
must look first. A station answers each of these several times, and differently: the stop comes
twice with two times (quirk 2) or never (1), the start is sent again after a reconnect (3), the
clock stands in 1970 or shows local time as UTC (20, 21), a message in between is missing (24).

So each question has one rule over all the facts, and what does not agree becomes a flag; some
flags forbid that the session is rated without a person (`ledger.facts.flags`). The start is the
earliest one told; the stop is the first that is valid, not the first that came; times are the
device's, corrected only by what all frames of the session show of its clock; the starter pays,
whoever stops; the energy is what `ledger.meter.measure` makes of the registers.

A 2.0.1 station sends event 0, Started, at 08:00 with 1,000 Wh and event 2, Ended, at 09:00 with
6,000 Wh:

    -> 5,000 Wh, 1 is missing: seq_gap, which blocks
    event 1 comes ten minutes after the end      -> 5,000 Wh and no flag
    or the station says its queue is empty now   -> seq_gap_closed, which does not block

A start at 08:00 with 1,000 Wh, a reading of 3,000 Wh at 08:30, the connector free at 08:45, and
at 10:00 the next start there with 3,500 Wh:

    -> not ended: stop_lost, which blocks; 2,000 Wh until 08:45 (`provisional_ended_at`), which a
       person may release. The 500 Wh that nobody saw flow are unattributed in the energy balance.

The obvious way is a state machine that takes events as they come. It would need an answer for each
event in each state, and ten messages of an offline queue can come in 3,628,800 orders. A set has
none. The price is to fold a session from its beginning whenever a fact of it comes.

An end is never invented: a guessed stop that is billed and then told otherwise costs a credit note
and a second invoice. And nothing raises, for one odd frame would leave its whole station undecided.

What must stay true: the same set, the same session, and energy that is never negative nor time
that goes back (tests/ledger/sessions/test_station_fold.py); no content raises
(tests/quirks/test_quirks_content.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain

from ledger.facts.first_told import first_told
from ledger.facts.flags import Flag, blockers_of
from ledger.facts.station_clock import SessionClock, bound_flags, learn_clock
from ledger.facts.station_facts import (
    SessionEnded,
    SessionFact,
    SessionStarted,
    SessionUpdated,
    StopAttested,
    happened_at,
)
from ledger.facts.station_quote import StationQuote, flags_of_quote, joined_quote
from ledger.log.authorization import Authorization
from ledger.meter.checks import is_coarse
from ledger.meter.evidence import MeterEvidence, evidence_of
from ledger.meter.measure import measure
from ledger.meter.series import Counted, Metered, PowerLimit
from ledger.meter.signed import signed_flags
from ledger.sessions.reuse.starts import (
    authorization_of,
    earliest_start,
    reservation_of,
    start_flags,
)
from ledger.sessions.segments import (
    Segment,
    Source,
    is_without_id,
    naive_moments,
    place_of,
    source_of,
)
from ledger.sessions.sequence import check_sequence, queue_told
from ledger.sessions.session import ChargingSession, SessionSpan, points_of, session_id_of
from ledger.sessions.session_end import choose_end, is_dated_outside
from ledger.sessions.surroundings import Surroundings, flags_around
from ledger.sessions.vehicle.activity import StateChange, fold_activity, with_power
from ledger.sessions.vehicle.contradicted import was_free_meanwhile, went_on
from ledger.sessions.vehicle.last_sign import last_sign_of, provisional_end


def fold_session(segment: Segment, around: Surroundings) -> ChargingSession:
    """Return the session that the facts in *segment* tell."""
    return _Fold(segment, around).session()


class _Fold:
    """One fold; the steps fill `_flags`."""

    def __init__(self, segment: Segment, around: Surroundings) -> None:
        self._segment, self._around = segment, around
        self._facts: list[SessionFact] = segment.facts
        self._sources = list(map(source_of, self._facts))
        self._flags: set[str] = {flag for fact in self._facts for flag in fact.oddities}
        # What a person attests says nothing of the station's clock, nor when it was heard.
        heard = [fact for fact in self._facts if type(fact) is not StopAttested]
        received = [fact.received_at for fact in heard or self._facts]
        self._received = min(received), max(received)
        self._traits = around.traits.held_at(segment.starts_at or self._received[0])
        self._last_at = max([fact.received_at for fact in self._facts])
        self._queue = queue_told(segment.queue, around.queue_empty_at)
        self._heard = around.states.received(*self._received)
        self._pairs = first_told((*heard, *self._heard))
        self._clock = self._learn_clock()
        self._ats = [happened_at(fact, self._clock) for fact in self._facts]
        self._start = self._choose_start()
        self._evse_id, self._connector_id = self._place()

    def session(self) -> ChargingSession:
        """Return the folded session."""
        end, started_at, ended_at = self._bounds()
        unused, evidence = self._evidence(end)
        metered = self._measured(evidence, started_at, ended_at)
        provisional_at = None if end else self._provisional_end(started_at, metered)
        until = ended_at or provisional_at
        spans, last_sign_at = self._vehicle(end, (started_at, until), metered, evidence)
        missing, token = self._check_sequence(end), self._token(end)
        quote, found = self._quote(end), self._authorization(token)
        flags = {str(flag) for flag in (*self._flags, *metered.flags)}
        return ChargingSession(
            session_id=self._session_id(started_at, ended_at),
            station_id=self._around.station_id,
            transaction_ref=self._segment.transaction_ref,
            evse_id=self._evse_id,
            connector_id=self._connector_id,
            token_uid=token,
            authorization=found,
            stopped_by=end.token_uid if end else None,
            stop_reason=end.reason if end else None,
            reservation_id=reservation_of(self._start, self._segment.updates, self._at),
            started_at=started_at,
            ended_at=ended_at,
            provisional_ended_at=provisional_at,
            last_sign_at=last_sign_at,
            energy_wh=metered.energy_wh,
            meter_start_wh=metered.start_wh,
            meter_stop_wh=metered.stop_wh,
            unattributed_wh=metered.unattributed_wh,
            exported_wh=evidence.exported_wh,
            points=points_of(metered, evidence, until),
            spans=spans,
            flags=tuple(sorted(flags)),
            blockers=blockers_of(flags),
            missing_seq_nos=missing,
            frames=tuple(sorted({*self._sources, *map(source_of, self._segment.queue)})),
            unused_frames=tuple(sorted(unused)),
            signed=sum([len(fact.signed) for fact in self._facts]),
            dropped=tuple(sorted(metered.dropped)),
            refused_starts=tuple(sorted(metered.refused_starts)),
            refused_stops=tuple(sorted(metered.refused_stops)),
            clock=self._clock,
            quote=quote,
            first_received_at=self._received[0],
            last_received_at=self._queue.waits_from(self._last_at),
            attested=end if type(end) is StopAttested else None,
            facts_from=self._segment.facts_from,
            window=self._around.own_window,
        )

    def _bounds(self) -> tuple[SessionEnded | None, datetime | None, datetime | None]:
        """Return the stop that holds, the start's moment and the stop's, never before it."""
        started_at = self._at(self._start) if self._start else None
        chosen = choose_end(self._segment.ends, self._start, self._clock)
        self._flags |= chosen.flags
        bounds = (self._start, None if type(chosen.end) is StopAttested else chosen.end)
        told = [(at, each.received_at) for each in bounds if each and (at := each.occurred_at)]
        self._flags |= bound_flags(self._clock, self._pairs, told, self._around.boots)
        ended_at = self._at(chosen.end) if chosen.end else None
        if started_at and ended_at and ended_at < started_at:
            self._flags.add(Flag.STOP_BEFORE_START)
            ended_at = started_at
        self._flags |= {*flags_around(self._around, self._segment, self._sources)}
        if any(fact.offline for fact in self._facts):
            self._flags.add(Flag.OFFLINE)
        # A boot carries no time of the station: ours stands in.
        if started_at is not None and self._around.has_booted(started_at, ended_at):
            self._flags.add(Flag.INTERRUPTED)
        return chosen.end, started_at, ended_at

    def _session_id(self, started_at: datetime | None, ended_at: datetime | None) -> str:
        ref = self._segment.transaction_ref
        told_apart_by = ended_at if is_without_id(ref) else None
        station_id, stray = self._around.station_id, self._segment.stray
        return session_id_of(station_id, ref, started_at, told_apart_by, stray=stray)

    def _place(self) -> tuple[int | None, int | None]:
        """Return EVSE and connector: the start's, else those of the first frame that names any."""
        # Only the first frame names a place (quirk 27); none is ever invented.
        for fact in chain((self._start,) if self._start else (), self._facts):
            if place_of(fact) is not None:
                return fact.evse_id, fact.connector_id
        self._flags.add(Flag.PLACE_UNKNOWN)
        return None, None

    def _at(self, fact: SessionFact) -> datetime:
        return happened_at(fact, self._clock)

    def _learn_clock(self) -> SessionClock:
        clock = learn_clock(self._pairs, self._traits)
        self._flags |= set(clock.flags)
        if any(clock.is_ambiguous(*pair) for pair in naive_moments(self._facts)):
            self._flags.add(Flag.HOUR_AMBIGUOUS)
        return clock

    def _choose_start(self) -> SessionStarted | None:
        """Return the start: of several that tell the same, the earliest by content."""
        starts = self._segment.starts
        if not starts:
            self._flags.add(Flag.UNMATCHED_STOP if self._is_unmatched() else Flag.START_MISSING)
            return None
        self._flags |= start_flags(starts, self._around.has_booted)
        return earliest_start(starts, self._at)

    def _is_unmatched(self) -> bool:
        """Return True for stops without numbers: no start of ours will ever come for them."""
        return all(fact.seq_no is None for fact in self._facts)

    def _evidence(self, end: SessionEnded | None) -> tuple[set[Source], MeterEvidence]:
        """Return the frames of stops that do not hold, and what all others say of energy.

        Such a stop gives no reading either, or the balance would meter it too.
        """
        unused = {source_of(other) for other in self._segment.ends if other is not end}
        used = [each for each in self._timed() if not unused or source_of(each[1]) not in unused]
        evidence = evidence_of(used, self._clock, factor=self._traits.register_factor)
        self._limit = PowerLimit(self._traits.max_power_w, coarse=is_coarse(evidence))
        return unused, evidence

    def _measured(
        self,
        evidence: MeterEvidence,
        started_at: datetime | None,
        ended_at: datetime | None,
    ) -> Metered:
        if started_at is None:
            # Without a start nothing says which part of the register is this session's.
            return Metered(flags=evidence.flags)
        metered = measure(
            evidence,
            started_at=started_at,
            ended_at=ended_at,
            limit=self._limit,
            restarts=self._around.boots,
            until=self._around.next_start_at,
        )
        if ended_at:
            if metered.energy_wh == 0:
                self._flags.add(Flag.ZERO_ENERGY)
            self._flags |= signed_flags(self._facts, metered, (started_at, ended_at), self._traits)
        return metered

    def _provisional_end(self, started_at: datetime | None, metered: Metered) -> datetime | None:
        """Return the last sign of an open session."""
        next_start_at = self._around.next_start_at
        if next_start_at is not None:
            self._flags.add(Flag.STOP_LOST)
        if self._queue.is_over_since(self._received[1]):
            self._flags.add(Flag.STOP_NOT_HELD)
        if started_at is None:
            return None
        counted = metered.counted
        since = min([started_at, *(each.reading.at for each in counted[:1])])
        states = self._around.states.shown_by(self._clock, since, self._connector_id)
        return provisional_end(started_at, next_start_at, counted, self._ats, states.freed_at)

    def _vehicle(
        self,
        end: SessionEnded | None,
        bounds: tuple[datetime | None, datetime | None],
        metered: Metered,
        evidence: MeterEvidence,
    ) -> tuple[tuple[SessionSpan, ...], datetime | None]:
        """Return what the vehicle did, and where its last sign ends if that is before the stop."""
        started_at, until = bounds
        if started_at is None or until is None:
            return (), None
        counted = metered.counted
        # What an open session counted after its last sign still says when the vehicle drew.
        last = max([until, *(each.reading.at for each in counted[-1:])])
        changes = self._changes(started_at, last)
        spans = fold_activity(changes, started_at, until, counted)
        believed = [change for change, is_refuted in changes.items() if not is_refuted]
        # When we heard of a state is not when it came: a doubt, where it moves a border.
        if len(believed) < len(changes) and spans != fold_activity(
            believed, started_at, until, counted
        ):
            self._flags.add(Flag.CLOCK_AHEAD)
        spans = with_power(spans, until, counted, evidence.powers, self._limit)
        if end is None:
            return spans, None
        updates = [at for at, fact in self._timed() if isinstance(fact, SessionUpdated)]
        if is_dated_outside((started_at, until), updates, metered, evidence):
            self._flags.add(Flag.CLOCK_JUMPED)
        if self._is_contradicted(end, (started_at, until), changes, counted):
            self._flags.add(Flag.CLOCK_JUMPED)
        sign = last_sign_of(
            end,
            (started_at, until),
            changes,
            evidence.moments,
            counted=counted,
            boots=self._around.boots,
            limit=self._limit,
        )
        self._flags |= sign.flags
        return spans, sign.at

    def _is_contradicted(
        self,
        end: SessionEnded,
        bounds: tuple[datetime, datetime],
        changes: Mapping[StateChange, bool],
        counted: Sequence[Counted],
    ) -> bool:
        """Return True when states refute the time of a start or stop that came late."""
        start, (started_at, ended_at) = self._start, bounds
        if start and was_free_meanwhile(start.received_at, started_at, changes, counted):
            return True
        clock, next_start_at = self._clock, self._around.next_start_at
        place = self._connector_id
        return went_on(end, ended_at, self._timed(), self._heard, clock, next_start_at, place)

    def _check_sequence(self, end: SessionEnded | None) -> tuple[int, ...]:
        numbered = [
            (at, fact.seq_no, index, fact)
            for index, (at, fact) in enumerate(self._timed())
            if fact.seq_no is not None
        ]
        if not numbered:
            return ()
        in_time = [fact for *_, fact in sorted(numbered)]
        checked = check_sequence(in_time, has_ended=end is not None)
        self._flags |= checked.flags
        # An answer from before the stop came says nothing about what was queued behind it.
        if checked.missing and end is not None and self._queue.is_empty_since(end.received_at):
            self._flags.discard(Flag.SEQ_GAP)
            self._flags.add(Flag.SEQ_GAP_CLOSED)
        return checked.missing

    def _token(self, end: SessionEnded | None) -> str | None:
        """Return the token: the start's, else the first that an update names.

        Who stopped the session is evidence; the starter pays.
        """
        named = sorted(
            (at, fact.seq_no or 0, fact.token_uid)
            for at, fact in self._timed()
            if fact.token_uid is not None and isinstance(fact, SessionUpdated)
        )
        started_with = self._start.token_uid if self._start else None
        tokens = [token for *_, token in named]
        token = started_with if started_with is not None else next(iter(tokens), None)
        if token is None:
            self._flags.add(Flag.TOKEN_MISSING)
        elif end is not None and end.token_uid not in {None, token}:
            self._flags.add(Flag.OTHER_TOKEN_STOPPED)
        if any(other not in {None, token} for other in tokens):
            self._flags.add(Flag.ID_AMBIGUOUS)
        return token

    def _authorization(self, token: str | None) -> Authorization | None:
        found = authorization_of(self._timed(), token)
        if found is not None and found.status == "no_credit":
            self._flags.add(Flag.STARTED_WITHOUT_CREDIT)
        return found

    def _quote(self, end: SessionEnded | None) -> StationQuote | None:
        said = [((at, fact.seq_no or 0), fact.quote) for at, fact in self._timed() if fact.quote]
        quote = joined_quote(said, end.quote if end else None)
        self._flags |= flags_of_quote(quote)
        return quote

    def _changes(self, started_at: datetime, last: datetime) -> dict[StateChange, bool]:
        """Return every state from the start to the *last* moment, and if its time is not believed.

        What the connector did before the start belongs to whoever stood there.
        """
        changes: dict[StateChange, bool] = {}
        for at, fact in self._timed():
            if fact.charging_state is not None:
                change = (at, fact.seq_no or 0, str(fact.charging_state))
                is_refuted = self._clock.refutes(fact.occurred_at, fact.received_at)
                changes[change] = is_refuted and changes.get(change, True)
        shown = self._around.states.shown_by(self._clock, started_at, self._connector_id)
        for change, is_refuted in shown.between(started_at, last):
            changes[change] = is_refuted and changes.get(change, True)
        return changes

    def _timed(self) -> Iterator[tuple[datetime, SessionFact]]:
        """Yield its facts, in log order, with their effective times."""
        return zip(self._ats, self._facts, strict=True)
