"""The price that a station is told: at each line the kernel's, and at its end the rated one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.facts.translate import translate
from ingest.prices.books import BookedPrices
from ingest.prices.price import FinalPrice, GoingOn, PriceQuestion, RunningTransaction
from ledger.database import connect_async
from ledger.log.event_log import Position, partition_of
from ledger.log.postgres import PostgresEventLog
from ledger.worker.session_rows import SessionRow
from ledger.worker.stored.session_store import load_station_now, load_stations
from ledger.worker.worker import Worker
from projections.running_prices import RunningPrice, RunningPrices
from tests.charging_day import (
    PARTITIONS,
    STATIONS,
    Timed,
    at,
    call,
    charging_day,
    declare_day,
    declare_fleet,
    event201,
    everywhere,
    meter16,
    stamp,
    start16,
    status16,
    stop16,
    write_log,
)
from tests.projections.books_of_a_day import ask, go_on

ONE, TWO = "CS-OLD-1", "CS-NEW-1"
TARIFF = """
tariff: DAY
currency: EUR
vat: 19 %
elements:
  - energy: 0.40 per kWh
    parking_time: 6.00 per h
    flat: 0.35
min_price: 1.00
"""


def priced(dsn: str, station: str, transaction: str) -> RunningPrice | None:
    with RunningPrices(dsn) as prices:
        found = prices.of(station, transaction)
    return found.price if found else None


def test_an_open_session_costs_so_far_what_its_rating_would_say(database: str) -> None:
    version = declare_fleet(database)
    begun = [start16(ONE, 0, 7, "FLEET1", 1_000), meter16(ONE, 30, 7, 4_000)]
    parked = [status16(ONE, 40, "SuspendedEV"), meter16(ONE, 60, 7, 4_500)]

    go_on(database, [*everywhere(version, -1), *begun])
    first = priced(database, ONE, "7")
    go_on(database, parked)
    second = priced(database, ONE, "7")

    # 3 kWh are 1.20 before VAT; 3.5 kWh and 20 minutes 3.40.
    assert first == RunningPrice(
        gross=Decimal("1.43"), currency="EUR", until=at(30), register_wh=Decimal(4_000),
        is_idle=False,
    )  # fmt: skip
    assert second is not None
    assert (second.gross, second.is_idle) == (Decimal("4.05"), True)
    assert str(second.gross) == "4.05"


def test_what_is_over_unknown_or_would_be_held_has_none(database: str) -> None:
    version = declare_fleet(database)
    over = [start16(ONE, 0, 7, "FLEET1", 0), stop16(ONE, 30, 7, 3_000)]
    unknown = start16(ONE, 40, 8, "STRANGER", 3_000)

    go_on(database, [*everywhere(version, -1), *over, unknown])

    assert priced(database, ONE, "7") is None
    assert priced(database, ONE, "8") is None
    assert priced(database, ONE, "9") is None
    assert priced(database, "CS-NOWHERE", "7") is None


def test_a_session_whose_start_never_came_costs_what_was_heard_of_it(database: str) -> None:
    version = declare_fleet(database)
    first = event201(TWO, 0, "Updated", "tx", 1, 1_000, token="FLEET1")
    told: list[str | None] = []
    for news in (
        [*everywhere(version, -1), first],
        [event201(TWO, 30, "Updated", "tx", 2, 4_000)],
        [event201(TWO, 40, "Ended", "tx", 3, 4_500)],
    ):
        go_on(database, news)
        price = priced(database, TWO, "tx")
        told.append(None if price is None else str(price.gross))

    # 0, 3 and 3.5 kWh at 0.40 with 19 %.
    assert told == ["0.00", "1.43", "1.67"]


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([("Updated", 1, 1_000), ("Updated", 3, 2_000), ("Ended", 4, 3_000)], id="gap"),
        pytest.param([("Ended", 4, 3_000)], id="its end alone"),
        pytest.param([("Updated", 1, None), ("Ended", 2, 3_000)], id="the end's register alone"),
    ],
)
def test_what_is_doubtful_beside_its_start_has_no_price(
    database: str, events: list[tuple[str, int, int | None]]
) -> None:
    version = declare_fleet(database)
    heard = [
        event201(TWO, 10 * seq, kind, "tx", seq, wh, token="FLEET1")
        if wh is not None
        else call(TWO, 10 * seq, "TransactionEvent", silent(seq), {})
        for kind, seq, wh in events
    ]
    go_on(database, [*everywhere(version, -1), *heard])

    assert priced(database, TWO, "tx") is None


def silent(seq: int) -> dict[str, Any]:
    """Return an event that names a token and tells of no register."""
    return {
        "eventType": "Updated", "timestamp": stamp(10 * seq), "seqNo": seq,
        "transactionInfo": {"transactionId": "tx"}, "evse": {"id": 1, "connectorId": 1},
        "idToken": {"idToken": "FLEET1", "type": "ISO14443"},
    }  # fmt: skip


def test_a_tariff_that_is_declared_later_is_seen(database: str) -> None:
    version = declare_fleet(database)
    begun = [start16(ONE, 0, 7, "FLEET1", 0), meter16(ONE, 30, 7, 3_000)]
    go_on(database, [*everywhere(version, -1), *begun])

    with RunningPrices(database) as prices:
        before = prices.of(ONE, "7")
        declare_day(database, TARIFF)
        after = prices.of(ONE, "7")

    assert before is not None
    assert after is not None
    assert before.price is not None
    assert after.price is not None
    assert (before.price.gross, after.price.gross) == (Decimal("1.43"), Decimal("1.84"))


def asked(station: str, transaction: str, position: int, minutes: float) -> PriceQuestion:
    partition = partition_of(station, partitions=PARTITIONS)
    return PriceQuestion(station, transaction, Position(partition, position, 0), at(minutes))


def booked(dsn: str, *questions: PriceQuestion) -> list[FinalPrice]:
    """Return what the books say, all asked at once."""

    async def ask_all() -> list[FinalPrice]:
        async def nothing(_station: str, _transaction: str) -> RunningTransaction | None:
            return None

        prices = BookedPrices(partial(connect_async, dsn), nothing)
        try:
            return list(await asyncio.gather(*map(prices.final, questions)))
        finally:
            await prices.close()

    return asyncio.run(ask_all())


def test_what_goes_on_at_a_station_is_known_to_whoever_it_comes_back_to(database: str) -> None:
    version = declare_fleet(database)
    over = [start16(ONE, 0, 7, "FLEET1", 0), stop16(ONE, 30, 7, 3_000)]
    lost = [start16(ONE, 40, 8, "FLEET1", 3_000), start16(ONE, 70, 9, "FLEET1", 4_000)]
    other = event201(TWO, 5, "Started", "tx", 0, 1_000, token="FLEET1")
    go_on(database, [*everywhere(version, -1), *over, *lost, meter16(ONE, 80, 9, 5_000), other])

    async def ask_all() -> list[list[GoingOn]]:
        async def nothing(_station: str, _transaction: str) -> RunningTransaction | None:
            return None

        prices = BookedPrices(partial(connect_async, database), nothing)
        stations = [(each, partition_of(each, partitions=PARTITIONS)) for each in (ONE, TWO)]
        try:
            found = [prices.going_on(*each) for each in (*stations, ("CS-NOWHERE", 0), stations[0])]
            return [list(each) for each in await asyncio.gather(*found)]
        finally:
            await prices.close()

    one, two, nowhere, again = asyncio.run(ask_all())

    # Of a plug that the next one has by now nobody is told to stop.
    assert [each.transaction_ref for each in one] == ["9"]
    assert (at(80) <= one[0].heard_at < at(81), again == one) == (True, True)
    assert ([each.transaction_ref for each in two], nowhere) == (["tx"], [])


def reached(dsn: str, station: str) -> int:
    """Return the position of the next record that the worker takes."""
    with ask(dsn) as connection:
        query = "SELECT next_position FROM worker_position WHERE partition = %s"
        row = connection.execute(query, (partition_of(station, partitions=PARTITIONS),)).fetchone()
    assert row is not None
    position = row[0]
    assert isinstance(position, int)
    return position


def test_the_books_say_nothing_before_a_line_was_taken_and_the_rated_price_then(
    database: str,
) -> None:
    version = declare_fleet(database)
    charge = [start16(ONE, 0, 7, "FLEET1", 0), stop16(ONE, 30, 7, 3_000)]
    go_on(database, [*everywhere(version, -1), *charge])
    next_position = reached(database, ONE)

    last, coming, other = booked(
        database,
        asked(ONE, "7", next_position - 1, 30),
        asked(ONE, "7", next_position, 30),
        asked(ONE, "8", next_position - 1, 30),
    )

    assert last.is_taken
    assert last.price is not None
    assert str(last.price.gross) == "1.43"
    assert coming == FinalPrice(is_taken=False)
    assert other == FinalPrice(is_taken=True)


def test_what_is_open_or_held_has_no_final_price(database: str) -> None:
    version = declare_fleet(database)
    held = [start16(ONE, 0, 7, "STRANGER", 0), stop16(ONE, 30, 7, 3_000)]
    begun = start16(ONE, 40, 8, "FLEET1", 3_000)
    go_on(database, [*everywhere(version, -1), *held, begun])
    position = reached(database, ONE) - 1

    found = booked(database, asked(ONE, "7", position, 30), asked(ONE, "8", position, 40))

    assert found == [FinalPrice(is_taken=True)] * 2


def test_of_an_id_that_is_used_again_the_end_of_another_session_is_not_told(database: str) -> None:
    """Its second session is asked about while only the first one is rated, and then itself."""
    version = declare_fleet(database)
    first = [start16(ONE, 0, 7, "FLEET1", 0), stop16(ONE, 30, 7, 3_000)]
    second = [start16(ONE, 300, 7, "FLEET1", 3_000), meter16(ONE, 310, 7, 3_500)]
    go_on(database, [*everywhere(version, -1), *first, *second])
    (open_one,) = booked(database, asked(ONE, "7", reached(database, ONE) - 1, 310))
    go_on(database, [stop16(ONE, 330, 7, 4_000)])

    position = reached(database, ONE) - 1
    ended, old = booked(database, asked(ONE, "7", position, 330), asked(ONE, "7", position, 400))

    assert open_one == FinalPrice(is_taken=True)
    assert ended.price is not None
    assert str(ended.price.gross) == "0.48"
    assert old == FinalPrice(is_taken=True)  # its line told the session nothing


@given(
    steps=st.lists(
        st.tuples(st.integers(1, 120), st.integers(0, 5_000), st.booleans()), min_size=1, max_size=4
    ),
    station=st.sampled_from([ONE, TWO]),
)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_with_equal_facts_what_is_told_is_what_is_rated(
    database: str, steps: Sequence[tuple[int, int, bool]], station: str
) -> None:
    """Told as of the last reading, told as of the end with the same register, and rated."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SET search_path = books, inputs")
        row = connection.execute("SELECT count(*) FROM session").fetchone()
    assert row is not None
    count = row[0]
    minute = 100_000.0 * count
    if count == 0:
        declare_fleet(database)
        version = declare_day(database, TARIFF)
        write_log(database, list(everywhere(version, -1)))
    transaction = str(1_000 + count)
    lines, ended = charge_of(station, transaction, minute, steps)

    go_on_worker(database, lines)
    so_far = priced(database, station, transaction)
    go_on_worker(database, [ended])
    (final,) = booked(database, asked(station, transaction, reached(database, station) - 1, minute))

    with ask(database) as connection:
        rated = connection.execute(
            "SELECT sum(net_minor + tax_minor) FROM rated_line JOIN session USING (session_id)"
            " WHERE station_id = %s AND transaction_ref = %s",
            (station, transaction),
        ).fetchone()
    assert rated is not None
    assert so_far is not None
    assert final.price is not None
    assert so_far.gross == final.price.gross
    assert final.price.gross * 100 == rated[0]


