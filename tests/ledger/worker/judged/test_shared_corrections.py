"""A correction of a session that shares a grant: its own standing stays, the difference counts."""

from __future__ import annotations

import pytest

from tests.charging_day import choose, meter16, start16, stop16, tick, write_log
from tests.faults.broken_books import is_identical
from tests.projections.test_shared_state import (
    ONE,
    TWO,
    ask_all,
    charge,
    fleet,
    nets,
    work,
)

__all__ = ["fleet"]
FIRST = f"{ONE}/1/20260302T071000Z"


@pytest.fixture
def shared(fleet: str) -> str:
    """A household: 20 kWh released without their stop, then 40 kWh by another card."""
    write_log(fleet, [start16(ONE, 10, 1, "HOME1", 0), meter16(ONE, 40, 1, 20_000), *tick(2000)])
    write_log(fleet, [choose(FIRST, "release", 2050)])
    work(fleet)
    write_log(fleet, charge(TWO, 2, "HOME2", 40, minutes=2060))
    work(fleet)
    return fleet


def uses(dsn: str) -> list[tuple[int, int, int, int]]:
    """Return number, revision, kWh used before and kWh used of each use of the allowance."""
    query = (
        "SELECT number, revision, (before_wh / 1000)::int, (used_wh / 1000)::int"
        " FROM allowance_use WHERE key LIKE '%allowance/home%' ORDER BY number"
    )
    return [tuple(row) for row in ask_all(dsn, query)]


def test_the_difference_takes_the_next_number_and_others_keep_their_standing(shared: str) -> None:
    assert uses(shared) == [(1, 1, 0, 20), (2, 1, 20, 30)]
    before = nets(shared)

    write_log(shared, [stop16(ONE, 60, 1, 30_000, received=3000)])
    work(shared)

    assert uses(shared) == [(1, 1, 0, 20), (2, 1, 20, 30), (3, 2, 50, 10)]
    # By its own standing all 30 kWh of it were free, whoever came meanwhile.
    query = "SELECT sum(net_minor)::int FROM rated_line WHERE session_id = %s AND revision = 2"
    assert ask_all(shared, query.replace("%s", f"'{FIRST}'")) == [(0,)]
    assert before["2"] == nets(shared)["2"] == 400
    assert is_identical(shared)


def test_who_comes_after_a_correction_finds_what_it_used(shared: str) -> None:
    write_log(shared, [stop16(ONE, 60, 1, 30_000, received=3000)])
    work(shared)
    write_log(shared, charge(TWO, 3, "HOME2", 10, minutes=3100))
    work(shared)

    assert uses(shared)[-1] == (4, 1, 60, 0)
    assert nets(shared)["3"] == 400
    assert is_identical(shared)
