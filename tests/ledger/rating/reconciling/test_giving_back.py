"""The rule of what is given back: which lines stay free when late facts price a session again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.declared.declarations import BEGINNING, Declarations, Kind
from ledger.master_data.tariff_versions import published
from ledger.rating.decide import decide
from ledger.rating.decisions import (
    CorrectionCause,
    DecisionKind,
    Moment,
    Release,
    SessionRated,
    decode_decision,
    encode_decision,
    kind_of,
)
from ledger.rating.entitlements import NOTHING_USED, Entitlements
from ledger.rating.reconciling.correcting import is_billed_otherwise
from ledger.rating.reconciling.giving_back import give_back, not_billed
from ledger.sessions.session import ChargingSession
from tariffs.model.tariff import Dimension, PriceLimit, Tariff
from tests.depot import NOON, component, declared, rated, session, tariff

FEES = tariff(
    "energy",
    component(Dimension.FLAT, "1.00"),
    component(Dimension.ENERGY, "0.40"),
    component(Dimension.PARKING_TIME, "6.00"),
)
CAPPED = replace(FEES, max_price=PriceLimit(before_taxes=Decimal("5.00")))
CHARGED = session(parked_minutes=30)
"""10 kWh, then half an hour of parking: 1.00, 4.00 and 3.00."""
WHY = Release(by="ann", reason="goodwill")
LATER = Moment(partition=0, position=99, at=NOON + timedelta(days=1))


def under(known: Tariff) -> Declarations:
    return declared((Kind.TARIFF, "energy", published(known), BEGINNING))


def given_back(was: SessionRated, *lines: int) -> SessionRated:
    return give_back(was, lines, LATER, NOTHING_USED, chosen=WHY, cause=CorrectionCause.CREDIT)


def again(charging: ChargingSession, was: SessionRated, known: Tariff = FEES) -> SessionRated:
    """Return what *charging* is rated at by now, as the revision after *was*."""
    found = decide(
        charging,
        under(known),
        moment=LATER,
        entitlements=Entitlements(corrects=was),
        revision=was.revision + 1,
    )
    assert isinstance(found, SessionRated), found
    return found


def nets(decision: SessionRated) -> Sequence[int]:
    return [line.net_minor for line in decision.lines]


@pytest.mark.parametrize(
    ("lines", "left"),
    [((1,), [0, 400, 300]), ((2,), [100, 0, 300]), ((1, 3), [0, 400, 0]), ((), [0, 0, 0])],
)
def test_the_lines_that_are_named_are_free_none_named_means_all(
    lines: tuple[int, ...], left: list[int]
) -> None:
    now = given_back(rated(CHARGED, under(FEES)), *lines)

    assert nets(now) == left
    assert now.net_minor == sum(left)
    assert now.is_given_back is not any(left)
    assert kind_of(now) is DecisionKind.CORRECTED
    assert decode_decision(encode_decision(now)) == now


@pytest.mark.parametrize("lines", [(4,), (0, 99)])
def test_a_line_that_is_not_there_gives_nothing_back(lines: tuple[int, ...]) -> None:
    was = rated(CHARGED, under(FEES))

    assert not is_billed_otherwise(given_back(was, *lines), was)


@pytest.mark.parametrize(
    ("more", "nets_then"),
    [
        (session(parked_minutes=60), [0, 400, 600]),
        (session(energy_wh="12000", parked_minutes=30), [0, 480, 300]),
        (session(started_at=NOON - timedelta(hours=3), parked_minutes=30), [0, 400, 300]),
    ],
)
def test_a_fee_without_duration_stays_free_wherever_the_session_moves(
    more: ChargingSession, nets_then: list[int]
) -> None:
    now = given_back(rated(CHARGED, under(FEES)), 1)

    third = again(replace(more, session_id=CHARGED.session_id), now)

    assert nets(third) == nets_then
    assert third.given_back == now.given_back


def test_a_line_stays_free_where_its_time_is_longer_and_others_are_charged() -> None:
    now = given_back(rated(CHARGED, under(FEES)), 3)

    assert nets(again(session(parked_minutes=90), now)) == [100, 400, 0]
    assert nets(again(session(energy_wh="20000", minutes=50, parked_minutes=90), now)) == [
        100, 800, 0
    ]  # fmt: skip


def test_the_same_line_at_another_time_of_day_is_another_one() -> None:
    now = given_back(rated(CHARGED, under(FEES)), 3)
    moved = session(started_at=NOON + timedelta(hours=5), parked_minutes=30)

    assert nets(again(replace(moved, session_id=CHARGED.session_id), now)) == [100, 400, 300]


def test_what_a_limit_takes_off_is_not_owed_alone() -> None:
    was = rated(CHARGED, under(CAPPED))
    assert nets(was) == [100, 400, 300, -300]

    # 4.00 of 5.00 leave 1.00; without the parking as well, -2.00 would be owed to the payer.
    assert given_back(was, 2).net_minor == 100
    both = given_back(was, 2, 3)
    assert nets(both) == [0, 0, 0, 0]
    assert both.is_given_back
    assert again(CHARGED, both, CAPPED).net_minor == 0
    # By then there is more than the limit takes off.
    assert again(session(parked_minutes=30), given_back(was, 3), CAPPED).net_minor == 200


def test_energy_is_free_where_its_price_is_given_back() -> None:
    was = rated(CHARGED, under(FEES))

    assert given_back(was, 1, 3).billed_wh == was.energy_wh
    assert given_back(was, 2).billed_wh == 0
    assert given_back(was).free_wh == was.energy_wh


@pytest.mark.parametrize(
    ("cause", "energy_wh"),
    [(CorrectionCause.RELEASE_TAKEN_BACK, 10_000), (CorrectionCause.DISSOLVED, 0)],
)
def test_what_is_not_billed_is_rated_again_as_if_nothing_had_been(
    cause: CorrectionCause, energy_wh: int
) -> None:
    was = rated(CHARGED, under(FEES))
    now = not_billed(was, LATER, NOTHING_USED, cause=cause)

    assert now.gross_minor == 0
    assert now.is_given_back
    assert now.energy_wh == now.free_wh == energy_wh
    third = again(CHARGED, now)
    assert (third.gross_minor, third.not_billed) == (was.gross_minor, None)


def test_a_rating_that_nobody_gave_back_keeps_its_bytes() -> None:
    body = encode_decision(rated(CHARGED, under(FEES)))

    assert b"given_back" not in body
    assert b"not_billed" not in body


@given(
    lines=st.sets(st.integers(1, 4)),
    parked=st.integers(0, 200),
    wh=st.integers(0, 40_000),
    known=st.sampled_from([FEES, CAPPED]),
)
@settings(deadline=None, max_examples=80)
def test_what_is_left_is_never_below_nothing_nor_above_what_it_would_cost(
    lines: set[int], parked: int, wh: int, known: Tariff
) -> None:
    was = given_back(rated(CHARGED, under(known)), *sorted(lines))
    more = session(parked_minutes=parked, energy_wh=str(wh))

    now, whole = again(more, was, known), rated(more, under(known))

    assert now.net_minor >= 0
    assert now.gross_minor >= 0
    assert now.net_minor == sum(nets(now))
    assert now.billed_wh + now.free_wh == now.energy_wh == whole.energy_wh
    if known is FEES:
        assert now.gross_minor <= whole.gross_minor
