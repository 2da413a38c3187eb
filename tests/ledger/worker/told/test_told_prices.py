"""What a station was told that its session costs, held against what it was rated at."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from ledger.facts.flags import Flag
from ledger.log.envelope import Frame
from tests.charging_day import (
    OLD,
    STATIONS,
    Timed,
    at,
    choose,
    declare_fleet,
    event201,
    everywhere,
    meter16,
    start16,
    stop16,
    tick,
    write_log,
)
from tests.ledger.worker.test_late_facts import rows, work

NEW, OLD_ONE = "CS-NEW-1", "CS-OLD-1"
# 8 kWh at 0.40 and 19 %.
RATED, OTHER = "3.81", "3.80"


def told(station: str, minutes: float, ref: str, gross: str, *, reply: str | None = None) -> Timed:
    """Return a call of ours that tells a price, as the edge logs it."""
    call: list[Any] = [2, "c", "CostUpdated", {"totalCost": "PRICE", "transactionId": ref}]
    text = json.dumps(call).replace('"PRICE"', gross)
    if STATIONS[station] == OLD:
        data = json.dumps({"transactionId": int(ref), "cost": "PRICE", "priceText": "x"})
        data = data.replace('"PRICE"', gross)
        vendor = {"vendorId": "org.openchargealliance.costmsg", "messageId": "FinalCost"}
        text = json.dumps([2, "c", "DataTransfer", {**vendor, "data": data}])
    return line(station, minutes, text, reply, direction="out")


def answered(minutes: float, ref: str, gross: str) -> Timed:
    """Return the line that says what the end was answered after all."""
    _, _, ended = event201(NEW, minutes, "Ended", ref, 1, 8000)
    assert isinstance(ended, Frame)
    reply = f'[3,"e",{{"totalCost":{gross}}}]'
    return line(NEW, minutes, ended.frame, reply, is_priced=True)


def line(station: str, minutes: float, text: str, reply: str | None, **more: Any) -> Timed:  # noqa: ANN401 - fields of it
    received = at(minutes) + timedelta(seconds=2)
    frame = Frame(
        received_at=received, station=station, protocol=STATIONS[station], epoch=1, frame=text,
        reply=reply, **more,
    )  # fmt: skip
    return received, station, frame


def charged(station: str = NEW) -> list[Timed]:
    if station == NEW:
        started = event201(NEW, 0, "Started", "7", 0, 0, token="FLEET1")
        return [started, event201(NEW, 60, "Ended", "7", 1, 8000)]
    return [start16(OLD_ONE, 0, 7, "FLEET1", 0), stop16(OLD_ONE, 60, 7, 8000)]


def books(database: str, lines: list[Timed], *, group: int = 64) -> tuple[Any, ...]:
    """Work *lines* off, each a record; return state, flags, told and rated price."""
    version = declare_fleet(database)
    write_log(database, [*everywhere(version, -1), *lines], lines_a_record=1)
    work(database, group_records=group)
    found = rows(
        database,
        "SELECT state, flags, told_gross::text, (SELECT sum(net_minor + tax_minor)"
        " FROM rated_line WHERE rated_line.session_id = session.session_id) FROM session",
    )
    assert len(found) == 1
    state, flags, gross, rated = found[0]
    assert rated in {None, 381}
    return state, [each for each in flags if each == Flag.PRICE_TOLD_DIFFERS], gross


@pytest.mark.parametrize("group", [1, 64])
@pytest.mark.parametrize("station", [NEW, OLD_ONE])
@pytest.mark.parametrize(
    ("gross", "flags"), [(RATED, []), ("3.810", []), (OTHER, [Flag.PRICE_TOLD_DIFFERS])]
)
def test_a_price_that_was_told_after_the_end_is_held_against_the_rating(
    database: str, station: str, group: int, gross: str, flags: list[str]
) -> None:
    lines = [*charged(station), told(station, 61, "7", gross)]

    assert books(database, lines, group=group) == ("rated", flags, gross)


def test_the_answer_to_the_end_counts_and_the_last_one_does(database: str) -> None:
    lines = [*charged(), answered(60, "7", OTHER), answered(61, "7", RATED)]

    assert books(database, lines) == ("rated", [], RATED)


def test_a_later_price_that_differs_does_too(database: str) -> None:
    lines = [*charged(), answered(60, "7", RATED), told(NEW, 61, "7", OTHER)]

    assert books(database, lines) == ("rated", [Flag.PRICE_TOLD_DIFFERS], OTHER)


def test_the_answer_to_a_call_that_told_a_price_tells_none(database: str) -> None:
    lines = [*charged(), told(NEW, 61, "7", RATED), told(NEW, 62, "7", OTHER, reply='[3,"c",{}]')]

    assert books(database, lines) == ("rated", [], RATED)


def test_what_was_told_while_it_charged_is_no_price_of_its_end(database: str) -> None:
    started, ended = charged()
    lines = [started, told(NEW, 30, "7", "1.00"), ended]

    assert books(database, lines) == ("rated", [], None)


def test_what_was_told_before_it_was_rated_is_held_against_that_too(database: str) -> None:
    begun, stopped = charged(OLD_ONE)
    # A stop below a reading is held until somebody releases it.
    doubt = meter16(OLD_ONE, 50, 7, 9000)
    session_id = "CS-OLD-1/7/20260302T070000Z"
    lines = [
        begun, doubt, stopped, told(OLD_ONE, 61, "7", OTHER), *tick(200),
        choose(session_id, "release", 210),
    ]  # fmt: skip

    state, flags, gross = books(database, lines)

    assert (state, flags, gross) == ("released", [Flag.PRICE_TOLD_DIFFERS], OTHER)


def test_it_changes_no_decision_and_is_no_late_fact(database: str) -> None:
    lines = [*charged(), told(NEW, 61, "7", OTHER), told(NEW, 300, "7", OTHER), *tick(400)]

    books(database, lines)

    assert rows(database, "SELECT kind FROM session_decision") == [("rated",)]
    assert Flag.LATE_FACT not in rows(database, "SELECT flags FROM session")[0][0]
    assert rows(database, "SELECT count(*) FROM fact WHERE facts LIKE '%price_told%'") == [(0,)]


def test_the_price_of_a_session_that_nobody_knows_is_counted(database: str) -> None:
    books(database, [*charged(), told(NEW, 61, "8", RATED)])

    assert rows(database, "SELECT station_id, reason, lines FROM set_aside") == [
        (NEW, "price_of_no_session", 1)
    ]


def test_what_we_say_is_no_sign_of_its_station(database: str) -> None:
    """A station that is told prices and says nothing has lost its stop as any other."""
    begun = start16(OLD_ONE, 0, 7, "FLEET1", 0)
    lines = [begun, *(told(OLD_ONE, hours * 60, "7", "1.00") for hours in (6, 12, 18, 23))]
    lines += tick(24 * 60 + 2)

    assert books(database, lines)[0] == "held"
