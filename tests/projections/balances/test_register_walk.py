"""What a register rose by, walked once over all that was told of it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ledger.meter.series import PowerLimit, RegisterReading
from projections.balances.register_walk import Rank, RegisterTold, register_rises, told_at
from tests.station_story import at

LIMIT = PowerLimit(Decimal(22_000))
S, E, V = "start", "stop", "sample"
Row = list[tuple[str, float, int]]


def _told(kind: str, minute: float, value: int) -> RegisterTold:
    reading = RegisterReading(at(minute), Decimal(value), 0, 0)
    rank = Rank.START if kind == S else Rank.BEFORE
    return told_at(reading.at, rank, reading, is_anchor=kind != V)


def _rise(row: Row, *boots: float) -> int:
    told = [_told(*each) for each in row]
    return int(sum(rise for _, rise in register_rises(told, LIMIT, [at(boot) for boot in boots])))


@pytest.mark.parametrize(
    ("row", "rise"),
    [
        ([], 0),
        ([(S, 0, 1000)], 0),
        ([(V, 0, 1000), (V, 10, 1500)], 500),
        ([(S, 0, 1000), (E, 60, 6000)], 5000),
        ([(S, 0, 1000), (S, 30, 2000), (E, 40, 4000), (E, 60, 6000)], 5000),
        ([(S, 0, 1000), (E, 60, 6000), (V, 61, 6004), (S, 90, 6010), (E, 99, 7000)], 6000),
        # samples between anchors that do not fall say only when
        ([(S, 0, 4_076_000), (V, 15, 1000), (V, 30, 2500), (E, 60, 4_081_000)], 5000),
        ([(S, 0, 1000), (V, 30, 9000), (V, 40, 0), (E, 60, 6000)], 5000),
        # a register that falls: each step up counts
        ([(S, 0, 500_000), (V, 15, 502_000), (V, 30, 0), (V, 45, 1000), (E, 60, 2000)], 4000),
        ([(S, 0, 9_998_000), (V, 15, 9_999_500), (V, 30, 500), (E, 60, 3000)], 5000),
        ([(S, 0, 0), (E, 60, 5000), (S, 60, 0), (E, 120, 7000)], 12_000),
        # a value alone between two that agree
        ([(S, 0, 1000), (V, 20, 3000), (V, 30, 0), (V, 40, 4000)], 3000),
        ([(S, 0, 1000), (V, 20, 3000), (V, 30, 300_000), (V, 40, 4000)], 3000),
        ([(S, 0, 1000), (V, 20, 3000), (V, 30, 4000), (V, 40, 3500)], 3000),
        ([(S, 0, 1000), (V, 20, 3000), (V, 40, 300_000)], 299_000),
        ([(S, 0, 1000), (V, 20, 3000), (V, 30, 0), (V, 40, 0), (V, 50, 500)], 2500),
        # a stop that its neighbours contradict
        ([(S, 0, 1000), (E, 60, 0), (S, 61, 6000), (E, 90, 7000)], 6000),
        ([(S, 0, 1000), (E, 60, 0)], 0),
        ([(S, 0, 1000), (E, 60, 999), (S, 61, 1000)], 0),
        ([(S, 0, 1000), (E, 60, 0), (S, 61, 500)], 500),
        ([(S, 0, 1000), (E, 60, 90_000), (S, 61, 6000)], 5000),
        ([(S, 0, 1000), (E, 60, 9000), (S, 61, 6000)], 8000),
        ([(S, 0, 1000), (E, 60, 6000), (E, 60, 90_000)], 5000),
        ([(S, 0, 1000), (E, 60, 6000), (E, 60, 6400)], 5400),
        # one that says the start again
        ([(S, 0, 1000), (V, 40, 5000), (E, 60, 1000)], 4000),
        ([(S, 0, 1000), (V, 40, 5000), (E, 60, 1010), (S, 70, 5050)], 4050),
        ([(S, 0, 1000), (V, 40, 5000), (E, 60, 1011)], 11),
        ([(S, 0, 1000), (V, 40, 1010), (E, 60, 1000)], 0),
        ([(S, 0, 1000), (V, 40, 1011), (E, 60, 1000)], 11),
        ([(S, 0, 1000), (V, 1, 90_000), (E, 60, 1000)], 0),
        ([(S, 0, 1000), (E, 60, 1000)], 0),
        # a start that its neighbours contradict
        ([(S, 0, 0), (V, 1, 10_100), (V, 30, 11_050), (E, 60, 12_000)], 1900),
        ([(S, 0, 0), (V, 1, 10_100), (V, 30, 90_000), (E, 60, 95_000)], 95_000),
        ([(S, 0, 0), (E, 1, 40_000)], 40_000),
        ([(E, 0, 5000), (S, 10, 0), (V, 11, 10_100), (V, 30, 11_050)], 6050),
        ([(E, 0, 5000), (S, 10, 0), (V, 11, 5010), (E, 60, 4000)], 10),
        ([(E, 0, 5000), (S, 10, 0), (V, 11, 800), (E, 60, 7000)], 7000),
        ([(S, 0, 1000), (E, 30, 6000), (S, 35, 4000), (E, 60, 7000)], 6000),
        ([(S, 0, 1000), (E, 30, 6000), (S, 35, 1011), (E, 60, 7000)], 6000),
        ([(S, 0, 1000), (E, 30, 6000), (S, 35, 1010), (E, 60, 7000)], 10_990),
    ],
)
def test_a_register_is_walked_once(row: Row, rise: int) -> None:
    assert _rise(row) == rise


@pytest.mark.parametrize(
    ("row", "rise"),
    [
        ([(S, 0, 1000), (V, 20, 3000), (V, 40, 500), (E, 60, 4000)], 6000),
        ([(S, 0, 1000), (V, 20, 3000), (V, 22, 0), (V, 25, 3100), (E, 60, 6000)], 5000),
        ([(S, 0, 500_000), (V, 20, 502_000), (E, 60, 2000)], 4000),
        ([(S, 0, 500_000), (E, 20, 502_000), (S, 60, 300), (E, 90, 800)], 2500),
    ],
)
def test_a_register_that_began_again_at_a_boot_goes_on_from_there(row: Row, rise: int) -> None:
    assert _rise(row, 21) == rise


def test_a_rise_is_dated_by_the_reading_that_shows_it() -> None:
    row = [_told(S, 0, 1000), _told(V, 20, 3000), _told(V, 30, 900), _told(E, 60, 6000)]

    assert list(register_rises(row, LIMIT, ())) == [
        (at(20), Decimal(2000)),
        (at(60), Decimal(3000)),
    ]


def test_sessions_end_before_others_begin_in_the_same_moment() -> None:
    row = [
        told_at(at(0), rank, RegisterReading(at(9), Decimal(value), 0, 0))
        for value, rank in ((1, Rank.AFTER), (2, Rank.START), (3, Rank.BEFORE))
    ]

    assert [each.value_wh for each in sorted(row)] == [3, 2, 1]
    assert row[0].reading.at == at(0)
