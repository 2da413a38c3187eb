"""Windows in rows: what is changed in two spots says what one laid anew would say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ledger.sessions.loose_frames import Window
from ledger.sessions.stages import NO_WINDOWS, Windows

MORNING = datetime(2026, 3, 2, 7, tzinfo=UTC)


def window(
    transaction: str, place: int | None, minute: int, lasts: int = 0, begin: int = 0, rise: int = 0
) -> Window:
    starts_at = MORNING + timedelta(minutes=minute)
    ends_at = starts_at + timedelta(minutes=lasts) if lasts else None
    stop_wh = Decimal(begin + rise) if lasts else None
    return Window(transaction, place, starts_at, ends_at, None, None, stop_wh, None, Decimal(begin))


def of_transaction(transaction: str) -> st.SearchStrategy[tuple[str, list[Window]]]:
    each = st.tuples(
        st.sampled_from([None, 1, 1, 2]),
        st.integers(0, 9),
        st.integers(0, 4),
        st.sampled_from([0, 1000, 2000, 3000]),
        st.sampled_from([0, 500, 1500]),
    )
    lists = st.lists(each, max_size=4, unique_by=lambda one: one[1])
    return lists.map(lambda found: (transaction, [window(transaction, *each) for each in found]))


@given(st.lists(st.sampled_from("abcd").flatmap(of_transaction), max_size=12))
def test_windows_that_are_changed_in_spots_lie_as_windows_laid_anew(
    steps: list[tuple[str, list[Window]]],
) -> None:
    known: dict[str, list[Window]] = {}
    windows: Windows = NO_WINDOWS
    for transaction, come in steps:
        before = windows
        windows, moved = windows.relaid(known.get(transaction, ()), come)
        known[transaction] = come

        anew, _ = NO_WINDOWS.relaid((), [each for some in known.values() for each in some])
        assert windows.by_key == anew.by_key
        assert {place: row for place, row in windows.rows.items() if row} == anew.rows
        others = {key for key in before.by_key if key[0] != transaction}
        assert {key[0] for key in others if before.by_key[key] != windows.by_key[key]} == (
            moved - {transaction}
        )


def test_each_window_ends_where_the_next_one_at_its_place_begins() -> None:
    windows, _ = NO_WINDOWS.relaid(
        (),
        [
            window("a", 1, 30),
            window("b", 1, 10),
            window("c", 2, 20),
            window("d", None, 15),
            window("e", None, 40),
        ],
    )

    ends = {key[0]: each.next_start_at for key, each in windows.by_key.items()}

    assert ends == {
        "a": None,
        "b": MORNING + timedelta(minutes=30),
        "c": None,
        "d": None,
        "e": None,
    }


def test_far_along_a_row_overlaps_are_found_and_forgotten_as_anew() -> None:
    known = [window(f"t{n:02}", 1, n * 10, lasts=5, begin=n * 1000, rise=500) for n in range(40)]
    come = [window("new", 1, 351, lasts=30, begin=35_200, rise=1500)]
    before, _ = NO_WINDOWS.relaid((), known)
    anew, _ = NO_WINDOWS.relaid((), [*known, *come])

    now, moved = before.relaid((), come)
    again, back = now.relaid(come, ())

    assert now.by_key == anew.by_key
    shared = {key[0] for key, each in now.by_key.items() if each.is_overlapping}
    assert "new" in shared
    assert len(shared) > 1
    assert moved >= shared
    assert again.by_key == before.by_key
    assert back >= shared - {"new"}
