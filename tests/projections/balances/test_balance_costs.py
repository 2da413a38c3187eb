"""The balance of a station takes as long as it said much, and no square of that.

A station that nobody checks may tell readings without a session for ever, leave thousands of
transactions open, or tell one register in a thousand sessions. Four times the facts may take at
most six times the processor time; anything squared takes sixteen times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec
import pytest

from ledger.facts.flags import Flag
from ledger.facts.station_clock import SessionClock
from ledger.facts.station_facts import (
    Measurand,
    Reading,
    SessionEnded,
    SessionFact,
    SessionStarted,
    SessionUpdated,
)
from ledger.facts.station_traits import StationTraits
from ledger.sessions.session import ChargingSession
from projections.balances.covered import CoveredRegister, RegisterStretch
from projections.balances.station_energy import station_energy
from tests.hostile.growth import RATIO_MAX, growth

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
FEW, MANY = 2_000, 8_000

Told = tuple[list[SessionFact], list[ChargingSession]]


def _reading(position: int, value_wh: int) -> Reading:
    return Reading(_at(position), Measurand.ENERGY_REGISTER_WH, Decimal(value_wh))


def _at(position: int) -> datetime:
    return NOON + timedelta(seconds=position)


def _update(position: int, value_wh: int) -> SessionUpdated:
    return SessionUpdated(
        station_id="CS-1", position=position, line=0, received_at=_at(position),
        transaction_ref="1", evse_id=1, connector_id=1, occurred_at=_at(position),
        readings=(_reading(position, value_wh),),
    )  # fmt: skip


def _session(
    name: str, facts: Sequence[SessionFact], *, first: int, last: int, flags: tuple[str, ...] = ()
) -> ChargingSession:
    return ChargingSession(
        session_id=f"CS-1/{name}/x", station_id="CS-1", transaction_ref=name, evse_id=1,
        started_at=_at(first), ended_at=_at(last), flags=flags,
        frames=tuple((fact.position, fact.line) for fact in facts), clock=SessionClock(),
        first_received_at=_at(first), last_received_at=_at(last),
    )  # fmt: skip


def readings_of_nobody(count: int) -> Told:
    """Rising by themselves: each may be a spike, if one of those that follow lies below it."""
    return [_update(position, position) for position in range(count)], []


def readings_that_fall(count: int) -> Told:
    """Each may be a dip, if one of those that follow lies above it."""
    return [_update(position, count - position) for position in range(count)], []


def readings_around_one_session(count: int) -> Told:
    """Half of its readings come after its stop."""
    facts = [_update(position, position) for position in range(count)]
    return list(facts), [_session("1", facts, first=0, last=count // 2)]


def readings_between_sessions(count: int) -> Told:
    """Each session is told a reading after its stop."""
    facts: list[SessionFact] = []
    sessions = []
    for first in range(0, count, 4):
        own = [_update(position, position) for position in range(first, first + 4)]
        facts += own
        sessions.append(_session(str(first), own, first=first, last=first + 2))
    return facts, sessions


def sessions_of_one_register(count: int, rise_wh: int = 2) -> Told:
    """All at once, none of them within another's rise."""
    facts: list[SessionFact] = []
    sessions = []
    for first in range(0, count, 2):
        head: dict[str, Any] = {
            "station_id": "CS-1", "line": 0, "transaction_ref": str(first), "evse_id": 1,
            "connector_id": 1,
        }  # fmt: skip
        start = SessionStarted(
            **head, position=first, received_at=_at(first), occurred_at=_at(first),
            token_uid=None, meter_start_wh=Decimal(3 * first),
        )  # fmt: skip
        end = SessionEnded(
            **head, position=first + 1, received_at=_at(count), occurred_at=_at(count),
            token_uid=None, meter_stop_wh=Decimal(3 * first + rise_wh),
        )  # fmt: skip
        facts += [start, end]
        shared = (str(Flag.REGISTER_SHARED),)
        sessions.append(_session(str(first), [start, end], first=first, last=count, flags=shared))
    return facts, sessions


def sessions_of_one_register_one_by_one(count: int) -> Told:
    """Each begins within the rise of the one before it, and of no other."""
    facts, sessions = sessions_of_one_register(count, rise_wh=8)
    return facts, [msgspec.structs.replace(each, ended_at=each.started_at) for each in sessions]


HOSTILE = (
    readings_of_nobody, readings_that_fall, readings_around_one_session, readings_between_sessions,
    sessions_of_one_register, sessions_of_one_register_one_by_one,
)  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE)
def test_four_times_the_facts_take_at_most_six_times_as_long(
    hostile: Callable[[int], Told],
) -> None:
    few, many = hostile(FEW), hostile(MANY)

    small, large = (partial(station_energy, *told, StationTraits()) for told in (few, many))

    assert growth(small, large) <= RATIO_MAX


def _falling(count: int) -> Iterator[RegisterStretch]:
    """Yield what a register rose by that falls farther after each rise."""
    for number in range(count, 0, -1):
        yield RegisterStretch(Decimal(3 * number), Decimal(3 * number + 1))


def test_a_register_that_all_have_takes_no_longer_the_more_stretches_it_is_told_in() -> None:
    def told(count: int) -> list[Decimal]:
        register = CoveredRegister()
        register.cover(list(_falling(count)))
        return register.cover([RegisterStretch(Decimal(0), Decimal(4 * count))] * count)

    assert told(3) == [3, 3, 3]
    assert growth(lambda: told(FEW), lambda: told(MANY)) <= RATIO_MAX
