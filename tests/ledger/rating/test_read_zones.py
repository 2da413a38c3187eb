"""Which time zones a decision reads, over which time, and what it records of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from ledger.declared.declarations import BEGINNING, Kind
from ledger.facts.flags import Flag
from ledger.master_data.stations import Station
from ledger.rating.decisions import SessionHeld, ZoneOffsets
from ledger.rating.time_zones import PINNED_ZONES, ReadZones, ZoneReading, read_zones, with_zones
from ledger.sessions.session import ChargingSession
from tariffs.offsets import UtcOffset, offsets_over
from tariffs.zones import TZDATA_VERSION
from tests.depot import declared, rated, session

BERLIN, TOKYO = "Europe/Berlin", "Asia/Tokyo"
BEGAN, ENDED = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 1, 13, tzinfo=UTC)
HEARD, LAST = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
TOLD = session(started_at=BEGAN)


class Asked:
    """Zones that note over what time they were read."""

    def __init__(self) -> None:
        self.times: dict[str, list[tuple[datetime, datetime]]] = {}

    def read(self, zone: str, starts_at: datetime, ends_at: datetime) -> ZoneReading:
        self.times.setdefault(zone, []).append((starts_at, ends_at))
        return PINNED_ZONES.read(zone, starts_at, ends_at)


def heard(flag: Flag | None = None, **change: object) -> ChargingSession:
    """Return a session that was heard of long before its start and long after its end."""
    flags = (flag,) if flag else ()
    return replace(TOLD, first_received_at=HEARD, last_received_at=LAST, flags=flags, **change)


def asked(charging: ChargingSession, station_zone: str = TOKYO) -> Asked:
    zones = Asked()
    read_zones(charging, station_zone, (BERLIN, BERLIN), zones)
    return zones


@pytest.mark.parametrize(
    ("charging", "over"),
    [
        pytest.param(heard(), (BEGAN, ENDED), id="from its start to its end"),
        pytest.param(heard(started_at=None), (HEARD, ENDED), id="without a start"),
        pytest.param(heard(ended_at=None), (BEGAN, LAST), id="without an end"),
        pytest.param(
            heard(ended_at=None, provisional_ended_at=ENDED - timedelta(minutes=1)),
            (BEGAN, ENDED - timedelta(minutes=1)),
            id="to the last sign of an open one",
        ),
        pytest.param(heard(Flag.SEQ_GAP), (BEGAN, ENDED), id="whatever else is wrong"),
    ],
)
def test_a_session_whose_times_need_no_zone_reads_the_named_ones_alone(
    charging: ChargingSession, over: tuple[datetime, datetime]
) -> None:
    assert asked(charging).times == {BERLIN: [over]}


@pytest.mark.parametrize("flag", [Flag.ZONE_MISSING, Flag.TZ_MISLABELLED, Flag.CLOCK_AHEAD])
def test_times_that_were_found_by_the_station_s_zone_read_it_too_over_all_that_was_heard(
    flag: Flag,
) -> None:
    assert asked(heard(flag)).times == {BERLIN: [(HEARD, LAST)], TOKYO: [(HEARD, LAST)]}
    assert asked(heard(flag), BERLIN).times == {BERLIN: [(HEARD, LAST)]}
    told_late = replace(TOLD, first_received_at=LAST, last_received_at=LAST, flags=(flag,))
    assert asked(told_late).times[TOKYO] == [(BEGAN, LAST)]


def test_a_station_s_zone_that_does_not_exist_is_not_recorded() -> None:
    read = read_zones(heard(Flag.ZONE_MISSING), "Mars/Olympus", (BERLIN,), PINNED_ZONES)

    assert read == ReadZones(
        TZDATA_VERSION, (ZoneOffsets(BERLIN, offsets_over(BERLIN, HEARD, LAST)),)
    )


class OfAnotherYear:
    """Zones as an older tzdata has them."""

    def read(self, zone: str, starts_at: datetime, ends_at: datetime) -> ZoneReading:
        del zone, starts_at, ends_at
        return ZoneReading("1999.1", (UtcOffset(None, 0),))


def test_the_version_is_that_of_what_was_read() -> None:
    assert read_zones(TOLD, TOKYO, (BERLIN,), OfAnotherYear()).tzdata_version == "1999.1"
    assert read_zones(TOLD, TOKYO, (), OfAnotherYear()) == ReadZones(TZDATA_VERSION, ())


@pytest.mark.parametrize("flag", [Flag.ZONE_MISSING, Flag.SEQ_GAP])
def test_a_held_decision_records_the_station_s_zone_where_its_times_needed_it(flag: Flag) -> None:
    decision = SessionHeld(
        session_id=TOLD.session_id,
        revision=1,
        station_id="ST-1",
        moment=rated(session()).moment,
        declared_version=1,
        flags=(flag,),
        started_at=BEGAN,
        energy_wh=None,
        reasons=(),
    )

    found = with_zones(decision, heard(flag), TOKYO, PINNED_ZONES)

    tokyo = (ZoneOffsets(TOKYO, (UtcOffset(None, 9 * 3600),)),)
    needed = replace(decision, tzdata_version=TZDATA_VERSION, offsets=tokyo)
    assert found == (needed if flag is Flag.ZONE_MISSING else decision)


@pytest.mark.parametrize(("own", "zones"), [(TOKYO, [BERLIN, TOKYO]), (None, [BERLIN])])
def test_a_station_has_its_own_zone_or_its_site_s(own: str | None, zones: list[str]) -> None:
    station = Station(site="harbour", time_zone=own)
    charging = session(blockers=[Flag.ZONE_MISSING])
    charging = replace(charging, blockers=())

    decision = rated(charging, declared((Kind.STATION, "ST-1", station, BEGINNING)))

    assert [each.zone for each in decision.offsets] == zones
