"""Readings of every context at a few moments: each Wh is a session's, dropped or nobody's."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from projections.balances.station_energy import station_energy
from tests.station_story import Story16, wh

CONTEXTS = ["Sample.Periodic", "Sample.Clock", "Transaction.Begin", "Transaction.End"]
readings = st.tuples(
    st.sampled_from([5, 10, 15, 30]),
    st.lists(
        st.tuples(st.sampled_from([1, 2, 900, 2000, 67_000]), st.sampled_from(CONTEXTS)),
        min_size=1,
        max_size=4,
    ),
)


@settings(max_examples=300, deadline=None)
@given(
    start=st.sampled_from([None, 1, 2000]),
    told=st.lists(readings, max_size=4),
    stop=st.sampled_from([None, 5, 2000]),
    is_ended=st.booleans(),
)
def test_one_moment_in_several_roles_balances(
    start: int | None,
    told: list[tuple[int, list[tuple[int, str]]]],
    stop: int | None,
    *,
    is_ended: bool,
) -> None:
    story = Story16()
    story.start(0, start)
    for minute, values in told:
        story.sample(minute, *(wh(value, context=context) for value, context in values))
    if is_ended:
        story.stop(20, stop)

    days = station_energy(story.facts(), story.sessions(), story.traits)

    assert [day.difference_wh for day in days if day.difference_wh] == []
