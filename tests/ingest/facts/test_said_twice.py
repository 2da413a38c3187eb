"""A member that stands twice in a frame, with two values: the last is read, and nobody bills it."""

from __future__ import annotations

import pytest

from ingest.facts.rpc_call import says_twice
from ledger.facts.flags import Flag, blockers_of
from tests.station_story import Story16, Story21, Story201, stamp, wh


@pytest.mark.parametrize(
    ("once", "twice"),
    [
        ('"meterStop": 6000', '"meterStop": 3000, "meterStop": 6000'),
        ('"meterStop": 6000', '"meterStop":6000.0,"meterStop":6000'),
        ('"transactionId": 1', '"transactionId": 2, "transactionId": 1'),
        ('"value": "6000"', '"value": "5000", "value": "6000"'),
        ('"value": "6000"', '"value": "6000", "v\\u0061lue": "5000"'),
        ('"unit": "Wh"', '"unit": "kWh", "unit": "Wh"'),
    ],
)
def test_a_stop_that_says_one_thing_twice_is_held(once: str, twice: str) -> None:
    story = Story16()
    story.start(0, 1000)
    story.stop(60, 6000, samples=[wh(6000)])
    last = story.frames.pop().frame.replace(":", ": ").replace(": 00", ":00")
    assert once in last

    story.log(last.replace(once, twice), 60)

    assert Flag.SAID_TWICE in story.session().blockers


@pytest.mark.parametrize("version", [Story16, Story201, Story21])
def test_a_start_of_two_tokens_is_held(version: type[Story16 | Story201]) -> None:
    story = version()
    story.start(0, 1000)
    name = "idTag" if version is Story16 else "idToken"
    first = f'"{name}":"OTHER","{name}":"TAG-1"'
    start = story.frames.pop()
    text = start.frame.replace(f'"{name}":"{start.sealed[0].subject}"', first)
    assert first in text
    story.log(text, 0, reply='[3,"1",{"transactionId":1}]')
    story.stop(60, 6000)

    session = story.session()

    assert Flag.SAID_TWICE in session.blockers
    assert session.token_uid == "tag-1"


@pytest.mark.parametrize("version", [Story16, Story201, Story21])
@pytest.mark.parametrize(
    ("member", "again"),
    [("value", "4000"), ("timestamp", f'"{stamp(31)}"'), ("measurand", '"Power.Active.Import"')],
)
def test_a_reading_in_between_of_two_values_is_held_where_it_is_counted(
    version: type[Story16 | Story201], member: str, again: str
) -> None:
    story = version()
    story.start(0, 1000)
    story.sample(30, wh(3000))
    text = story.frames.pop().frame
    story.log(text.replace(f'"{member}":', f'"{member}":{again},"{member}":'), 30)
    story.stop(60, 6000)

    # What says how much, and when; the others are told by the readings around them.
    assert (Flag.SAID_TWICE in story.session().blockers) is (member != "measurand")


@pytest.mark.parametrize("version", [Story16, Story201, Story21])
def test_what_is_said_twice_with_one_value_or_of_two_objects_is_no_flag(
    version: type[Story16 | Story201],
) -> None:
    story = version()
    story.start(0, 1000)
    story.sample(30, wh(3000), wh(2000, phase="L1"))
    text = story.frames.pop().frame
    story.log(text.replace('"value":', '"x":{"value":1},"value":'), 30)
    story.stop(60, 6000)
    for frame in [*story.frames]:
        text = frame.frame.replace('"timestamp":', '"y":[7],"y":[7],"timestamp":')
        story.log(text, 60, reply=frame.reply)

    assert Flag.SAID_TWICE not in story.session().flags


@pytest.mark.parametrize(
    ("text", "is_twice"),
    [
        ('{"a":1,"a":2}', True),
        ('[{"b":{"a":1,"a":2}}]', True),
        ('\ufeff{"a":NaN,"a":1}\0', True),
        ('{"a":1,"a":1}', False),
        ('{"a":1},{"a":2}', False),
        ('{"a":1,"a":2', False),
        ("[" * 100_000, False),
        ("", False),
    ],
)
def test_only_two_values_of_one_object_count_and_nothing_raises(text: str, is_twice: bool) -> None:  # noqa: FBT001
    assert says_twice(text) is is_twice


def test_a_frame_that_says_one_thing_twice_waits_for_a_person() -> None:
    assert blockers_of([Flag.SAID_TWICE]) == (Flag.SAID_TWICE,)