def charge_of(
    station: str, transaction: str, minute: float, steps: Sequence[tuple[int, int, bool]]
) -> tuple[list[Timed], Timed]:
    """Return the lines of a session and its end, which tells what its last reading told."""
    register = 0
    if station == TWO:
        lines = [event201(TWO, minute, "Started", transaction, 0, 0, token="FLEET1")]
        for number, (minutes, energy, _) in enumerate(steps, 1):
            minute, register = minute + minutes, register + energy
            lines.append(event201(TWO, minute, "Updated", transaction, number, register))
        last = len(steps) + 1
        return lines, event201(TWO, minute, "Ended", transaction, last, register)
    lines = [start16(ONE, minute, int(transaction), "FLEET1", 0)]
    for minutes, energy, is_parking in steps:
        lines.append(status16(ONE, minute, "SuspendedEV" if is_parking else "Charging"))
        minute, register = minute + minutes, register + energy
        lines.append(meter16(ONE, minute, int(transaction), register))
    return lines, stop16(ONE, minute, int(transaction), register)


def go_on_worker(dsn: str, lines: Sequence[Timed]) -> None:
    write_log(dsn, lines)
    with (
        PostgresEventLog(dsn) as log,
        Worker(dsn, log=log, partitions=range(PARTITIONS), translate=translate) as worker,
    ):
        while worker.run_once():
            pass


