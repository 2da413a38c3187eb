"""A station's clock against ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from ledger.facts.station_clock import SessionClock, in_utc, learn_clock
from ledger.facts.station_traits import zone_of
from tests.station_story import AC, at

LATE = timedelta(hours=5)


def test_a_clock_within_five_minutes_is_believed() -> None:
    clock = learn_clock([(at(4), at(0)), (at(20), at(20))], AC)

    assert clock.offset == timedelta(0)
    assert clock.flags == ()


def test_an_unreadable_time_is_the_time_of_receipt() -> None:
    assert SessionClock().effective(None, at(7)) == at(7)


def test_unset_clocks_keep_the_distances_of_one_boot() -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    pairs = [(epoch, at(60)), (epoch + timedelta(minutes=30), at(60))]

    clock = learn_clock(pairs, AC)

    assert clock.effective(epoch, at(60)) == at(30)
    assert clock.effective(epoch + timedelta(minutes=30), at(60)) == at(60)
    assert clock.flags == ("clock_unsynced",)


def test_a_single_frame_two_hours_ahead_in_a_zone_of_two_hours_is_local_time() -> None:
    summer = datetime(2019, 5, 10, 14, 5, 33, tzinfo=UTC)

    clock = learn_clock([(summer + timedelta(hours=2), summer)], AC)

    assert clock.flags == ("tz_mislabelled",)
    assert clock.effective(summer + timedelta(hours=2), summer) == summer


def test_naive_times_that_only_fit_utc_are_utc() -> None:
    naive = at(0).replace(tzinfo=None)

    clock = learn_clock([(naive, at(0))], AC)

    assert clock.effective(naive, at(0)) == at(0)
    assert clock.flags == ("zone_missing",)


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        (datetime(2026, 10, 25, 0, 31, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (datetime(2026, 10, 25, 1, 31, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
    ],
)
def test_the_hour_that_comes_twice_is_the_one_nearer_to_receipt(
    received: datetime, expected: datetime
) -> None:
    twice = datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001 - the station names no zone

    assert in_utc(twice, zone_of("Europe/Berlin"), received) == expected


def test_what_is_declared_beats_what_is_learnt() -> None:
    declared = msgspec.structs.replace(AC, clock_offset_s=-3600, naive_is_utc=True)

    clock = learn_clock([(at(60), at(0))], declared)

    assert clock.effective(at(60), at(0)) == at(0)
    assert clock.flags == ("tz_mislabelled",)


def test_zones_that_do_not_exist_and_years_at_the_end_of_time_raise_nothing() -> None:
    assert zone_of("Nowhere/Land") is UTC
    assert zone_of("../etc/passwd") is UTC
    assert in_utc(datetime(1, 1, 1), zone_of("Asia/Tokyo"), at(0)).year == 1  # noqa: DTZ001
    assert learn_clock([(datetime(1, 1, 1), at(0))], AC).flags  # noqa: DTZ001


def test_lateness_alone_is_no_fault_of_the_clock() -> None:
    clock = learn_clock([(at(0), at(0) + LATE), (at(60), at(0) + LATE)], AC)

    assert clock.offset == timedelta(0)
    assert clock.flags == ("late_arrival",)
