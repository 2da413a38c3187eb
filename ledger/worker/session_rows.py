"""Rows of `session`, as the worker reads and writes them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from ledger.facts.flags import STOP_IS_GONE, Flag
from ledger.facts.station_clock import FARTHEST, SKEW_MAX
from ledger.facts.station_facts import Measurand, SessionStarted, SessionUpdated
from ledger.facts.station_traits import StationTraits
from ledger.log.authorization import Authorization
from ledger.rating.decisions import FIRST_REVISION
from ledger.sessions.loose_frames import Window
from ledger.sessions.segments import place_of
from ledger.sessions.session import ChargingSession, session_id_of
from ledger.sessions.states import (
    DECIDED,
    UNFINISHED,
    SessionAct,
    SessionState,
    moved,
)

RECENT: Final = timedelta(hours=2)
"""How long a decided session stays a candidate for frames that name no transaction of ours."""
TOLD_AGAIN: Final = frozenset(
    {
        Flag.DUPLICATE_START,
        Flag.DUPLICATE_STOP,
        Flag.CONFLICTING_STOP,
        Flag.ID_REUSED,
        Flag.ID_AMBIGUOUS,
    }
)
"""Flags of frames that were told again, which may come after a final decision."""
BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
NEVER: Final = datetime.max.replace(tzinfo=UTC)
_ZERO: Final = Decimal(0)
# A name of its own: to look up an enum's member takes longer than to compare it.
_REGISTER: Final = Measurand.ENERGY_REGISTER_WH
NEXT_DAY: Final = timedelta(days=1)
"""How long after an open session's last fact the next start on its connector still bounds it."""


class WaitsSince(NamedTuple):
    """Since when the unfinished sessions of a station wait; None: none does.

    The first one without end waits while the station is silent, since `silent_since`; the first
    that lacks something else since its last fact.
    """

    silent_since: datetime | None = None
    waiting_since: datetime | None = None


AT_REST: Final = WaitsSince()


