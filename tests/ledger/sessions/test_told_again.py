"""A whole session told again by a station that reconnects: no sign that a clock was set."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import msgspec
import pytest

from ledger.facts.flags import Flag
from ledger.sessions.session import ChargingSession
from tests.station_story import Story16, at, stamp, wh


def told_at(*received: tuple[float, float, float], ahead: float = 0) -> Story16:
    """Return an hour's session told again and again: when start, reading and stop were received."""
    story = Story16()
    for start, reading, stop in received:
        story.start(0, 1000, device=stamp(ahead), received=start)
        story.sample(20, wh(3000), device=stamp(20 + ahead), received=reading)
        story.stop(60, 6000, device=stamp(60 + ahead), received=stop)
    return story


LIVE, LATE = (0, 20, 60), (300, 300, 301)
AGAIN = {
    "in a queue": (600, 600, 601),
    "with its own distances": (600, 620, 660),
    "a stop as late as the start": (360, 361, 360),
}


def in_orders(story: Story16) -> Iterable[ChargingSession]:
    facts = story.facts()
    for seed in range(20):
        order = Random(seed).sample(facts, len(facts))
        # Where a frame lies in the log is the order in which it arrived.
        numbered = [msgspec.structs.replace(fact, position=n) for n, fact in enumerate(order)]
        (session,) = story.fold(numbered).sessions("1")
        yield session


@pytest.mark.parametrize("again", AGAIN.values(), ids=AGAIN)
@pytest.mark.parametrize("first", [LIVE, LATE], ids=["live", "late"])
def test_a_session_told_again_is_no_jump_of_a_clock_in_any_order(
    first: tuple[float, float, float], again: tuple[float, float, float]
) -> None:
    story = told_at(first, again, tuple(each + 600 for each in again))  # type: ignore[arg-type]
    once = told_at(first).session()

    for session in in_orders(story):
        assert (session.started_at, session.ended_at) == (at(0), at(60))
        assert session.blockers == once.blockers == ()
        assert session.clock == once.clock


@pytest.mark.parametrize("again", AGAIN.values(), ids=AGAIN)
def test_a_boot_before_it_is_told_again_set_no_clock_right(
    again: tuple[float, float, float],
) -> None:
    story = told_at(LIVE, again)
    story.boot(500)
    story.boot(700)

    assert story.session().blockers == ()


def test_a_clock_that_was_always_behind_is_so_when_a_frame_is_told_again() -> None:
    story = told_at(LIVE, ahead=-40)
    once = story.session()
    story.stop(60, 6000, device=stamp(20), received=400)

    assert Flag.CLOCK_BEHIND in once.flags
    assert (story.session().clock, story.session().started_at) == (once.clock, at(0))
