"""Quirks of the field notes (section 1) about clocks, order and delay: one test each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from ledger.facts.flags import Flag
from ledger.facts.station_traits import StationTraits
from tests.station_story import AC, MORNING, Story16, Story201, at, issue_frames, minutes_to, wh

BOTH = pytest.mark.parametrize("version", [Story16, Story201], ids=["1.6", "2.0.1"])
Version = type[Story16] | type[Story201]


def _local(minute: float, hours: int = 1, suffix: str = "") -> str:
    return (at(minute) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S") + suffix


@BOTH
def test_quirk_20_times_of_1970_before_the_clock_is_set(version: Version) -> None:
    story = version()
    story.start(0, 1000, device="1970-01-01T00:00:10Z", received=120)
    story.stop(60, 6000, device="1970-01-01T01:00:10Z", received=120)

    session = story.session()

    assert session.blockers == (Flag.CLOCK_UNSYNCED,)
    assert (session.started_at, session.ended_at) == (at(60), at(120))
    assert session.energy_wh == Decimal(5000)


@BOTH
def test_quirk_20_a_clock_that_is_set_in_the_middle_is_noticed(version: Version) -> None:
    story = version()
    story.start(0, 1000, device="2026-03-02T03:00:00Z")
    story.sample(20, wh(3000), device="2026-03-02T03:20:00Z")
    story.boot(30)
    story.sample(40, wh(4500))
    story.stop(60, 6000)

    assert story.session().blockers == (Flag.CLOCK_JUMPED,)


def test_quirk_20_the_quoted_status_of_1970_touches_no_session() -> None:
    story = Story16()
    story.start(0, 1000)
    (text,) = issue_frames("MicroOcpp/issues/311")
    story.log(text, 10)
    story.stop(60, 6000)

    assert story.session().flags == ()


@BOTH
def test_quirk_21_a_time_without_zone_is_the_sites(version: Version) -> None:
    story = version()
    story.start(0, 1000, device=_local(0))
    story.stop(60, 6000, device=_local(60))

    session = story.session()

    assert session.flags == (Flag.ZONE_MISSING,)
    assert (session.started_at, session.ended_at) == (at(0), at(60))


@BOTH
def test_quirk_21_local_time_labelled_utc_is_learnt_from_live_frames(version: Version) -> None:
    story = version()
    story.start(0, 1000, device=_local(0, suffix="Z"))
    story.sample(30, wh(3000), device=_local(30, suffix="Z"))
    story.stop(60, 6000, device=_local(60, suffix="Z"))

    session = story.session()

    assert session.flags == (Flag.TZ_MISLABELLED,)
    assert session.blockers == ()
    assert (session.started_at, session.ended_at) == (at(0), at(60))


@BOTH
def test_quirk_21_one_frame_in_local_time_moves_no_other(version: Version) -> None:
    story = version()
    story.start(0, 1000)
    story.sample(20, wh(2000))
    story.sample(30, wh(3000), device=_local(30, 9, "Z"))
    story.stop(60, 6000)

    session = story.session()

    assert session.flags == (Flag.TIME_IMPOSSIBLE,)
    assert [point.at for point in session.points] == [at(0), at(20), at(30), at(60)]


@BOTH
def test_quirk_21_the_hour_that_comes_twice_is_a_doubt(version: Version) -> None:
    story = version(msgspec.structs.replace(AC, time_zone="Europe/Berlin"))
    later = minutes_to(datetime(2026, 10, 27, tzinfo=UTC))
    story.start(0, 1000, device="2026-10-25T01:50:00", received=later)
    story.stop(60, 6000, device="2026-10-25T02:50:00", received=later)

    assert story.session().blockers == (Flag.HOUR_AMBIGUOUS,)


def test_quirk_21_a_zone_west_of_utc_is_learnt_too_but_a_late_queue_is_not() -> None:
    western = msgspec.structs.replace(AC, time_zone="America/New_York")
    live, queued = Story16(western), Story16(western)
    for story, received in ((live, None), (queued, 345)):
        story.start(0, 1000, device=_local(0, -5, "Z"), received=received)
        for minute in (20, 40):
            told = _local(minute, -5, "Z")
            story.sample(minute, wh(1000 + minute * 50), device=told, received=received)
        story.stop(60, 6000, device=_local(60, -5, "Z"), received=received)

    assert live.session().started_at == at(0)
    assert Flag.TZ_MISLABELLED in live.session().flags
    assert queued.session().started_at == at(-300)
    assert Flag.LATE_ARRIVAL in queued.session().flags


def test_quirk_21_any_iso_offset_is_one_instant() -> None:
    story = Story16()
    story.start(0, 1000, device="2026-03-02T18:00:00+10:00")
    story.stop(60, 6000, device="2026-03-02T10:00:00.5+01:00")

    session = story.session()

    assert session.started_at == MORNING
    assert session.ended_at == at(60) + timedelta(milliseconds=500)
    assert session.flags == ()


def test_quirk_21_the_quoted_start_without_zone() -> None:
    (text,) = issue_frames("evcc/issues/10399")
    story = Story16(StationTraits(time_zone="Europe/Berlin"))
    moment = datetime(2023, 10, 19, 13, 28, 7, tzinfo=UTC)
    story.log(text, minutes_to(moment), reply='[3,"288115",{"transactionId":3}]')

    session = story.session()

    assert session.started_at == moment
    assert Flag.ZONE_MISSING in session.flags


@BOTH
def test_quirk_22_a_stop_before_the_start_lasts_no_time(version: Version) -> None:
    story = version()
    story.start(0, 1000)
    story.stop(0, 1000, device="2026-03-02T07:50:00Z", received=1)

    session = story.session()

    assert session.blockers == (Flag.STOP_BEFORE_START,)
    assert session.duration == timedelta(0)
    assert session.energy_wh == 0


@BOTH
@pytest.mark.parametrize(
    ("minutes", "flag"), [(17, Flag.CLOCK_AHEAD), (-17, Flag.CLOCK_BEHIND)], ids=["ahead", "behind"]
)
def test_quirk_22_a_clock_that_is_off_is_corrected_and_held(
    version: Version, minutes: int, flag: Flag
) -> None:
    story = version()
    drift = timedelta(minutes=minutes)
    for minute in (0, 20, 40, 60):
        told = (at(minute) + drift).strftime("%Y-%m-%dT%H:%M:%SZ")
        if minute == 0:
            story.start(0, 1000, device=told)
        elif minute == 60:
            story.stop(60, 6000, device=told)
        else:
            story.sample(minute, wh(1000 + 80 * minute), device=told)

    session = story.session()

    assert session.blockers == (flag,)
    assert (session.started_at, session.ended_at) == (at(0), at(60))


@BOTH
def test_quirk_23_a_queue_flushed_days_later_is_dated_by_the_device(version: Version) -> None:
    story = version()
    story.start(0, 1000, received=4000)
    story.sample(30, wh(3000), received=4000)
    story.stop(60, 6000, received=4000)

    session = story.session()

    assert session.flags == (Flag.LATE_ARRIVAL,)
    assert session.blockers == ()
    assert (session.started_at, session.ended_at) == (at(0), at(60))
    assert [point.at for point in session.points] == [at(0), at(30), at(60)]


def test_quirk_24_a_missing_number_holds_until_the_station_has_no_more() -> None:
    story = Story201()
    story.start(0, 1000, seq=0)
    story.stop(60, 6000, seq=3)
    waiting = story.session()
    story.send(
        "GetTransactionStatus",
        {"transactionId": "T-1"},
        61,
        reply={"messagesInQueue": False},
        direction="out",
    )
    told = story.session()

    assert waiting.missing_seq_nos == (1, 2)
    assert waiting.blockers == (Flag.SEQ_GAP,)
    assert told.blockers == ()
    assert told.flags == (Flag.SEQ_GAP_CLOSED,)


def test_quirk_24_messages_still_queued_or_an_old_answer_close_no_gap() -> None:
    story = Story201()
    story.start(0, 1000, seq=0)
    asked = {"transactionId": "T-1"}
    story.send("GetTransactionStatus", asked, 5, reply={"messagesInQueue": False}, direction="out")
    story.stop(60, 6000, seq=3)
    story.send("GetTransactionStatus", asked, 61, reply={"messagesInQueue": True}, direction="out")

    assert story.session().blockers == (Flag.SEQ_GAP,)


def test_quirk_24_numbers_out_of_order_complete_the_session() -> None:
    story = Story201()
    story.start(0, 1000, seq=0)
    story.stop(60, 6000, seq=2)
    story.sample(30, wh(3000), seq=1)

    session = story.session()

    assert session.flags == ()
    assert [point.energy_wh for point in session.points] == [0, 2000, 5000]


def test_quirk_24_a_constant_number_proves_nothing() -> None:
    story = Story201()
    story.start(0, 1000, seq=0)
    story.sample(30, wh(3000), seq=0)
    story.stop(60, 6000, seq=0)

    session = story.session()

    assert session.flags == (Flag.SEQ_UNRELIABLE,)
    assert session.blockers == ()
    assert session.energy_wh == Decimal(5000)


def test_quirk_26_offline_events_are_flagged_and_count() -> None:
    story = Story201()
    story.start(0, 1000, offline=True, received=70)
    story.stop(60, 6000, offline=True, received=70)

    session = story.session()

    assert Flag.OFFLINE in session.flags
    assert session.blockers == ()
    assert session.energy_wh == Decimal(5000)


@BOTH
@pytest.mark.parametrize(
    ("zone", "night", "is_held"),
    [
        ("Europe/Berlin", datetime(2026, 10, 24, 23, 10, tzinfo=UTC), True),
        ("Europe/Berlin", datetime(2026, 10, 23, 23, 10, tzinfo=UTC), False),
        ("Europe/Berlin", datetime(2026, 10, 25, 1, 1, tzinfo=UTC), False),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 13, 40, tzinfo=UTC), True),
        ("Asia/Kolkata", datetime(2026, 10, 24, 23, 10, tzinfo=UTC), False),
    ],
)
def test_quirk_21_local_time_labelled_utc_is_held_in_the_night_in_which_clocks_are_turned(
    version: Version, zone: str, night: datetime, *, is_held: bool
) -> None:
    """All but the stop are told before it; it would end an hour, or half of one, too early."""
    story = version(StationTraits(time_zone=zone, max_power_w=Decimal(22_000)))
    here, begins = ZoneInfo(zone), minutes_to(night)

    def local(minutes: float) -> dict[str, Any]:
        moment = night + timedelta(minutes=minutes)
        told = moment.astimezone(here).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"device": told, "received": begins + minutes}

    story.start(begins, 1000, **local(0))
    for minutes in (5, 10):
        story.sample(begins + minutes, wh(1000 + 100 * minutes), **local(minutes))
    story.stop(begins + 245, 6000, **local(245))

    session = story.session()

    assert session.started_at == night
    assert Flag.TZ_MISLABELLED in session.flags
    assert session.blockers == ((Flag.CLOCK_JUMPED,) if is_held else ())
    assert session.duration == timedelta(minutes=245) or is_held