class SessionRow(msgspec.Struct, kw_only=True):
    """One row of `session`; the fields are its columns, in their order.

    `window` is kept only where it is not what the other columns say (`lies`). `told_gross` is the
    price that its station was told last after its end; `is_refused`: its start was answered that
    this token may not charge, and nobody charged by it who is billed all the same.
    """

    session_id: str
    partition: int
    station_id: str
    transaction_ref: str
    state: SessionState
    revision: int = FIRST_REVISION
    flags: list[str] = []
    blockers: list[str] = []
    reasons: list[str] = []
    evse_id: int | None = None
    connector_id: int | None = None
    token_uid: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    stop_reason: str | None = None
    energy_wh: Decimal | None = None
    meter_start_wh: Decimal | None = None
    meter_stop_wh: Decimal | None = None
    register_wh: Decimal | None = None
    first_fact_at: datetime
    last_fact_at: datetime
    heard_at: datetime
    validations: list[str] = []
    facts_from: datetime | None = None
    window: Window | None = None
    told_gross: Decimal | None = None
    is_refused: bool = False

    def __post_init__(self) -> None:
        self.state = SessionState(self.state)  # a column's text
        if self.window is not None and not isinstance(self.window, Window):
            self.window = msgspec.convert(self.window, Window)  # a column's JSON

    @property
    def lies(self) -> Window | None:
        """Where it lies by its own frames; None without a start."""
        if self.window is not None or self.started_at is None:
            return self.window
        return Window(
            transaction_ref=self.transaction_ref,
            place=self.connector_id if self.evse_id is None else self.evse_id,
            starts_at=self.started_at,
            ends_at=self.ended_at,
            next_start_at=None,
            meter_start_wh=self.meter_start_wh,
            meter_stop_wh=self.meter_stop_wh,
            token_uid=self.token_uid,
            begin_wh=self.meter_start_wh,
        )

    def lies_at(self, place: int, at: datetime) -> bool:
        """Whether it had begun at *place* and was not over *at* a moment, by what is known."""
        where = self.connector_id if self.evse_id is None else self.evse_id
        if where != place or self.started_at is None or self.ended_at is None:
            return False
        return self.started_at <= at < self.ended_at

    @property
    def begins(self) -> datetime:
        """From when on what its transaction tells is no earlier session's."""
        return self.facts_from or BEGINNING

    @property
    def is_unfinished(self) -> bool:
        """True while no decision was taken."""
        return self.state in UNFINISHED

    @property
    def lacks_end(self) -> bool:
        """True where only its stop, another session or time can move it: no reading does."""
        is_held = self.state is SessionState.HELD and self.ended_at is None
        return is_held or self.state is SessionState.OPEN

    def waits_since(self, heard_at: datetime) -> WaitsSince:
        """Since when it waits, unfinished, at a station that was *heard_at* last."""
        if self.state is SessionState.OPEN and STOP_IS_GONE.isdisjoint(self.flags):
            return WaitsSince(silent_since=max(self.last_fact_at, heard_at))
        return WaitsSince(waiting_since=self.last_fact_at)

    def read_on(self, fact: SessionUpdated) -> None:
        """Note a reading of a session without end: shown until a fold says what it means."""
        self.last_fact_at = max(self.last_fact_at, fact.received_at)
        for reading in fact.readings:
            if reading.measurand is _REGISTER and reading.phase is None:
                # Who is to release a held session must see about what will be billed.
                if self.state is SessionState.HELD and self.energy_wh is not None:
                    risen = reading.value - (self.register_wh or reading.value)
                    if risen > 0:
                        self.energy_wh += risen
                self.register_wh = reading.value
                return

    def is_elsewhere(self, fact: SessionUpdated) -> bool:
        """Whether a numbered *fact* names another place than this session's."""
        if fact.seq_no is None:
            return False
        place = self.connector_id if self.evse_id is None else self.evse_id
        return None not in (place, place_of(fact)) and place != place_of(fact)

    def is_named_by(self, fact: SessionUpdated) -> bool:
        """Whether *fact* is the first to say who charges: the cable had begun the transaction."""
        return self.token_uid is None and fact.token_uid is not None

    def is_of(self, window: Window) -> bool:
        """Whether *window* is where this session lies."""
        return self.lies is not None and self.lies.starts_at == window.starts_at

    def covers(self, session: ChargingSession) -> bool:
        """Whether what was decided about this session covers time of *session* at its place."""
        if self.state not in DECIDED or self.started_at is None or session.started_at is None:
            return False
        if Flag.DISSOLVED in self.flags:
            return False
        if self.session_id == session.session_id or (
            None not in (self.evse_id, session.evse_id) and self.evse_id != session.evse_id
        ):
            return False
        is_before = session.ended_at is not None and session.ended_at <= self.started_at
        return not is_before and session.started_at < (self.ended_at or self.started_at)

    def note_told_again(self, session: ChargingSession) -> bool:
        """Take over, after a final decision, how frames were told again; say whether that is new.

        A stop that seemed to conflict may turn out to be another session's. But what was attached
        to a session is not looked for again for as long as the session is.
        """
        if self.state not in DECIDED:
            return False
        before, was = self.flags, set(self.flags)
        if Flag.RESOLVED_BY_CONTEXT not in was:
            was -= TOLD_AGAIN
        self.flags = sorted(was | TOLD_AGAIN.intersection(session.flags))
        return self.flags != before

    def compare_told(self, rated: Decimal) -> None:
        """Say whether its station was told another price than it was *rated* at."""
        flags = {*self.flags} - {Flag.PRICE_TOLD_DIFFERS}
        if self.told_gross is not None and self.told_gross != rated:
            flags.add(Flag.PRICE_TOLD_DIFFERS)
        self.flags = sorted(flags)

    def heir(self, sessions: Iterable[ChargingSession]) -> str | None:
        """Return which of *sessions* goes on what this one began: whose start lies nearest.

        A record may bring an older session under the same reference beside the moved start.
        """
        began = self.started_at or self.first_fact_at
        return min(
            (
                (abs((each.started_at or each.first_received_at) - began), each.session_id)
                for each in sessions
                if self.token_uid in (None, each.token_uid)
                and (self.evse_id is None or self.evse_id == each.evse_id)
            ),
            default=(None, None),
        )[1]

    def follow(self, session: ChargingSession) -> None:
        """Move as the fold says of an unfinished session: its end came, or is none any more."""
        if session.is_ended and self.state is SessionState.OPEN:
            self.state = moved(self.state, SessionAct.END)
        elif not session.is_ended and self.state is SessionState.WAITING:
            self.state = moved(self.state, SessionAct.REOPEN)

    def lie(self, session: ChargingSession) -> bool:
        """Take over where the session lies among others; say whether that moved."""
        before = self.facts_from, self.lies
        self.facts_from, self.window = session.facts_from, None
        if self.lies != session.window:
            self.window = session.window
        return before != (self.facts_from, self.lies)

    def describe(self, session: ChargingSession, heard_at: datetime) -> None:
        """Take over what the fold says of an undecided session; where it lies, `lie` does."""
        self.flags, self.blockers = list(session.flags), list(session.blockers)
        self.evse_id, self.connector_id = session.evse_id, session.connector_id
        self.token_uid = session.token_uid
        # What a station tells of a time without connection was answered Accepted: it has charged.
        is_offline = Flag.OFFLINE in session.flags
        # So has who had no credit, and charges all the same: it is billed like any other.
        is_billed = Flag.STARTED_WITHOUT_CREDIT in session.flags and bool(session.energy_wh)
        is_refused = _is_refused(session.authorization)
        self.is_refused = is_refused and not (is_offline or is_billed)
        self.started_at, self.ended_at = session.started_at, session.ended_at
        self.stop_reason = session.stop_reason
        self.energy_wh = session.energy_wh
        self.meter_start_wh = session.meter_start_wh
        self.meter_stop_wh = session.meter_stop_wh
        self.first_fact_at = session.first_received_at
        self.last_fact_at = session.last_received_at
        self.heard_at = heard_at
        registers = [p.register_wh for p in session.points if p.register_wh is not None]
        self.register_wh = registers[-1] if registers else session.meter_start_wh


