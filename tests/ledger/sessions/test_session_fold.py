"""The fold of one session: each of its questions, a row on either side of where it turns."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from ledger.facts.flags import Flag
from ledger.log.authorization import Authorization
from tests.station_story import Story16, Story201, at, stamp, wh

SECOND = 1 / 60


@pytest.mark.parametrize(("minute", "is_before"), [(-SECOND, True), (0, False), (SECOND, False)])
def test_a_stop_before_the_start_ends_it_at_once(minute: float, *, is_before: bool) -> None:
    story = Story16()
    story.start(0, 1000)
    story.stop(minute, 1000, received=1)

    session = story.session()

    assert session.started_at == at(0)
    assert session.ended_at == at(max(minute, 0))
    assert (Flag.STOP_BEFORE_START in session.flags) is is_before


@pytest.mark.parametrize(
    ("received", "is_heard"), [(-SECOND, False), (0, True), (60, True), (60 + SECOND, False)]
)
def test_states_speak_of_the_clock_from_the_first_frame_to_the_last(
    received: float, *, is_heard: bool
) -> None:
    story = Story16()
    story.start(0, 1000)
    story.sample(30, wh(3000))
    story.stop(60, 6000)
    story.state(600, "Charging", received=received)

    assert (Flag.TIME_IMPOSSIBLE in story.session().flags) is is_heard


@pytest.mark.parametrize(
    ("boot", "stops", "is_interrupted"),
    [
        (0, 60, False),
        (SECOND, 60, True),
        (60 - SECOND, 60, True),
        (60, 60, False),
        (90, None, True),
        (-1, None, False),
    ],
)
def test_a_boot_between_start_and_stop_interrupts(
    boot: float, stops: float | None, *, is_interrupted: bool
) -> None:
    story = Story16()
    story.start(0, 1000)
    story.boot(boot)
    if stops is not None:
        story.stop(stops, 6000, reason="Local")

    assert (Flag.INTERRUPTED in story.session().flags) is is_interrupted


@pytest.mark.parametrize(
    ("reported", "in_queue", "is_closed"),
    [
        (60 - SECOND, False, False),
        (60, False, True),
        (90, False, True),
        (90, True, False),
    ],
)
@pytest.mark.parametrize("transaction", ["T-1", None])
def test_a_queue_that_is_empty_from_the_stop_on_closes_a_gap(
    reported: float, *, in_queue: bool, is_closed: bool, transaction: str | None
) -> None:
    story = Story201()
    story.start(0, 1000, seq=0)
    story.stop(60, 6000, seq=2)
    asked = {} if transaction is None else {"transactionId": transaction}
    reply = {"messagesInQueue": in_queue}
    story.send("GetTransactionStatus", asked, reported, reply=reply, direction="out")

    session = story.session()

    assert session.missing_seq_nos == (1,)
    assert (Flag.SEQ_GAP_CLOSED in session.flags) is is_closed
    assert (Flag.SEQ_GAP in session.blockers) is not is_closed


@pytest.mark.parametrize(
    ("starts", "updates", "stops", "token", "flags"),
    [
        ("A", (), "A", "a", set()),
        ("A", (), None, "a", set()),
        ("A", (), "B", "a", {Flag.OTHER_TOKEN_STOPPED}),
        ("A", ("A",), None, "a", set()),
        ("A", ("B",), None, "a", {Flag.ID_AMBIGUOUS}),
        (None, ("B",), None, "b", set()),
        (None, (None, "B"), "B", "b", set()),
        (None, ("B", "C"), None, "b", {Flag.ID_AMBIGUOUS}),
        (None, (None,), "B", None, {Flag.TOKEN_MISSING}),
    ],
)
def test_the_starter_pays_or_whom_the_first_event_names(
    starts: str | None,
    updates: tuple[str | None, ...],
    stops: str | None,
    token: str | None,
    flags: set[Flag],
) -> None:
    story = Story201()
    story.start(0, 1000, token=starts)
    for index, told in enumerate(updates, 1):
        story.sample(10 * index, wh(1000 + 500 * index), token=told)
    story.stop(60, 6000, token=stops)

    session = story.session()

    assert session.token_uid == token
    assert set(session.flags) == flags


def test_of_events_out_of_order_the_earliest_names_who_pays() -> None:
    story = Story201()
    story.start(0, 1000, token=None, seq=0)
    story.sample(20, wh(2000), token="B", seq=2)
    story.sample(10, wh(1500), token="A", seq=1, received=30)
    story.stop(60, 6000, seq=3)

    assert story.session().token_uid == "a"


@pytest.mark.parametrize(("register", "is_zero"), [(1000, True), (1001, False)])
def test_no_energy_at_all_is_told_of_an_ended_session(register: int, *, is_zero: bool) -> None:
    story = Story16()
    story.start(0, 1000)
    story.sample(30, wh(1000))
    assert Flag.ZERO_ENERGY not in story.session().flags

    story.stop(60, register)

    assert (Flag.ZERO_ENERGY in story.session().flags) is is_zero


def test_only_without_numbers_and_without_a_start_is_a_stop_unmatched() -> None:
    numbered, unnumbered = Story201(), Story16()
    numbered.stop(60, 6000, seq=1)
    unnumbered.stop(60, 6000, tx=7)

    assert set(numbered.session().blockers) >= {Flag.START_MISSING}
    assert Flag.UNMATCHED_STOP not in numbered.session().flags
    assert set(unnumbered.session().blockers) >= {Flag.UNMATCHED_STOP}
    assert Flag.START_MISSING not in unnumbered.session().flags


def test_the_next_start_ends_what_an_open_session_may_read() -> None:
    """The next driver's readings, told under the id of the last, count in nobody's session."""
    story = Story16()
    story.start(0, 1000, tx=1, token="A")
    story.sample(30, wh(3000), tx=1)
    story.start(60, 3000, tx=2, token="B")
    story.sample(60, wh(3000), tx=1)
    story.sample(60 + SECOND, wh(3100), tx=1)
    story.sample(90, wh(5000), tx=1)

    first, _ = story.sessions()

    assert first.token_uid == "a"
    assert first.energy_wh == 2000
    assert first.provisional_ended_at == at(60)
    assert Flag.STOP_LOST in first.blockers
    assert first.duration == timedelta(hours=1)


def test_of_starts_told_again_the_earliest_holds() -> None:
    story = Story201()
    story.start(0.5, 1000, token="A", seq=0, received=1)
    story.start(0, 1000, token="A", seq=0, received=2)
    story.stop(60, 6000, seq=1)

    session = story.session()

    assert session.started_at == at(0)
    assert session.flags == (Flag.DUPLICATE_START,)


@pytest.mark.parametrize("count", [9, 10])
def test_of_starts_that_are_too_many_the_first_by_register_and_token_holds(count: int) -> None:
    """The eighth in a second is that of those after it, too."""
    by_register, by_token = Story16(), Story201()
    for number in range(count):
        by_register.start(0, 2000 - number, tx=1, token=f"T{number}")
        by_token.start(0, 1000, token=f"T{count - number}", seq=0)

    told = ((by_register, f"t{count - 1}", 2001 - count), (by_token, "t1", 1000))
    for story, token, register in told:
        last = max(
            story.sessions(), key=lambda each: each.window.starts_at if each.window else at(0)
        )
        assert (last.token_uid, last.meter_start_wh) == (token, Decimal(register))


def test_a_session_says_when_it_was_heard_of_first_and_last() -> None:
    story = Story16()
    story.start(0, 1000, received=5)
    story.stop(60, 6000, received=70)

    session = story.session()

    assert (session.first_received_at, session.last_received_at) == (at(5), at(70))


def test_where_no_number_is_missing_no_gap_is_closed() -> None:
    story = Story201()
    story.start(0, 1000, seq=0)
    story.stop(60, 6000, seq=1)
    asked, reply = {"transactionId": "T-1"}, {"messagesInQueue": False}
    story.send("GetTransactionStatus", asked, 90, reply=reply, direction="out")

    assert Flag.SEQ_GAP_CLOSED not in story.session().flags


def test_of_events_of_a_moment_one_without_a_number_comes_first() -> None:
    story = Story201()
    story.start(0, 1000, token=None, seq=0)
    story.sample(10, wh(1500), token="A", seq=1)
    story.sample(10, wh(1500), token="B", seqNo=None)

    assert story.session().token_uid == "b"


def test_a_stop_that_does_not_hold_tells_no_reading() -> None:
    story = Story16()
    story.start(0, 1000)
    story.stop(60, 6000)
    story.stop(70, 9000, samples=[wh(8000)])

    session = story.session()

    assert session.unused_frames == ((2, 0),)
    assert set(session.flags) == {Flag.CONFLICTING_STOP}
    assert session.dropped == ()


def test_a_session_names_its_evse_and_its_connector() -> None:
    story = Story201()
    story.start(0, 1000, place=2)

    assert (story.session().evse_id, story.session().connector_id) == (2, 1)


def test_what_a_token_was_found_to_be_is_the_start_s_then_the_earliest_event_s() -> None:
    story = Story201()
    story.start(10, 1000, token="A", seq=0)
    story.sample(5, wh(1000), token="A", seq=1, received=10)
    story.sample(4, wh(1000), token="A", seq=2, received=10)
    words = [Authorization(subject="a", by="partner", status="accepted", party=p) for p in "XYZ"]
    facts = [
        msgspec.structs.replace(fact, authorization=word)
        for fact, word in zip(story.facts(), words, strict=True)
    ]

    (with_start,) = story.fold(facts).sessions("T-1")
    (without,) = story.fold(facts[1:]).sessions("T-1")

    assert with_start.authorization == words[0]
    assert without.authorization == words[2]


@pytest.mark.parametrize(
    ("devices", "is_doubted"),
    [((20,), False), ((90,), True), ((90, 20), False), ((20, 90), False), ((90, 90), True)],
)
def test_a_state_is_in_doubt_where_nobody_told_its_time(
    devices: tuple[float, ...], *, is_doubted: bool
) -> None:
    """One that is dated after its receipt is of its receipt; told rightly too, it is believed."""
    story = Story201()
    story.start(0, 1000, seq=0, state="Charging")
    for device in devices:
        story.state(20, "SuspendedEV", seq=1, device=stamp(device))
    story.stop(120, 6000, seq=2)

    assert [span.starts_at for span in story.session().spans] == [at(0), at(20)]
    assert (Flag.CLOCK_AHEAD in story.session().flags) is is_doubted


def test_a_session_lies_where_its_first_event_says_whose_start_says_nothing() -> None:
    story = Story201()
    story.start(0, 1000, place=None)
    story.sample(10, wh(1500), place=2)

    window = story.session().window

    assert window is not None
    assert window.place == 2
    assert story.session().evse_id == 2
