"""Where a station's clock begins to be wrong: each bound, a second on either side of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from ledger.facts.flags import Flag
from ledger.facts.station_clock import EARLIEST, FARTHEST, SessionClock, in_utc, learn_clock
from ledger.facts.station_traits import StationTraits, zone_of
from tests.station_story import AC, at

SECOND = timedelta(seconds=1)
COMMISSIONED = AC.commissioned_on
NEW_YORK = msgspec.structs.replace(AC, time_zone="America/New_York")
LONDON = msgspec.structs.replace(AC, time_zone="Europe/London")


def _learnt(*delays_s: int, traits: StationTraits = AC, apart_s: int = 1800) -> SessionClock:
    """Return the clock of frames that come one after the other, each so many seconds late."""
    received = [at(0) + timedelta(seconds=apart_s * index) for index in range(len(delays_s))]
    pairs = zip(received, delays_s, strict=True)
    return learn_clock([(when - timedelta(seconds=late), when) for when, late in pairs], traits)


@pytest.mark.parametrize(
    ("delays", "offset", "flags"),
    [
        # ahead
        ((-300,), 0, ()),
        ((-301,), -301, (Flag.CLOCK_AHEAD,)),
        # one that is alone against the others, or against half of them
        ((-32_400, 0, 0), 0, (Flag.TIME_IMPOSSIBLE,)),
        ((-32_400, 0), 0, (Flag.CLOCK_AHEAD, Flag.TIME_IMPOSSIBLE)),
        ((-301, -300), 0, (Flag.CLOCK_AHEAD, Flag.TIME_IMPOSSIBLE)),
        ((-301, -301), -301, (Flag.CLOCK_AHEAD,)),
        # ahead by the hour of the site, give or take what a live message needs
        ((-3600 + 90,), -3600, (Flag.TZ_MISLABELLED,)),
        ((-3600 + 91,), -3509, (Flag.CLOCK_AHEAD,)),
        ((-3600 - 90,), -3600, (Flag.TZ_MISLABELLED,)),
        ((-3600 - 91,), -3691, (Flag.CLOCK_AHEAD,)),
        # another whole hour needs to be seen three times
        ((-7200,), -7200, (Flag.CLOCK_AHEAD,)),
        ((-7200, -7200, -7200), -7200, (Flag.TZ_MISLABELLED,)),
        # behind, or late
        ((300, 300), 0, ()),
        ((301, 301), 301, (Flag.CLOCK_BEHIND,)),
        ((0, 3600), 0, ()),
        ((0, 3601), 0, (Flag.LATE_ARRIVAL,)),
    ],
)
def test_a_clock_is_wrong_from_a_bound_on(
    delays: tuple[int, ...], offset: int, flags: tuple[Flag, ...]
) -> None:
    clock = _learnt(*delays)

    assert clock.offset == timedelta(seconds=offset)
    assert clock.flags == flags


def test_west_of_greenwich_one_frame_late_by_the_zone_is_late() -> None:
    clock = _learnt(5 * 3600, traits=NEW_YORK)

    assert clock.offset == timedelta(0)
    assert clock.flags == (Flag.LATE_ARRIVAL,)


@pytest.mark.parametrize(
    ("occurred_at", "flags"),
    [
        (COMMISSIONED - SECOND, (Flag.CLOCK_UNSYNCED,)),
        (COMMISSIONED, (Flag.LATE_ARRIVAL,)),
        (FARTHEST - SECOND, (Flag.CLOCK_AHEAD,)),
        (FARTHEST, (Flag.TIME_UNREADABLE,)),
    ],
)
def test_a_clock_shows_times_from_the_commissioning_to_a_farthest_one(
    occurred_at: datetime, flags: tuple[Flag, ...]
) -> None:
    assert learn_clock([(occurred_at, at(0))], AC).flags == flags


def test_the_offset_before_the_commissioning_is_not_that_after_it() -> None:
    clock = SessionClock(timedelta(hours=1), timedelta(hours=2), commissioned_on=COMMISSIONED)

    assert clock.effective(COMMISSIONED, at(0)) == COMMISSIONED + timedelta(hours=1)
    before = COMMISSIONED - SECOND
    assert clock.effective(before, at(0)) == before + timedelta(hours=2)


def test_what_was_not_seen_has_no_offset() -> None:
    unset = datetime(1970, 1, 1, tzinfo=UTC)

    assert learn_clock([(at(0), at(0))], AC).unsynced_offset == timedelta(0)
    assert learn_clock([(unset, at(0))], AC).offset == timedelta(0)
    assert learn_clock([(unset, at(0))], AC).unsynced_offset == at(0) - unset


@pytest.mark.parametrize(
    ("seconds", "traits", "zone"),
    [
        (0, AC, "UTC"),
        (90, AC, "UTC"),
        (91, AC, "Europe/Berlin"),
        (-90, AC, "UTC"),
        (-91, AC, "Europe/Berlin"),
        # in winter both fit
        (90, LONDON, "Europe/London"),
    ],
)
def test_times_without_zone_are_utc_where_a_live_message_fits_nothing_else(
    seconds: int, traits: StationTraits, zone: str
) -> None:
    naive = at(0).replace(tzinfo=None) - timedelta(seconds=seconds)

    assert learn_clock([(naive, at(0))], traits).zone == zone


def test_halfway_between_two_readings_of_a_time_it_is_the_earlier_one() -> None:
    twice = datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001 - the station names no zone
    early = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    berlin = zone_of("Europe/Berlin")

    assert in_utc(twice, berlin, early + timedelta(minutes=30)) == early
    later = early + timedelta(minutes=30, seconds=1)
    assert in_utc(twice, berlin, later) == early + timedelta(hours=1)


def test_what_is_moved_beyond_the_calendar_stays_at_its_end() -> None:
    last, first = datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)

    ahead = SessionClock(SECOND, commissioned_on=first)
    behind = SessionClock(-SECOND, commissioned_on=first)

    assert ahead.effective(last, at(0)) == at(0)
    assert behind.effective(first, at(0)) == EARLIEST
    assert behind.effective(EARLIEST, at(0)) == EARLIEST
    assert behind.effective(EARLIEST + 2 * SECOND, at(0)) == EARLIEST + SECOND
