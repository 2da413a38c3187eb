"""What a replay takes from recorded decisions: standings by revision, zones by position."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from ledger.facts.flags import Flag
from ledger.rating import recorded as recorded_decisions
from ledger.rating.decisions import (
    AllowanceUse,
    Decision,
    Moment,
    SessionHeld,
    SessionRevision,
    ZoneOffsets,
)
from ledger.rating.entitlements import AllowanceKey, Standing
from ledger.rating.recorded import RecordedAllowances, RecordedDecisions, RecordedZones
from ledger.sessions.states import SessionState
from ledger.worker.session_rows import SessionRow
from ledger.worker.stored.session_store import store_rows
from tariffs.adjustments.consumption import NOTHING, Consumption
from tariffs.offsets import UtcOffset
from tariffs.zones import TZDATA_VERSION
from tests.depot import NOON, keep_decisions, rated, session

OLD, BERLIN = "1999.1", "Europe/Berlin"
KEY = AllowanceKey("t/allowance/home/everybody", "2026-11")
TWO, THREE = (UtcOffset(None, 7200),), (UtcOffset(None, 10800),)
DAY = timedelta(days=1)


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database) as connection:
        connection.execute("SET search_path = books, inputs")
        connection.commit()
        yield connection


def recorded(connection: psycopg.Connection[Any], *decisions: Decision) -> RecordedDecisions:
    """Return *decisions*, each of its own position, as the books hold them."""
    keep_decisions(connection, decisions)
    return RecordedDecisions(connection, "books")


def held(
    position: int = 1,
    *,
    number: int = 1,
    at: datetime = NOON,
    zone: str = BERLIN,
    offsets: tuple[UtcOffset, ...] = TWO,
    tzdata: str | None = OLD,
    station: str = "ST-1",
    has_start: bool = True,
) -> SessionHeld:
    return SessionHeld(
        session_id=f"{station}/{number}",
        revision=1,
        station_id=station,
        moment=Moment(partition=0, position=position, at=at),
        declared_version=1,
        flags=(Flag.ZONE_MISSING,),
        started_at=at if has_start else None,
        energy_wh=None,
        reasons=(),
        tzdata_version=tzdata,
        offsets=(ZoneOffsets(zone, offsets),) if offsets else (),
    )


def rows_of(connection: psycopg.Connection[Any], *decisions: SessionHeld, flag: str) -> None:
    store_rows(
        connection,
        [
            SessionRow(
                session_id=each.session_id,
                partition=0,
                station_id=each.station_id,
                transaction_ref=each.session_id,
                state=SessionState.HELD,
                flags=[flag],
                first_fact_at=NOON,
                last_fact_at=NOON,
                heard_at=NOON,
            )
            for each in decisions
        ],
        [],
    )


def use(number: int, wh: int) -> AllowanceUse:
    before = Consumption(energy_wh=Decimal(wh), uses=number - 1)
    return AllowanceUse(
        key=KEY.key, period=KEY.period, number=number, used_before=before, used=NOTHING
    )


def test_a_rating_stands_where_its_own_revision_was_recorded_to(
    connection: psycopg.Connection[Any],
) -> None:
    first = replace(rated(session()), allowances=(use(4, 900),))
    moment = Moment(partition=0, position=9, at=NOON + DAY)
    second = replace(first, revision=2, moment=moment, allowances=(use(7, 2500),))
    standings = RecordedAllowances(recorded(connection, first, second)).standings
    name = first.session_id

    def found(revision: int) -> Standing:
        [standing] = standings(SessionRevision(name, revision), [KEY])
        return standing

    assert found(1) == Standing(3, use(4, 900).used_before)
    assert found(2) == Standing(6, use(7, 2500).used_before)
    assert found(3) == Standing()
    other = AllowanceKey(KEY.key, "2026-12")
    assert standings(SessionRevision(name, 1), [other, KEY]) == (Standing(), found(1))
    assert standings(SessionRevision("ST-1/none", 1), [KEY]) == (Standing(),)
    assert found(1).number == 3, "another session was asked for between"


def test_a_held_decision_used_nothing(connection: psycopg.Connection[Any]) -> None:
    known = recorded(connection, held())

    assert known.of("ST-1/1") == (held(),)
    assert RecordedAllowances(known).standings(SessionRevision("ST-1/1", 1), [KEY]) == (Standing(),)


def test_a_zone_is_what_the_decision_of_that_position_took_it_to_be(
    connection: psycopg.Connection[Any],
) -> None:
    known = recorded(connection, held(1), held(5, offsets=THREE, tzdata="2001.1"))

    def read(position: int, zone: str = BERLIN) -> tuple[str, int]:
        version, offsets = RecordedZones(known, "ST-1/1", position).read(zone, NOON, NOON)
        return version, offsets[0].seconds

    assert read(1) == (OLD, 7200)
    assert read(5) == ("2001.1", 10800)
    today = (TZDATA_VERSION, 3600)
    assert read(4) == today, "no decision there"
    assert read(1, "Africa/Lagos") == today, "another zone"


def test_offsets_of_no_tzdata_are_none(connection: psycopg.Connection[Any]) -> None:
    known = recorded(connection, held(tzdata=None))

    assert RecordedZones(known, "ST-1/1", 1).read(BERLIN, NOON, NOON).tzdata_version == (
        TZDATA_VERSION
    )


@pytest.mark.parametrize(
    ("flag", "zone", "station", "seconds"),
    [
        (Flag.ZONE_MISSING, BERLIN, "ST-1", [7200]),
        (Flag.TZ_MISLABELLED, BERLIN, "ST-1", [7200]),
        (Flag.CLOCK_AHEAD, BERLIN, "ST-1", [7200]),
        (Flag.SEQ_GAP, BERLIN, "ST-1", []),
        (Flag.ZONE_MISSING, "Europe/Paris", "ST-1", []),
        (Flag.ZONE_MISSING, BERLIN, "ST-2", []),
    ],
)
def test_a_clock_is_what_decisions_say_whose_times_needed_it(
    connection: psycopg.Connection[Any],
    flag: Flag,
    zone: str,
    station: str,
    seconds: list[int],
) -> None:
    known = recorded(connection, held())
    rows_of(connection, held(), flag=flag)

    for _ in range(2):  # read, and then known
        assert [each.seconds for each in known.clock(station, zone)] == seconds


def test_a_clock_follows_its_decisions_from_session_to_session(
    connection: psycopg.Connection[Any],
) -> None:
    """Each from the second day before its session on; the first one from ever."""
    spring = UtcOffset(NOON - 29 * DAY, 10800)
    later = held(2, number=2, at=NOON, offsets=(UtcOffset(None, 3600),), tzdata=TZDATA_VERSION)
    earlier = held(1, at=NOON - 30 * DAY, offsets=(*TWO, spring), has_start=False)
    known = recorded(connection, earlier, later)
    rows_of(connection, later, earlier, flag=Flag.ZONE_MISSING)

    assert known.clock("ST-1", BERLIN) == (
        UtcOffset(None, 7200),
        spring,
        UtcOffset(datetime(2026, 11, 8, tzinfo=UTC), 3600),
    )


def test_a_clock_that_was_today_s_at_every_decision_is_today_s(
    connection: psycopg.Connection[Any],
) -> None:
    both = held(1, tzdata=TZDATA_VERSION), held(2, number=2, tzdata=TZDATA_VERSION)
    known = recorded(connection, *both)
    rows_of(connection, *both, flag=Flag.ZONE_MISSING)

    assert known.clock("ST-1", BERLIN) == ()


def test_decisions_come_with_those_that_were_decided_before_them(
    connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded_decisions, "AHEAD", 3)
    first, again = held(1, number=1), held(9, number=1)
    others = [held(number, number=number) for number in range(2, 6)]
    found = recorded(connection, first, *others, again)

    assert found.of(first.session_id) == (first, again)
    connection.close()

    assert [found.of(each.session_id) for each in others[:2]] == [(each,) for each in others[:2]]
    with pytest.raises(psycopg.OperationalError):
        found.of(others[2].session_id)


def test_what_is_decided_again_comes_with_what_was_decided_next(
    connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded_decisions, "AHEAD", 2)
    first, again, last = held(1, number=1), held(9, number=1), held(10, number=6)
    others = [held(number, number=number) for number in range(2, 6)]
    found = recorded(connection, first, *others, again, last)
    found.next_number = 6

    assert found.of(first.session_id) == (first, again)
    connection.close()

    assert found.of(last.session_id) == (last,)


def test_in_whatever_order_they_are_asked_for_all_decisions_of_a_session_come(
    connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded_decisions, "AHEAD", 3)
    kept = [held(position, number=position % 4) for position in range(1, 13)]
    found = recorded(connection, *kept)
    chance = random.Random(7)
    for _ in range(60):
        found.next_number = chance.randrange(15)
        number = chance.randrange(6)

        expected = tuple(each for each in kept if each.session_id == f"ST-1/{number}")
        assert found.of(f"ST-1/{number}") == expected
