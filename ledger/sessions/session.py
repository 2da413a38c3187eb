"""The charging session as billing sees it: the pure fold of the facts of one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from ledger.facts.flags import blockers_of
from ledger.facts.station_clock import SessionClock
from ledger.facts.station_facts import StopAttested
from ledger.facts.station_quote import StationQuote
from ledger.log.authorization import Authorization
from ledger.meter.evidence import MeterEvidence
from ledger.meter.series import Metered, RegisterReading
from ledger.sessions.loose_frames import Window
from tariffs.model.usage import Activity


class SessionPoint(msgspec.Struct, frozen=True, array_like=True):
    """Energy since the start at a moment, and the log line whose frame said so.

    `register_wh` is the register's value as it was used, None where the point was derived.
    """

    at: datetime
    energy_wh: Decimal
    position: int
    line: int
    register_wh: Decimal | None = None
    power_w: Decimal | None = None


class SessionSpan(msgspec.Struct, frozen=True, array_like=True):
    """What the EVSE did from `starts_at` until the next span.

    `power_w` is what flowed, by the meter, although the vehicle was said to be parking.
    """

    starts_at: datetime
    activity: Activity
    power_w: Decimal = Decimal(0)


class ChargingSession(msgspec.Struct, frozen=True, kw_only=True):
    """One charging session. Times are effective times in UTC; energies are exact Wh.

    `points` begin at the start with 0 and, once ended, stop at the end with `energy_wh`.
    One that is under way has `ended_at` None; `provisional_ended_at` is the last sign of it, and
    its points end there, so that a person may release it as it is. `last_sign_at` is where the last
    sign of the vehicle ends where that is before the stop. `frames` are the (position,
    line) of every fact in it, `unused_frames` those of stops that do not hold, `dropped` the
    samples of the register that were not used, `refused_starts` and `refused_stops` what start and
    stop say of it and does not hold. `blockers` are the flags that forbid automatic rating.
    Facts of its reference dated before `facts_from` are an earlier session's; None: it is the
    first one. `window` is where it lies by its own frames, None without a start. `authorization` is
    what its token was found to be when the start was logged, or else the first event that names it.
    `exported_wh` is what the vehicle gave back, None where nothing showed it, and no part of
    `energy_wh`; `quote` what the station says of its price. `attested` is its stop, where
    a person's word holds for it.
    """

    session_id: str
    station_id: str
    transaction_ref: str
    evse_id: int | None = None
    connector_id: int | None = None
    token_uid: str | None = None
    authorization: Authorization | None = None
    stopped_by: str | None = None
    stop_reason: str | None = None
    reservation_id: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    provisional_ended_at: datetime | None = None
    last_sign_at: datetime | None = None
    energy_wh: Decimal | None = None
    meter_start_wh: Decimal | None = None
    meter_stop_wh: Decimal | None = None
    unattributed_wh: Decimal = Decimal(0)
    exported_wh: Decimal | None = None
    points: tuple[SessionPoint, ...] = ()
    spans: tuple[SessionSpan, ...] = ()
    flags: tuple[str, ...] = ()
    blockers: tuple[str, ...] = ()
    missing_seq_nos: tuple[int, ...] = ()
    frames: tuple[tuple[int, int], ...] = ()
    unused_frames: tuple[tuple[int, int], ...] = ()
    signed: int = 0
    dropped: tuple[RegisterReading, ...] = ()
    refused_starts: tuple[RegisterReading, ...] = ()
    refused_stops: tuple[RegisterReading, ...] = ()
    clock: SessionClock = SessionClock()
    quote: StationQuote | None = None
    attested: StopAttested | None = None
    first_received_at: datetime
    last_received_at: datetime
    facts_from: datetime | None = None
    window: Window | None = None

    def flagged(self, flag: str) -> ChargingSession:
        """Return it with *flag*."""
        flags = tuple(sorted({*self.flags, flag}))
        return msgspec.structs.replace(self, flags=flags, blockers=blockers_of(flags))

    @property
    def is_ended(self) -> bool:
        """True when the station said that the session ended."""
        return self.ended_at is not None

    @property
    def is_complete(self) -> bool:
        """True when the session ended and nothing forbids automatic rating."""
        return self.is_ended and not self.blockers

    @property
    def duration(self) -> timedelta | None:
        """The time from start to end, or to the last sign of an open session."""
        end = self.ended_at or self.provisional_ended_at
        return None if self.started_at is None or end is None else end - self.started_at


def session_id_of(
    station_id: str,
    transaction_ref: str,
    started_at: datetime | None,
    ended_at: datetime | None = None,
    *,
    stray: str = "",
) -> str:
    """Return the session's id, made of what a station cannot easily repeat by accident.

    *ended_at* tells sessions apart that have neither a start nor an id of their own, *stray* those
    without a start from others of their id. Where two began in one second, `told_apart` does.
    """
    if started_at is not None:
        moment = _written(started_at)
    elif stray:
        moment = f"no-start-{stray}"
    elif ended_at is not None:
        moment = f"no-start-{_written(ended_at)}"
    else:
        moment = "no-start"
    return f"{station_id}/{transaction_ref or 'no-id'}/{moment}"


def _written(at: datetime) -> str:
    # Asked for at every fold, and `strftime` takes five times as long.
    date = f"{at.year:04}{at.month:02}{at.day:02}"
    return f"{date}T{at.hour:02}{at.minute:02}{at.second:02}Z"


def told_apart(
    sessions: Sequence[ChargingSession], came: Sequence[tuple[int, int]]
) -> tuple[ChargingSession, ...]:
    """Return *sessions* of one transaction, those that began in one second told apart by their ids.

    Numbered in the order in which they *came* (where the first start of each stands), so that none
    changes its id for one that comes later.
    """
    if len({session.session_id for session in sessions}) == len(sessions):
        return tuple(sessions)
    known: Counter[str] = Counter()
    ids: dict[int, str] = {}
    for index in sorted(range(len(sessions)), key=came.__getitem__):
        session_id = sessions[index].session_id
        known[session_id] += 1
        count = known[session_id]
        ids[index] = session_id if count == 1 else f"{session_id}-{count}"
    return tuple(
        msgspec.structs.replace(session, session_id=ids[index])
        for index, session in enumerate(sessions)
    )


def points_of(
    metered: Metered, evidence: MeterEvidence, until: datetime | None
) -> tuple[SessionPoint, ...]:
    """Return the counted readings as points: one a moment, the last one at *until*."""
    powers = {power.at: power.power_w for power in evidence.powers}
    points: list[SessionPoint] = []
    for each in metered.counted:
        reading, energy_wh = each.reading, each.energy_wh
        if until is not None and reading.at > until:
            break  # a free connector ended an open session; from there on nothing was drawn
        point = SessionPoint(
            reading.at,
            energy_wh,
            reading.position,
            reading.line,
            reading.value_wh,
            powers.get(reading.at),
        )
        if len(points) > 1 and points[-1].at == point.at:
            points[-1] = point
        elif len(points) == 1 and points[0].at == point.at and energy_wh == 0:
            continue
        else:
            points.append(point)
    if points and until is not None and points[-1].at < until:
        last = points[-1]
        points.append(SessionPoint(until, last.energy_wh, last.position, last.line))
    return tuple(points)


def billed(session: ChargingSession) -> tuple[object, ...]:
    """Return what an invoice depends on."""
    points = tuple((point.at, point.energy_wh) for point in session.points)
    return (
        session.started_at,
        session.ended_at,
        session.last_sign_at,
        session.energy_wh,
        session.unattributed_wh,
        session.token_uid,
        session.authorization,
        session.evse_id,
        session.connector_id,
        points,
        session.spans,
        session.blockers,
        session.quote and session.quote.cost,
    )
