"""What was given back, or is not billed, of a session that shares a grant with others."""

from __future__ import annotations

from tests.charging_day import stop16, write_log
from tests.faults.broken_books import is_identical
from tests.ledger.worker.crediting.chosen_lines import chosen_about
from tests.ledger.worker.judged.test_shared_corrections import FIRST, shared, uses
from tests.projections.test_shared_state import TWO, charge, fleet, nets, work

__all__ = ["fleet", "shared"]
BEFORE = [(1, 1, 0, 20), (2, 1, 20, 30)]


def test_what_was_given_back_stays_used_and_a_later_correction_uses_the_difference(
    shared: str,
) -> None:
    write_log(shared, [chosen_about("credit", 2_200, revision=1, session_id=FIRST)])
    work(shared)
    assert uses(shared) == [*BEFORE, (3, 2, 50, 0)]

    write_log(shared, [stop16(FIRST.split("/")[0], 60, 1, 30_000, received=3_000)])
    work(shared)
    write_log(shared, charge(TWO, 3, "HOME2", 10, minutes=3_100))
    work(shared)

    assert uses(shared) == [*BEFORE, (3, 2, 50, 0), (4, 3, 50, 10), (5, 1, 60, 0)]
    assert is_identical(shared)


def test_a_release_that_is_taken_back_uses_nothing_for_those_who_come_after(shared: str) -> None:
    write_log(shared, [chosen_about("take_back", 2_200, session_id=FIRST)])
    work(shared)
    write_log(shared, charge(TWO, 3, "HOME2", 30, minutes=3_100))
    work(shared)

    # Of 50 kWh a month 30 are used by now; who came before keeps what it found.
    assert uses(shared) == [*BEFORE, (3, 2, 50, -20), (4, 1, 30, 20)]
    assert nets(shared)["2"] == 400
    assert is_identical(shared)


def test_what_it_costs_after_all_is_priced_with_what_it_found(shared: str) -> None:
    write_log(shared, [chosen_about("take_back", 2_200, session_id=FIRST)])
    write_log(shared, [chosen_about("correct", 2_300, session_id=FIRST)])
    work(shared)

    assert uses(shared) == [*BEFORE, (3, 2, 50, -20), (4, 3, 30, 20)]
    assert is_identical(shared)
