"""How far a driver let a session go: beyond it both figures are said, and what is owed stays."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from ledger.facts.flags import Flag
from ledger.facts.station_quote import ChargingLimit, StationQuote
from ledger.rating.decide import decide
from ledger.rating.decisions import SessionRated
from ledger.rating.english import ENGLISH
from ledger.rating.reconciling.chosen_limit import with_limits
from tests.depot import declared, moment_of, session

WHOLE = session()
"""10 kWh in an hour for 4.76 EUR with taxes."""


def rated_with(limit: ChargingLimit | None) -> SessionRated:
    charging = msgspec.structs.replace(WHOLE, quote=StationQuote(limit=limit))
    rated = decide(charging, declared(), moment=moment_of(charging))
    assert isinstance(rated, SessionRated)
    assert rated.gross_minor == 476
    return rated


@pytest.mark.parametrize(
    "limit",
    [
        None,
        ChargingLimit(cost=Decimal("4.76"), energy_wh=Decimal(10_000), time_s=3_600),
        ChargingLimit(soc_percent=1),
    ],
)
def test_what_stays_within_its_limits_is_not_noted(limit: ChargingLimit | None) -> None:
    rated = rated_with(limit)

    assert (rated.flags, rated.notes) == ((), ())


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (ChargingLimit(cost=Decimal("4.75")), "4.75 EUR, and came to 4.76 EUR"),
        (ChargingLimit(cost=Decimal(0)), "0 EUR, and came to 4.76 EUR"),
        (ChargingLimit(energy_wh=Decimal("9999.9")), "9999.9 Wh, and came to 10000 Wh"),
        (ChargingLimit(time_s=3_599), "3599 s, and came to 3600 s"),
    ],
)
def test_what_went_further_is_rated_and_says_both_figures(limit: ChargingLimit, words: str) -> None:
    rated = rated_with(limit)

    assert rated.flags == (Flag.LIMIT_EXCEEDED,)
    [said] = rated.notes
    assert ENGLISH.words(said) == f"It was to go no further than {words}."


def test_a_second_that_has_begun_counts_whole() -> None:
    charging = msgspec.structs.replace(WHOLE, quote=StationQuote(limit=ChargingLimit(time_s=3_600)))
    assert charging.ended_at is not None
    later = msgspec.structs.replace(charging, ended_at=charging.ended_at + timedelta.resolution)

    [said] = with_limits(rated_with(None), later).notes
    assert ENGLISH.words(said) == "It was to go no further than 3600 s, and came to 3601 s."


def test_each_limit_that_was_exceeded_is_named() -> None:
    limit = ChargingLimit(cost=Decimal(1), energy_wh=Decimal(2_000), time_s=60, soc_percent=80)

    assert len(rated_with(limit).notes) == 3
