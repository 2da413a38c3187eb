"""How often a partner is asked: who has to wait, and who does not because of others."""

from __future__ import annotations

from roaming_ocpi.tokens.pacing import (
    ALONE_SECONDS,
    AT_ONCE,
    SILENCES,
    STATION_A_SECOND,
    STATION_AT_ONCE,
    STATION_BURST,
    STATIONS_MAX,
    PartnerGate,
)


def test_a_gate_lets_one_try_after_a_while() -> None:
    now = 0.0
    gate = PartnerGate(lambda: now)
    for _ in range(SILENCES):
        assert gate.enter("A")
        gate.leave("A", answered=False)

    assert not gate.enter("A")
    now = ALONE_SECONDS
    assert [gate.enter("A"), gate.enter("A")] == [True, False]
    gate.leave("A", answered=True)
    entered = [gate.enter(f"ST-{number}") for number in range(AT_ONCE + 1)]
    assert entered == [*[True] * AT_ONCE, False]


def test_a_station_has_a_share_of_the_questions_and_another_one_its_own() -> None:
    now = 0.0
    gate = PartnerGate(lambda: now)

    assert [gate.enter("A") for _ in range(STATION_AT_ONCE + 1)] == [True] * 4 + [False]
    assert gate.enter("B")
    for station in ("A", "A", "A", "A", "B"):
        gate.leave(station, answered=True)
    later = 0
    while gate.enter("A"):
        gate.leave("A", answered=True)
        later += 1
    assert STATION_AT_ONCE + later == STATION_BURST
    assert gate.enter("B")
    now = 1 / STATION_A_SECOND
    assert [gate.enter("A"), gate.enter("A")] == [True, False]


def test_the_shares_of_stations_are_bounded_and_one_that_is_forgotten_does_no_harm() -> None:
    now = 0.0
    gate = PartnerGate(lambda: now)
    assert gate.enter("first")
    for number in range(STATIONS_MAX + 1):
        now += 1
        assert gate.enter(f"ST-{number}")
        gate.leave(f"ST-{number}", answered=True)
    gate.leave("first", answered=True)

    assert len(gate._shares) == STATIONS_MAX  # noqa: SLF001 - memory is what is looked at