@pytest.mark.parametrize("reference", ["a\0b", "x" * 500])
def test_a_reference_that_no_table_holds_is_no_error_for_others(
    database: str, reference: str
) -> None:
    version = declare_fleet(database)
    go_on(database, [*everywhere(version, -1), start16(ONE, 0, 7, "FLEET1", 0)])
    position = reached(database, ONE) - 1

    async def both() -> list[object]:
        async def nothing(_station: str, _transaction: str) -> RunningTransaction | None:
            return None

        prices = BookedPrices(partial(connect_async, database), nothing)
        questions = asked(ONE, reference, position, 0), asked(ONE, "7", position, 0)
        try:
            return list(await asyncio.gather(*map(prices.final, questions), return_exceptions=True))
        finally:
            await prices.close()

    odd, plain = asyncio.run(both())

    assert isinstance(odd, psycopg.Error | FinalPrice)
    assert plain == FinalPrice(is_taken=True)


def test_what_goes_on_at_a_station_is_read_as_the_worker_reads_it(database: str) -> None:
    """Whatever of the day is done: by indexes alone comes the same as by the whole table."""
    day = charging_day(declare_fleet(database))
    compared = 0
    for part in range(4):
        go_on(database, day[part * len(day) // 4 : (part + 1) * len(day) // 4])
        with ask(database) as connection:
            for station in STATIONS:
                for since in (at(-90), at(30), at(100)):
                    wanted = load_stations(connection, [station], since=since)
                    found, reached = load_station_now(connection, station, since=since)
                    assert _by_id(found) == _by_id(wanted)
                    assert reached == min(
                        [since, *(r.first_fact_at for r in found if r.is_unfinished)]
                    )
                    compared += len(found)

    assert compared > 20


def _by_id(rows: Sequence[SessionRow]) -> list[SessionRow]:
    return sorted(rows, key=lambda row: row.session_id)
