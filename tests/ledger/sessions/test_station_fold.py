"""The fold does not depend on arrival: any order, any repetition, any restart, one session."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.facts.station_facts import QueueReported, SessionStarted, SessionUpdated, StationFact
from ledger.log.authorization import Authorization
from ledger.sessions.segments import dated
from ledger.sessions.session import ChargingSession
from ledger.sessions.station_fold import fold_station
from ledger.sessions.told import SILENT, Settled, StationTold, settled, told, without
from tests.station_story import Story16, Story201, at, sessions_of, wh

EVER = datetime.min.replace(tzinfo=UTC)
MINUTES = st.integers(-30, 200)
REGISTERS = st.integers(0, 12_000)
SOON = st.sampled_from([0, 0.2, 0.5, 0.9, 1, 1.1, 2])
FEW = st.sampled_from([1000, 3500])
ANSWERED = [
    Authorization(subject="tag-1", by="partner", status=status, party=party)
    for status in ("accepted", "blocked")
    for party in ("NL-TNM", "DE-ABC")
]
IDS_16 = st.sampled_from([1, 1, 1, 2, -1, 0, 777, None])


@st.composite
def stories_16(draw: st.DrawFn) -> Story16:
    """Return what a 1.6 station with odd ideas may send on two connectors."""
    story = Story16()
    for _ in range(draw(st.integers(1, 14))):
        minute, register = draw(MINUTES), draw(REGISTERS)
        tx, place = draw(IDS_16), draw(st.sampled_from([0, 1, 1, 2]))
        received = minute + draw(st.sampled_from([0, 0, 0, 90]))
        match draw(st.sampled_from(["start", "sample", "sample", "stop", "state", "boot"])):
            case "start":
                number = draw(st.sampled_from([1, 2, 3]))
                story.start(minute, register, tx=number, place=number, received=received)
            case "sample":
                story.sample(minute, wh(register), tx=tx, place=place, received=received)
            case "stop":
                story.stop(minute, register, tx=tx, received=received)
            case "state":
                name = draw(st.sampled_from(["Charging", "SuspendedEV", "Available"]))
                story.state(minute, name, place=place, received=received)
            case _:
                story.boot(minute)
    return story


@st.composite
def stories_201(draw: st.DrawFn) -> Story201:
    """Return what a 2.0.1 station with odd ideas may send."""
    story = Story201()
    for _ in range(draw(st.integers(1, 14))):
        minute, register = draw(st.one_of(SOON, MINUTES)), draw(st.one_of(FEW, REGISTERS))
        kind = draw(st.sampled_from(["Started", "Updated", "Updated", "Ended"]))
        story.event(
            kind,
            minute,
            wh(register),
            tx=draw(st.sampled_from([1, 1, 2])),
            place=draw(st.sampled_from([None, 1, 2])),
            seq=draw(st.integers(0, 6)),
            state=draw(st.sampled_from([None, "Charging", "SuspendedEV", "EVConnected"])),
            offline=draw(st.booleans()),
            token=draw(st.sampled_from([None, "tag-1", "tag-2"])),
        )
    return story


@st.composite
def authorized(draw: st.DrawFn, facts: list[StationFact]) -> list[StationFact]:
    """Return *facts* as an edge logs them whose answers change: with what the token was found."""
    return [
        msgspec.structs.replace(fact, authorization=draw(st.sampled_from([None, *ANSWERED])))
        if isinstance(fact, SessionStarted | SessionUpdated) and fact.token_uid
        else fact
        for fact in facts
    ]


def _folded(story: Story16 | Story201, batches: list[list[StationFact]]) -> list[ChargingSession]:
    fold = story.fold([])
    for batch in batches:
        fold = fold_station("CS-1", told(batch, fold.told), story.traits, fold)
        for transaction in fold.transactions():
            fold.sessions(transaction)  # a fold in between leaves no trace
    return sessions_of(fold)


def _encoded(sessions: list[ChargingSession]) -> list[bytes]:
    return sorted(msgspec.json.encode(session) for session in sessions)


@settings(max_examples=150, deadline=None)
@given(st.one_of(stories_16(), stories_201()), st.data())
def test_any_order_and_any_repetition_of_the_facts_give_the_same_sessions(
    story: Story16 | Story201, data: st.DataObject
) -> None:
    facts = data.draw(authorized(story.facts()))
    repeated = facts + data.draw(
        st.lists(st.sampled_from(facts), max_size=5) if facts else st.just([])
    )
    shuffled = data.draw(st.permutations(repeated))
    cut = data.draw(st.integers(0, len(shuffled)))

    expected = _folded(story, [facts])

    assert _encoded(_folded(story, [shuffled[:cut], shuffled[cut:]])) == _encoded(expected)
    assert _encoded(_folded(story, [[fact] for fact in shuffled])) == _encoded(expected)


@settings(max_examples=60, deadline=None)
@given(st.one_of(stories_16(), stories_201()), st.data())
def test_a_book_rebuilt_from_stored_facts_tells_the_same(
    story: Story16 | Story201, data: st.DataObject
) -> None:
    facts = data.draw(authorized(story.facts()))
    stored = [msgspec.json.encode(fact) for fact in facts]
    reread = [msgspec.json.decode(text, type=StationFact) for text in stored]

    assert reread == facts
    assert _encoded(_folded(story, [reread])) == _encoded(_folded(story, [facts]))


@settings(max_examples=150, deadline=None)
@given(st.one_of(stories_16(), stories_201()))
def test_no_session_ever_has_negative_energy_or_goes_back_in_time(
    story: Story16 | Story201,
) -> None:
    for session in sessions_of(story.fold()):
        energies = [point.energy_wh for point in session.points]
        moments = [point.at for point in session.points]

        assert energies == sorted(energies)
        assert moments == sorted(moments)
        assert session.energy_wh is None or session.energy_wh >= 0
        if energies:
            assert energies[0] == 0
            assert energies[-1] == session.energy_wh
            assert moments[0] == session.started_at
            assert moments[-1] == (session.ended_at or session.provisional_ended_at)


@settings(max_examples=150, deadline=None)
@given(st.one_of(stories_16(), stories_201()), st.data())
def test_changed_names_every_transaction_whose_sessions_change_as_facts_come_and_go(
    story: Story16 | Story201, data: st.DataObject
) -> None:
    fold = story.fold([])
    kept: list[StationFact] = []
    known: dict[str, list[bytes]] = {}
    for fact in data.draw(st.permutations(story.facts())):
        gone = data.draw(st.lists(st.sampled_from(kept), max_size=3)) if kept else []
        for now in (without(fold.told, gone), told([fact], without(fold.told, gone))):
            fold = fold_station("CS-1", now, story.traits, fold)
            anew = fold_station("CS-1", now, story.traits)
            for transaction in {*fold.transactions(), *anew.transactions(), *known}:
                sessions = _encoded(list(anew.sessions(transaction)))
                assert transaction in fold.changed or sessions == known.get(transaction, [])
                assert _encoded(list(fold.sessions(transaction))) == sessions
                known[transaction] = sessions
        kept = [*(each for each in kept if each not in gone), fact]


@settings(max_examples=150, deadline=None)
@given(st.one_of(stories_16(), stories_201()), st.data())
def test_what_is_taken_out_leaves_no_trace(story: Story16 | Story201, data: st.DataObject) -> None:
    facts = story.facts()
    gone = data.draw(st.lists(st.sampled_from(facts), max_size=5)) if facts else []
    left = [fact for fact in facts if not any(fact is each for each in gone)]

    fold = fold_station("CS-1", without(told(facts), gone), story.traits)

    assert _encoded(sessions_of(fold)) == _encoded(sessions_of(story.fold(left)))


@settings(max_examples=500, deadline=None)
@given(st.one_of(stories_16(), stories_201()), st.data())
def test_windows_stand_for_the_facts_of_an_ids_first_sessions(
    story: Story16 | Story201, data: st.DataObject
) -> None:
    fold = story.fold()
    for transaction in fold.transactions():
        sessions = fold.sessions(transaction)
        cuts = [each.facts_from for each in sessions if each.facts_from]
        if not all(each.window for each in sessions):
            continue
        cut = data.draw(st.sampled_from([None, *cuts]))
        told_of = fold.told.transactions.get(transaction, SILENT)
        first = [each for each in sessions if cut is None or (each.facts_from or EVER) < cut]
        loose = {id(each.frame) for each in fold.loose(transaction)}
        gone = [
            fact
            for some in (told_of.starts, told_of.updates, told_of.ends, told_of.reports)
            for fact in some
            if id(fact) not in loose and (cut is None or dated(fact, story.traits) < cut)
        ]
        some = data.draw(st.sampled_from([gone, []]))  # whether they are still told or not
        part = Settled(tuple(each.window for each in first if each.window), cut)
        now = settled(without(fold.told, some), {transaction: part})
        after = fold_station("CS-1", now, story.traits, data.draw(st.sampled_from([None, fold])))

        left = [each for each in sessions if each not in first]
        assert _encoded(list(after.sessions(transaction))) == _encoded(left)
        assert after.unmatched() == fold.unmatched()
        for other in {*fold.transactions()} - {transaction}:
            assert _encoded(list(after.sessions(other))) == _encoded(list(fold.sessions(other)))


def test_a_part_of_a_transaction_is_settled_until_another_one_is_told_of_it() -> None:
    first, later = Settled(until=EVER), Settled(until=None)
    known = settled(told([]), {"1": first, "2": first, "3": first})

    assert settled(known, {}) is known
    assert settled(known, {"2": later, "3": None, "4": later}).settled == {
        "1": first,
        "2": later,
        "4": later,
    }


def test_a_window_that_comes_to_stand_for_facts_is_laid_though_nothing_else_is_told() -> None:
    first, later = Story16(), Story16()
    first.start(0, 1000)
    first.stop(30, 2000)
    later.start(60, 3000)
    later.stop(90, 4000)
    fold = later.fold()
    part = Settled(tuple(first.fold().windows.by_key.values()), at(60))
    now = settled(fold.told, {"1": part})

    again = fold_station("CS-1", now, later.traits, fold)

    assert again.windows.by_key == fold_station("CS-1", now, later.traits).windows.by_key
    assert len(again.windows.by_key) == 2


def test_what_is_taken_out_is_gone_and_all_else_is_the_very_same() -> None:
    story = Story16()
    story.start(0, 1000)
    for _ in range(2):
        story.state(1, "Charging", place=1)
        story.state(1, "Charging", place=2)
        story.boot(2)
    facts = story.facts() + [report(number, about) for number in (1, 2) for about in (None, "1")]
    known = told(facts)

    for fact in facts:
        left = without(known, [fact])

        assert ids_in(left) == ids_in(known) - {id(fact)}
        shared = [
            before is now for before, now in zip(lists_of(known), lists_of(left), strict=True)
        ]
        assert shared.count(False) == 1, "the one that held it"
    assert without(known, []) is known
    assert without(known, facts).transactions == {}


def report(position: int, about: str | None) -> QueueReported:
    return QueueReported(
        station_id="CS-1",
        position=position,
        line=0,
        received_at=EVER,
        transaction_ref=about,
        messages_in_queue=False,
    )


def lists_of(known: StationTold) -> list[Any]:
    """Return all that was told, in the lists in which it is kept."""
    return [
        *known.transactions.values(),
        *(known.statuses[place] for place in sorted(known.statuses, key=str)),
        known.boots,
        known.reports,
    ]


def ids_in(known: StationTold) -> set[int]:
    """Return which very facts were told."""
    parts = [
        part
        for each in known.transactions.values()
        for part in (each.starts, each.updates, each.ends, each.reports)
    ]
    others = lists_of(known)[len(known.transactions) :]
    return {id(fact) for some in (*parts, *others) for fact in some}


@pytest.mark.parametrize("what", ["a state", "a boot"])
@pytest.mark.parametrize("has_loose", [False, True])
def test_what_the_station_says_beside_a_transaction_changes_its_session(
    what: str, *, has_loose: bool
) -> None:
    story = Story16()
    story.start(0, 1000)
    story.sample(20, wh(4000))
    if has_loose:
        story.sample(15, wh(3000), tx=None)
    known, fold = story.facts(), story.fold()
    before = _encoded(list(fold.sessions("1")))
    if what == "a state":
        story.state(10, "SuspendedEV")
    else:
        story.boot(30)

    news = [fact for fact in story.facts() if fact not in known]
    fold = fold_station("CS-1", told(news, fold.told), story.traits, fold)

    assert "1" in fold.changed
    assert _encoded(list(fold.sessions("1"))) != before
    assert _encoded(sessions_of(fold)) == _encoded(sessions_of(story.fold()))


def test_a_reused_id_makes_a_session_for_each_start() -> None:
    story = Story201()
    story.start(0, 1000, tx="R")
    story.stop(60, 6000, tx="R")
    story.start(600, 6000, tx="R", seq=0)
    story.sample(620, wh(7000), tx="R")
    story.stop(660, 9000, tx="R")

    first, second = story.sessions()

    assert [first.energy_wh, second.energy_wh] == [5000, 3000]
    assert first.session_id == "CS-1/T-R/20260302T080000Z"
    assert second.session_id == "CS-1/T-R/20260302T180000Z"
    assert first.flags == second.flags == ("id_reused",)


def test_a_frame_that_names_anothers_session_goes_to_its_own_connector() -> None:
    story = Story16()
    story.start(0, 1000, tx=1, place=1)
    story.start(0, 50_000, tx=2, place=2)
    story.sample(30, wh(51_000), tx=1, place=2)

    first, second = sorted(story.sessions(), key=lambda s: s.transaction_ref)

    assert first.energy_wh == 0
    assert "foreign_connector" in first.flags
    assert second.energy_wh == 1000


def test_the_first_answer_to_a_start_holds_however_often_it_is_sent() -> None:
    story = Story16()
    for minute in (0, 1, 2):
        story.start(0, 1000, received=minute)
    nothing, yes, no = None, ANSWERED[0], ANSWERED[2]
    facts = [
        msgspec.structs.replace(fact, authorization=answer)
        for fact, answer in zip(story.facts(), (nothing, yes, no), strict=True)
        if isinstance(fact, SessionStarted)
    ]

    (session,) = sessions_of(story.fold(facts))

    assert session.authorization == yes


def test_what_another_token_was_answered_is_not_the_session_s() -> None:
    story = Story201()
    story.event("Started", 0, wh(1000), token="tag-1", seq=0)
    story.event("Updated", 1, wh(1100), token="tag-2", seq=1)
    facts = [
        msgspec.structs.replace(fact, authorization=ANSWERED[0])
        if isinstance(fact, SessionUpdated)
        else fact
        for fact in story.facts()
    ]

    (session,) = sessions_of(story.fold(facts))

    assert (session.token_uid, session.authorization) == ("tag-1", None)
