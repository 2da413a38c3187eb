"""When time alone decides: at the very moment, by whatever comes then, and not a second before."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from ledger.log.envelope import Frame
from tests.charging_day import (
    Timed,
    at,
    declare_fleet,
    event201,
    everywhere,
    tick,
    write_log,
)
from tests.ledger.worker.test_late_facts import rows, work

SECOND = 1 / 60
DAY = 24 * 60.0


def said(
    minute: float,
    kind: str,
    transaction: str,
    number: int,
    wh: float = 9500,
    **more: Any,  # noqa: ANN401 - handed on
) -> Timed:
    """Return an event that is received at once: a second after that is as charging days do."""
    return event201(
        "CS-NEW-1", minute, kind, transaction, number, wh, received=minute - SECOND, **more
    )


GAP = [
    said(60, "Started", "R", 0, 1000, token="FLEET1"),
    said(70, "Ended", "R", 2, 3000),
]
"""It ended at 70 minutes; a message is missing, for which it waits an hour."""


def decided_at(dsn: str, lines: Iterable[Timed], *, at_once: bool = True) -> list[float]:
    """Return when, in minutes, sessions are decided about if this is the log."""
    told = [*everywhere(declare_fleet(dsn), -1), *lines]
    if at_once:
        write_log(dsn, told, lines_a_record=1)
        work(dsn)
    else:  # a worker for each line, as if it were started anew each time
        for each in told:
            write_log(dsn, [each], lines_a_record=1)
            work(dsn)
    found = rows(dsn, "SELECT decided_at FROM session_decision ORDER BY 1")
    return [(moment - at(0)) / timedelta(minutes=1) for (moment,) in found]


def boot(minute: float) -> Timed:
    """Return a boot of the station, which concerns no session."""
    payload = {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}}
    text = json.dumps([2, "b", "BootNotification", payload])
    line = Frame(
        received_at=at(minute), station="CS-NEW-1", protocol="ocpp2.0.1", epoch=1, frame=text
    )
    return at(minute), "CS-NEW-1", line


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(("minute", "is_held"), [(130 - SECOND, False), (130, True)])
def test_an_ended_session_waits_an_hour_for_what_is_missing(
    database: str, minute: float, *, is_held: bool, at_once: bool
) -> None:
    found = decided_at(database, [*GAP, *tick(90), *tick(minute)], at_once=at_once)

    assert found == ([130] if is_held else [])


@pytest.mark.parametrize(("minute", "is_held"), [(60 + DAY - SECOND, False), (60 + DAY, True)])
def test_an_open_session_is_waited_for_as_long_as_its_station_is_silent(
    database: str, minute: float, *, is_held: bool
) -> None:
    found = decided_at(database, [*GAP[:1], *tick(90), *tick(minute)])

    assert found == ([60 + DAY] if is_held else [])


@pytest.mark.parametrize("at_once", [True, False])
def test_whatever_a_station_says_breaks_its_silence(database: str, *, at_once: bool) -> None:
    ticks = [*tick(60 + DAY), *tick(200 + DAY - SECOND), *tick(200 + DAY)]
    lines = [*GAP[:1], boot(200), *ticks]

    assert decided_at(database, lines, at_once=at_once) == [200 + DAY]


@pytest.mark.parametrize(("minute", "held_at"), [(130 - SECOND, 140), (130, 130)])
def test_a_reading_that_comes_when_another_session_s_time_is_over_decides_that(
    database: str, minute: float, held_at: float
) -> None:
    others = [said(65, "Started", "O", 0, 9000, token="FLEET1"), said(minute, "Updated", "O", 1)]

    assert decided_at(database, [*GAP, *others, *tick(140)]) == [held_at]
