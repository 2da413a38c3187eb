"""Quirks of the field notes (section 1) about whose a frame is: one test each, by its number."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from ledger.facts.flags import Flag
from ledger.facts.station_traits import StationTraits
from ledger.sessions.station_fold import fold_station
from ledger.sessions.told import told
from tests.station_story import (
    Story16,
    Story201,
    at,
    in_any_order,
    issue_frames,
    minutes_to,
    stamp,
    wh,
)

BOTH = pytest.mark.parametrize("version", [Story16, Story201], ids=["1.6", "2.0.1"])
Version = type[Story16] | type[Story201]


@BOTH
def test_quirk_01_the_stop_never_arrives(version: Version) -> None:
    story = version()
    story.start(0, 1000, tx=1)
    story.sample(30, wh(3000), tx=1)
    story.start(120, 3500, tx=2)

    lost, following = story.sessions()

    assert not lost.is_ended
    assert Flag.STOP_LOST in lost.blockers
    assert lost.energy_wh == Decimal(2000)
    assert lost.provisional_ended_at == at(30)
    assert following.flags == ()


def test_quirk_01_a_free_connector_ends_a_lost_session_provisionally() -> None:
    story = Story16()
    story.start(0, 1000)
    story.sample(30, wh(3000))
    story.state(45, "Available")
    story.start(120, 3500, tx=2)

    lost = story.sessions()[0]

    assert lost.provisional_ended_at == at(45)
    assert lost.points[-1].at == at(45)
    assert lost.points[-1].energy_wh == Decimal(2000)


@BOTH
def test_quirk_02_a_duplicate_stop_bills_once(version: Version) -> None:
    story = version()
    story.start(0, 1000)
    story.stop(60, 6000)
    story.log(story.frames[-1].frame.replace(stamp(60), "2026-03-02T09:00:02Z"), 61)

    session = story.session()

    assert session.flags == (Flag.DUPLICATE_STOP,)
    assert session.blockers == ()
    assert (session.energy_wh, session.ended_at) == (Decimal(5000), at(60))


def test_quirk_02_stops_that_contradict_each_other_are_held() -> None:
    story = Story16()
    story.start(0, 1000)
    story.stop(70, 6900)
    story.stop(60, 6000)

    session = story.session()

    assert Flag.CONFLICTING_STOP in session.blockers
    assert (session.energy_wh, session.ended_at) == (Decimal(5000), at(60))


def test_quirk_02_the_quoted_stop_sent_again_with_minus_one_changes_nothing() -> None:
    story = Story16()
    minute = minutes_to(datetime(2022, 2, 24, 13, 54, 20, tzinfo=UTC))
    story.start(minute - 5, 0, tx=58, device="2022-02-24T13:49:20Z")
    for text in issue_frames("MicroOcpp/issues/50"):
        story.log(text, minute)

    session = story.session()

    assert session.energy_wh == Decimal(2)
    assert {Flag.DUPLICATE_STOP, Flag.RESOLVED_BY_CONTEXT} <= set(session.flags)
    assert session.blockers == ()


@BOTH
def test_quirk_03_a_start_replayed_with_its_original_time_is_the_same_session(
    version: Version,
) -> None:
    story = version()
    story.start(0, 1000)
    story.frames.append(story.frames[0])
    story.stop(60, 6000)

    session = story.session()

    assert session.flags == (Flag.DUPLICATE_START,)
    assert session.energy_wh == Decimal(5000)


def test_quirk_03_an_id_that_is_used_again_at_once_is_two_sessions() -> None:
    story = Story201()
    story.start(0, 1000, token="A", seq=0)
    story.start(1 / 3, 1000, token="B", seq=0)
    story.start(1 / 3, 1000, token="C", seq=0)
    story.stop(60, 6000, seq=1)

    first, *others = story.sessions()

    assert first.blockers == (Flag.STOP_LOST,)
    assert Flag.ID_REUSED in first.flags
    assert all(Flag.ID_AMBIGUOUS in each.blockers for each in others)
    assert {each.token_uid for each in others} == {"b", "c"}


def test_quirk_03_the_quoted_starts_are_one_session() -> None:
    story = Story16()
    reply = '[3,"1000005",{"transactionId":9,"idTagInfo":{"status":"Accepted"}}]'
    for text in issue_frames("MicroOcpp/issues/237"):
        story.log(text, 0, reply=reply)

    assert Flag.DUPLICATE_START in story.session().flags


@pytest.mark.parametrize("tx", [-1, 0, -16, 9223372036854775807, 4711, None])
def test_quirk_04_a_reading_with_a_wrong_id_finds_its_session_by_context(tx: object) -> None:
    story = Story16()
    story.start(0, 1000, tx=1, place=1)
    story.start(0, 50_000, tx=2, place=2)
    story.sample(30, wh(3000), tx=tx, place=1)
    story.stop(60, 6000, tx=1)

    first = next(s for s in story.sessions() if s.transaction_ref == "1")

    assert first.flags == (Flag.RESOLVED_BY_CONTEXT,)
    assert [point.energy_wh for point in first.points] == [0, 2000, 5000]


def test_quirk_04_a_stop_with_minus_one_ends_the_only_candidate() -> None:
    story = Story16()
    story.start(0, 1000, tx=1)
    story.stop(60, 6000, tx=-1)

    session = story.session()

    assert session.flags == (Flag.RESOLVED_BY_CONTEXT,)
    assert session.blockers == ()
    assert session.energy_wh == Decimal(5000)


def test_quirk_04_a_random_id_never_closes_one_of_several_sessions() -> None:
    story = Story16()
    story.start(0, 1000, tx=1, place=1)
    story.start(0, 1100, tx=2, place=2)
    story.stop(60, 6000, tx=999)

    first, second, unmatched = sorted(story.sessions(), key=lambda s: s.transaction_ref)

    assert [first.is_ended, second.is_ended] == [False, False]
    assert unmatched.blockers == (Flag.UNMATCHED_STOP,)
    assert unmatched.energy_wh is None


def test_quirk_04_a_foreign_id_that_closes_by_context_is_held() -> None:
    story = Story16()
    story.start(0, 1000, tx=1)
    story.stop(60, 6000, tx=999)

    assert story.session().blockers == (Flag.FOREIGN_STOP_ATTACHED,)


@pytest.mark.parametrize("nothing", ["", None])
def test_quirk_04_events_without_an_id_are_sessions_all_the_same(nothing: str | None) -> None:
    story = Story201()
    for number, token in enumerate(("TAG-1", "TAG-2")):
        begins, info = 100 * number, {"transactionId": nothing}
        story.start(begins, 1000 + 5000 * number, token=token, info=info, tx=number)
        story.stop(begins + 60, 6000 + 5000 * number, info=info, tx=number, place=1)

    found = [(each.token_uid, each.energy_wh, each.blockers) for each in in_any_order(story)]

    assert found == [("tag-1", Decimal(5000), ()), ("tag-2", Decimal(5000), ())]


@pytest.mark.parametrize("kind", ["Updated", "Ended"])
def test_quirk_04_an_id_in_other_letters_is_named_on_both_sessions(kind: str) -> None:
    """By OCPP 2.x it is the same id; nobody can tell who counts by ids that differ in case."""
    story = Story201()
    story.start(0, 1000, tx="Ab")
    story.event(kind, 30, wh(3000), tx="aB", seq=1)
    story.start(0, 1000, tx="b", place=2)
    story.stop(30, 2000, tx="b")

    mine, plain, stray = in_any_order(story)

    assert [each.transaction_ref for each in (mine, plain, stray)] == ["T-Ab", "T-b", "T-aB"]
    assert Flag.ID_SPELT_OTHERWISE in mine.flags
    assert Flag.ID_SPELT_OTHERWISE in stray.flags
    assert Flag.ID_SPELT_OTHERWISE not in plain.flags


def test_quirk_04_a_stop_of_another_token_or_below_the_start_closes_nothing() -> None:
    story = Story16()
    story.start(0, 1000, tx=1)
    story.stop(60, 6000, tx=-1, idTag="SOMEBODY-ELSE")
    story.stop(61, 10, tx=0)

    own, *others = sorted(story.sessions(), key=lambda s: s.transaction_ref != "1")

    assert not own.is_ended
    assert len({each.session_id for each in others}) == 2


def test_quirk_04_the_quoted_alfen_reading_without_energy_is_kept_and_harmless() -> None:
    story = Story16()
    (text,) = issue_frames("lbbrhzn/ocpp/issues/45")
    story.log(text, 0)

    assert story.sessions() == []
    assert len(story.fold().unmatched()) == 1


def test_quirk_05_a_stop_for_a_session_never_started_is_unmatched() -> None:
    story = Story16()
    story.stop(60, 6000, tx=12345)

    session = story.session()

    assert session.blockers == (Flag.UNMATCHED_STOP,)
    assert session.session_id == "CS-1/12345/no-start"


def test_quirk_05_unmatched_stops_without_an_id_are_told_apart() -> None:
    story = Story16()
    story.stop(60, 6000, tx=-1)
    story.stop(90, 7000, tx=-1)
    story.stop(90, 7000, tx=-1)

    assert len({s.session_id for s in story.sessions()}) == 2


@BOTH
def test_quirk_06_the_starter_pays_whoever_stops(version: Version) -> None:
    story = version()
    story.start(0, 1000, token="TAG-1")
    if isinstance(story, Story16):
        story.stop(60, 6000, idTag="TAG-2")
    else:
        story.stop(60, 6000, token="TAG-2")

    session = story.session()

    assert (session.token_uid, session.stopped_by) == ("tag-1", "tag-2")
    assert session.flags == (Flag.OTHER_TOKEN_STOPPED,)


@BOTH
def test_quirk_18_readings_that_keep_the_old_id_change_no_closed_session(
    version: Version,
) -> None:
    story = version()
    story.start(0, 1000)
    story.stop(60, 6000)
    closed = story.session()
    story.sample(90, wh(6000))
    story.sample(120, wh("6000"))

    session = story.session()

    assert session.flags == (Flag.POST_STOP_READINGS,)
    assert session.points == closed.points
    assert session.unattributed_wh == 0


def test_quirk_18_the_quoted_reading_after_the_stop_changes_nothing() -> None:
    story = Story16(StationTraits())
    story.start(-887_000, 0)
    story.stop(-886_990, 1100)
    (text,) = issue_frames("evcc/issues/14673")
    story.log(text, 0)

    assert story.session().energy_wh == Decimal(1100)


def test_quirk_19_connector_zero_is_never_billed() -> None:
    story = Story16()
    story.start(0, 1000, place=1)
    story.sample(20, wh(734_600), tx=None, place=0)
    story.sample(25, wh(734_700), tx=1, place=0)
    story.sample(30, wh(3000), tx=None, place=1)
    story.stop(60, 6000)

    session = story.session()

    assert [point.energy_wh for point in session.points] == [0, 2000, 5000]
    assert Flag.RESOLVED_BY_CONTEXT in session.flags
    assert all(Flag.CONNECTOR_ZERO in unmatched.oddities for unmatched in story.fold().unmatched())


@BOTH
def test_quirk_25_an_end_before_its_start_is_one_session(version: Version) -> None:
    story = version()
    story.start(0, 1000)
    story.sample(30, wh(3000))
    story.stop(60, 6000)
    in_order = story.session()

    backwards = story.fold([])
    for fact in reversed(story.facts()):
        now = told([fact], backwards.told)
        backwards = fold_station("CS-1", now, story.traits, backwards)

    assert backwards.sessions(in_order.transaction_ref) == (in_order,)
    assert in_order.flags == ()


def test_quirk_25_several_ends_are_one_end() -> None:
    story = Story201()
    story.start(0, 1000)
    story.stop(60, 6000)
    story.stop(60, 6000)

    session = story.session()

    assert session.flags == (Flag.DUPLICATE_STOP,)
    assert session.energy_wh == Decimal(5000)


def test_quirk_27_the_place_is_remembered_from_the_start_and_never_guessed() -> None:
    story = Story201()
    story.start(0, 1000, place=2)
    story.sample(30, wh(3000), place=None)
    story.stop(60, 6000, place=None)
    placeless = Story201()
    placeless.start(0, 1000, place=None)
    placeless.stop(60, 6000)

    assert story.session().evse_id == 2
    assert placeless.session().evse_id is None
    assert placeless.session().flags == (Flag.PLACE_UNKNOWN,)


@BOTH
def test_quirk_28_a_restart_in_the_middle_closes_nothing(version: Version) -> None:
    story = version()
    story.start(0, 1000)
    story.boot(20)
    still_open = story.session()
    story.sample(30, wh(3000))
    story.stop(60, 6000)

    session = story.session()

    assert not still_open.is_ended
    assert session.flags == (Flag.INTERRUPTED,)
    assert session.energy_wh == Decimal(5000)


@BOTH
def test_quirk_28_a_stop_dated_when_power_came_back_ends_time_at_the_last_sign(
    version: Version,
) -> None:
    seen, unseen = version(), version()
    for story in (seen, unseen):
        story.start(0, 1000)
        if story is seen:
            story.sample(30, wh(3000))
        story.boot(600)
        story.stop(600, 3100)

    assert Flag.POWER_LOST in seen.session().flags
    assert seen.session().last_sign_at == at(30)
    assert seen.session().energy_wh == Decimal(2100)
    assert seen.session().blockers == ()
    assert unseen.session().blockers == (Flag.LAST_SIGN_UNKNOWN,)
