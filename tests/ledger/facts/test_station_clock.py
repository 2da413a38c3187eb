"""A station's clock against ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo

import msgspec
import pytest

from ledger.facts.flags import Flag
from ledger.facts.station_clock import (
    SKEW_MAX,
    SessionClock,
    bound_flags,
    in_utc,
    learn_clock,
)
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


def told(*minutes: tuple[float, float]) -> list[tuple[datetime, datetime]]:
    """Return pairs of the minutes that a station told and those of their receipt."""
    return [(at(minute), at(received)) for minute, received in minutes]


@pytest.mark.parametrize(("seconds", "moment"), [(300, 5), (301, 0)])
def test_a_time_more_than_five_minutes_after_its_receipt_is_not_believed(
    seconds: int, moment: float
) -> None:
    later = at(0) + timedelta(seconds=seconds)

    assert SessionClock().effective(later, at(0)) == at(moment)
    assert SessionClock().refutes(later, at(0)) is (moment == 0)
    assert not SessionClock().refutes(None, at(0))


def test_one_frame_in_local_time_among_right_ones_moves_no_other() -> None:
    clock = learn_clock(told((0, 0), (10 + 540, 10), (30, 30), (60, 60)), AC)

    assert clock.offset == timedelta(0)
    assert clock.flags == ("time_impossible",)
    assert clock.effective(at(550), at(10)) == at(10)
    assert clock.effective(at(30), at(30)) == at(30)


@pytest.mark.parametrize(
    ("ahead", "flags"),
    [
        (1, ("time_impossible",)),
        (2, ("clock_ahead", "time_impossible")),
        (3, ("clock_ahead", "time_impossible")),
        (4, ("tz_mislabelled",)),
    ],
)
def test_an_offset_needs_agreement(ahead: int, flags: tuple[str, ...]) -> None:
    pairs = told(*((m + (540 if m < 20 * ahead else 0), m) for m in (0, 20, 40, 60)))

    clock = learn_clock(pairs, AC)

    assert clock.flags == flags
    assert clock.offset == (timedelta(hours=-9) if ahead == 4 else timedelta(0))


@pytest.mark.parametrize(
    ("minutes", "offset"), [(1440, -1442), (1440 + 1 / 60, 0)], ids=["a day apart", "more"]
)
def test_times_ahead_that_agree_on_nothing_shift_nothing(minutes: int, offset: int) -> None:
    clock = learn_clock(told((2, 0), (60 + 1442, 60)), AC)
    assert clock.offset == timedelta(0)  # only one of them is impossible

    clock = learn_clock(told((1442 - minutes + 1440, 0), (60 + 1442 + 1440, 60)), AC)

    assert clock.offset == timedelta(minutes=offset - 1440 if offset else 0)


@pytest.mark.parametrize(
    ("second", "offset"), [(timedelta(seconds=90), 20), (timedelta(seconds=91), 0)]
)
def test_two_live_frames_that_are_late_by_the_same_show_a_clock_behind(
    second: timedelta, offset: int
) -> None:
    pairs = [(at(-20), at(0)), (at(40) - second, at(60))]

    clock = learn_clock(pairs, AC)

    assert clock.offset == timedelta(minutes=offset)
    assert ("clock_behind" in clock.flags) is bool(offset)


@pytest.mark.parametrize(("apart", "is_behind"), [(10, True), (9.9, False)])
def test_frames_that_came_together_are_a_queue(apart: float, *, is_behind: bool) -> None:
    clock = learn_clock(told((-20, 0), (apart - 20, apart)), AC)

    assert ("clock_behind" in clock.flags) is is_behind


def test_a_zone_is_learnt_from_three_frames_not_from_two() -> None:
    two = told((-300, 0), (-240, 60))

    assert learn_clock(two, AC).flags == ("clock_behind",)
    assert learn_clock([*two, (at(-270), at(30))], AC).flags == ("tz_mislabelled",)


BEHIND = told((-300, 0), (-270, 30), (60, 60))


def test_a_clock_that_was_set_between_two_frames_and_the_stop_has_jumped() -> None:
    clock = learn_clock(BEHIND, AC)

    assert bound_flags(clock, BEHIND, [BEHIND[0], BEHIND[2]]) == {Flag.CLOCK_JUMPED}
    assert bound_flags(clock, BEHIND, [BEHIND[2]]) == set()


@pytest.mark.parametrize(
    ("other", "has_jumped"),
    [
        ((-270, 30), True),
        ((-271.5, 30), True),
        ((-268.5, 30), True),
        ((-271.5 - 1 / 60, 30), False),
        ((-268.5 + 1 / 60, 30), False),
        ((-290, 10), True),
        ((-290.1, 9.9), False),
    ],
)
def test_delays_that_are_the_same_are_a_clocks(
    other: tuple[float, float], *, has_jumped: bool
) -> None:
    pairs = told((-300, 0), other, (60, 60))
    clock = learn_clock(pairs, AC)

    found = bound_flags(clock, pairs, [pairs[0], pairs[2]])

    assert (Flag.CLOCK_JUMPED in found) is has_jumped


@pytest.mark.parametrize(("minute", "has_jumped"), [(-5 - 1 / 60, True), (-5, False)])
def test_small_delays_are_no_jump(minute: float, *, has_jumped: bool) -> None:
    pairs = told((minute, 0), (minute + 30, 30), (60, 60))

    found = bound_flags(SessionClock(), pairs, [pairs[0]])

    assert (Flag.CLOCK_JUMPED in found) is has_jumped


@pytest.mark.parametrize(
    ("boot", "minute", "has_jumped"),
    [
        (10, 0, True),
        (9.9, 0, False),
        (60, 0, True),
        (60.1, 0, False),
        (10, 5, True),
        (10, 5 + 1 / 60, False),
    ],
)
def test_a_clock_that_a_boot_set_right_has_jumped(
    boot: float, minute: float, *, has_jumped: bool
) -> None:
    """One frame late before the boot, and the stop that a clock could be off by after it."""
    pairs = told((-300, 0), (60 - minute, 60))

    found = bound_flags(SessionClock(), pairs, pairs[:1], [at(boot)])

    assert (Flag.CLOCK_JUMPED in found) is has_jumped
    assert bound_flags(SessionClock(), pairs, pairs[1:], [at(boot)]) == set()


def test_a_queue_and_the_live_frames_after_it_are_no_jump() -> None:
    pairs = told((0, 300), (30, 300), (60, 301), (330, 330), (360, 360))
    clock = learn_clock(pairs, AC)

    assert clock.flags == ("late_arrival",)
    assert bound_flags(clock, pairs, [pairs[0], pairs[-1]]) == set()


@pytest.mark.parametrize("dissenting", [0, 3], ids=["start", "stop"])
def test_a_start_or_stop_after_its_receipt_is_a_doubt(dissenting: int) -> None:
    minutes = [(m, m) for m in (0, 20, 40, 60)]
    minutes[dissenting] = (10_000, minutes[dissenting][1])
    pairs = told(*minutes)
    clock = learn_clock(pairs, AC)

    assert clock.flags == ("time_impossible",)
    assert bound_flags(clock, pairs, [pairs[0], pairs[3]]) == {
        Flag.TIME_IMPOSSIBLE,
        Flag.BOUND_REFUTED,
    }


TWICE = datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001 - the station names no zone
EARLY = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
BERLIN = SessionClock(zone="Europe/Berlin")


@pytest.mark.parametrize(
    ("received", "is_ambiguous"),
    [
        (EARLY + timedelta(minutes=5), False),
        (EARLY + timedelta(minutes=5, seconds=1), True),
        (EARLY + timedelta(minutes=55), False),
        (EARLY + timedelta(minutes=54), True),
        (EARLY + timedelta(days=3), True),
    ],
)
def test_the_hour_that_comes_twice_is_known_from_a_live_receipt_alone(
    received: datetime, *, is_ambiguous: bool
) -> None:
    assert BERLIN.is_ambiguous(TWICE, received) is is_ambiguous


def test_only_a_time_without_zone_that_means_two_moments_is_ambiguous() -> None:
    late = EARLY + timedelta(days=3)
    spring = datetime(2026, 3, 29, 2, 30)  # noqa: DTZ001 - the hour that is left out

    assert BERLIN.is_ambiguous(spring, late)
    assert not BERLIN.is_ambiguous(None, late)
    assert not BERLIN.is_ambiguous(EARLY, late)
    assert not BERLIN.is_ambiguous(TWICE + timedelta(minutes=30), late)
    assert BERLIN.is_ambiguous(TWICE + timedelta(minutes=29), late)
    assert not SessionClock().is_ambiguous(TWICE, late)


EXTREMES = [datetime.min, datetime.max, datetime(1970, 1, 1), datetime(2015, 1, 1)]  # noqa: DTZ001, DTZ901


@pytest.mark.parametrize("one", EXTREMES)
@pytest.mark.parametrize("other", EXTREMES)
@pytest.mark.parametrize("tz", [None, UTC, timezone(timedelta(hours=14))])
def test_no_time_is_too_early_or_late_to_be_told(
    one: datetime, other: datetime, tz: tzinfo | None
) -> None:
    for offset in (None, -(10**11), 10**11):
        declared = msgspec.structs.replace(AC, clock_offset_s=offset)
        pairs = [
            (one.replace(tzinfo=tz), at(0)),
            (other.replace(tzinfo=tz), at(60)),
            (at(9), at(9)),
        ]

        clock = learn_clock(pairs, declared)

        for occurred_at, received_at in pairs:
            assert clock.effective(occurred_at, received_at) <= received_at + SKEW_MAX
            clock.is_ambiguous(occurred_at, received_at)
        assert bound_flags(clock, pairs, pairs) <= set(Flag)