def _is_refused(found: Authorization | None) -> bool:
    return found is not None and found.status != "accepted"


def row_of_start(
    start: SessionStarted, traits: StationTraits, partition: int, heard_at: datetime
) -> SessionRow | None:
    """Return what the fold of a lone *start* comes to; None where it takes the fold to say so.

    That is, where its time, its place, its token or its register is anything but plain.
    """
    at, register = start.occurred_at, start.meter_start_wh
    if at is None or at.tzinfo is not UTC or not traits.commissioned_on <= at < FARTHEST:
        return None
    then = traits.held_at(at)
    if abs(at - start.received_at) > SKEW_MAX or then.clock_offset_s is not None:
        return None
    if register is None or register < 0 or then.register_factor is not None:
        return None
    is_odd = start.oddities or start.readings or start.signed or start.offline or start.quote
    has_credit = start.authorization is None or start.authorization.status != "no_credit"
    if is_odd or not has_credit or start.token_uid is None or place_of(start) is None:
        return None
    return SessionRow(
        session_id=session_id_of(start.station_id, start.transaction_ref, at),
        partition=partition,
        station_id=start.station_id,
        transaction_ref=start.transaction_ref,
        state=SessionState.OPEN,
        evse_id=start.evse_id,
        connector_id=start.connector_id,
        token_uid=start.token_uid,
        is_refused=_is_refused(start.authorization),
        started_at=at,
        energy_wh=_ZERO,
        meter_start_wh=register,
        register_wh=register,
        first_fact_at=start.received_at,
        last_fact_at=start.received_at,
        heard_at=heard_at,
    )


# One statement for all rows; a COPY cannot update.


def new_row(
    session: ChargingSession, transaction_ref: str, partition: int, heard_at: datetime
) -> SessionRow:
    """Return the row of a session that the fold shows for the first time."""
    return SessionRow(
        session_id=session.session_id,
        partition=partition,
        station_id=session.station_id,
        transaction_ref=transaction_ref,
        state=SessionState.OPEN,
        first_fact_at=session.first_received_at,
        last_fact_at=session.last_received_at,
        heard_at=heard_at,
    )
