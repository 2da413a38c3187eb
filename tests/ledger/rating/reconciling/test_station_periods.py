"""The periods by which a station reckons, held against ours: named with both figures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.declared.declarations import BEGINNING, Declarations, Kind
from ledger.facts.flags import Flag
from ledger.facts.station_quote import StationAmount, StationCost, StationPeriod, StationQuote
from ledger.master_data.policies import Policy
from ledger.master_data.tariff_versions import published
from ledger.rating.decide import decide
from ledger.rating.decisions import SessionHeld, SessionRated, decode_decision, encode_decision
from ledger.rating.english import ENGLISH
from ledger.rating.reconciling.station_periods import period_differences
from ledger.sessions.session import ChargingSession, SessionPoint, SessionSpan
from tariffs.model.tariff import Dimension
from tariffs.model.usage import Activity
from tests.depot import NOON, component, declared, moment_of, session, tariff

TIMED = declared(
    (
        Kind.TARIFF,
        "energy",
        published(
            tariff(
                "energy",
                component(Dimension.ENERGY, "0.40"),
                component(Dimension.PARKING_TIME, "1"),
            )
        ),
        BEGINNING,
    )
)


def period(minute: float, energy: str | None = None, idle_s: int | None = None) -> StationPeriod:
    at = NOON + timedelta(minutes=minute)
    return StationPeriod(at, None if energy is None else Decimal(energy), idle_s)


def reckoned(
    *periods: StationPeriod, cost: str = "4.76", charging: ChargingSession | None = None
) -> ChargingSession:
    """Return 10 kWh from 12:00 to 13:00, read then and at 12:30, and what its station says."""
    charging = charging or session()
    start, *_, end = charging.points
    half = SessionPoint(NOON + timedelta(minutes=30), Decimal(4_000), 1, 2)
    quote = StationQuote(
        cost=StationCost(currency="EUR", total=StationAmount(None, Decimal(cost)), periods=periods)
    )
    return msgspec.structs.replace(charging, points=(start, half, end), quote=quote)


def notes(charging: ChargingSession, known: Declarations | None = None) -> list[str]:
    rated = decide(charging, known or declared(), moment=moment_of(charging))
    assert isinstance(rated, SessionRated)
    assert decode_decision(encode_decision(rated)) == rated
    assert (Flag.STATION_PERIOD_DIFFERS in rated.flags) is bool(rated.notes)
    return [ENGLISH.words(note) for note in rated.notes]


@pytest.mark.parametrize(
    "periods",
    [
        (),
        (period(0, "4000"), period(30, "6000")),
        (period(30, "6000"), period(0, "4000")),
        (period(0, "4"), period(30, "6.0000")),
        (period(0, "4001"), period(30, "5999")),
        (period(0), period(30, "6000")),
        # It may have been anything from 0 to 4 kWh by 12:15.
        (period(0, "3999"), period(15, "1"), period(30, "6000")),
        (period(0, "10000"),),
    ],
)
def test_what_the_register_bears_out_is_not_noted(periods: Sequence[StationPeriod]) -> None:
    assert notes(reckoned(*periods)) == []


@pytest.mark.parametrize(
    ("periods", "words"),
    [
        (
            (period(0, "4002"), period(30, "5998")),
            [
                "From 2026-11-10T12:00:00Z the station counts 4002 Wh, we count 4000 Wh.",
                "From 2026-11-10T12:30:00Z the station counts 5998 Wh, we count 6000 Wh.",
            ],
        ),
        (
            (period(0, "4.1"), period(30, "6")),
            ["From 2026-11-10T12:00:00Z the station counts 4100.0 Wh, we count 4000 Wh."],
        ),
        (
            (period(0, "5000"), period(15, "-1000"), period(30, "6000")),
            [
                "From 2026-11-10T12:00:00Z the station counts 5000 Wh, we count 0 to 4000 Wh.",
                "From 2026-11-10T12:15:00Z the station counts -1000 Wh, we count 0 to 4000 Wh.",
            ],
        ),
    ],
)
def test_another_energy_is_said_with_both_figures_and_holds_nothing(
    periods: Sequence[StationPeriod], words: list[str]
) -> None:
    assert notes(reckoned(*periods)) == words


@pytest.mark.parametrize(
    ("idle_s", "words"),
    [
        (600, []),
        (605, []),
        (606, ["From 2026-11-10T12:30:00Z the station counts 606 s idle, we count 600 s idle."]),
        (0, ["From 2026-11-10T12:30:00Z the station counts 0 s idle, we count 600 s idle."]),
    ],
)
def test_idle_time_is_compared_where_the_price_hangs_on_time(idle_s: int, words: list[str]) -> None:
    at = NOON + timedelta(minutes=50)
    parked = session(minutes=50, parked_minutes=10)
    charging = reckoned(period(0, None, 0), period(30, None, idle_s), charging=parked)
    powered = msgspec.structs.replace(
        charging, spans=(charging.spans[0], SessionSpan(at, Activity.PARKING, Decimal(501)))
    )

    assert [str(note) for note in notes(reckoned(*charging.quote.cost.periods))] == []  # type: ignore[union-attr]
    said = period_differences(charging, Policy(), is_timed=True)
    assert [ENGLISH.words(each) for each in said] == words
    assert period_differences(charging, Policy(), is_timed=False) == ()
    assert bool(period_differences(powered, Policy(), is_timed=True)) is (idle_s > 5)


def test_only_some_are_named_and_the_others_counted() -> None:
    said = notes(reckoned(*(period(30 + minute, "7000") for minute in range(10))))

    assert len(said) == 6
    assert said[-1] == "5 more figures of the station's periods differ from ours."


def test_a_held_cost_names_the_periods_too() -> None:
    charging = reckoned(period(0, "4100"), period(30, "6000"), cost="9.99")

    held = decide(charging, declared(), moment=moment_of(charging))

    assert isinstance(held, SessionHeld)
    assert [each.code for each in held.reasons] == [
        "station_cost_differs",
        "station_period_differs",
    ]


def test_a_clock_that_is_off_is_taken_off_the_periods_too() -> None:
    ahead = timedelta(hours=9)
    charging = reckoned(period(9 * 60, "4000"), period(9 * 60 + 30, "6000"))
    clock = msgspec.structs.replace(charging.clock, offset=-ahead)

    assert notes(msgspec.structs.replace(charging, clock=clock)) == []


@given(
    st.lists(
        st.tuples(
            st.datetimes(timezones=st.just(UTC)),
            st.none() | st.decimals(-(10**15), 10**15, places=12),
            st.none() | st.integers(-(2**31), 2**31),
        ),
        max_size=20,
    )
)
def test_whatever_a_station_says_our_price_stays(
    told: list[tuple[datetime, Decimal | None, int | None]],
) -> None:
    charging = reckoned(*(StationPeriod(*each) for each in told))

    rated = decide(charging, TIMED, moment=moment_of(charging))

    assert isinstance(rated, SessionRated)
    assert rated.gross_minor == 476
    assert len(rated.notes) <= 6


def test_a_thousand_periods_of_a_session_of_many_states_take_no_time() -> None:
    spans = tuple(
        SessionSpan(
            NOON + timedelta(milliseconds=10 * n),
            Activity((Activity.PARKING, Activity.CHARGING)[n % 2]),
        )
        for n in range(100_000)
    )
    charging = msgspec.structs.replace(
        reckoned(*(period(n / 60, "10", 1) for n in range(1_000))), spans=spans
    )
    began = time.process_time()
    period_differences(charging, Policy(), is_timed=True)

    assert time.process_time() - began < 1
