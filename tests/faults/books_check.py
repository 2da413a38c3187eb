"""What must hold after any number of kills: nothing acknowledged lost, nothing counted twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import psycopg

from ledger.log.envelope import Frame
from ledger.log.event_log import EventLog
from ledger.log.reading import numbered_lines
from ledger.persons.sealing import opened
from ledger.persons.store import keys_of
from tests.at_the_edge import named_key
from tests.faults.load_station import Charged, Exchange

Connection = psycopg.Connection[Any]
READ_AT_ONCE = 1000


def logged_exchanges(connection: Connection, log: EventLog) -> set[Exchange]:
    """Return every frame in *log* with its reply, as they came; fail on a gap.

    What cannot be read is left out.
    """
    found: list[Frame] = []
    for partition, end in enumerate(log.ends()):
        position = 0
        while position < end:
            for record in log.read(partition, position, records=READ_AT_ONCE):
                assert record.position == position, f"a gap in partition {partition}"
                lines = [line for _, line in numbered_lines(record.payload)]
                found += [
                    each for each in lines if isinstance(each, Frame) and each.reply is not None
                ]
                position += 1
    subjects = {part.subject for frame in found for part in (*frame.sealed, *frame.reply_sealed)}
    keys = {each: named_key(each) for each in subjects} | keys_of(connection, subjects)
    return {
        Exchange(frame.station, frame.frame, frame.reply or "")
        for frame in (opened(sealed, keys) for sealed in found)
    }


def lost(acknowledged: Iterable[Exchange], connection: Connection, log: EventLog) -> list[Exchange]:
    """Return what was answered and is not in *log*."""
    logged = logged_exchanges(connection, log)
    return [exchange for exchange in acknowledged if exchange not in logged]


def is_invoiced(connection: Connection) -> bool:
    """Say whether nothing waits for its invoice."""
    return connection.execute("SELECT count(*) FROM uninvoiced_session").fetchone() == (0,)


def sessions_in_the_books(connection: Connection) -> Counter[Charged]:
    """Return the sessions with their energy (0 where none is known), as often as they are there."""
    query = "SELECT station_id, transaction_ref, energy_wh FROM session WHERE state <> 'replaced'"
    return Counter(
        Charged(station, transaction, int(energy or 0))
        for station, transaction, energy in connection.execute(query)
    )


def assert_money_is_counted_once(connection: Connection) -> None:
    """Fail if a session is rated, posted or invoiced twice, or an entry does not balance."""
    states = "SELECT state, reasons, flags, count(*) FROM session GROUP BY 1, 2, 3"
    assert {state for state, *_ in connection.execute(states)} == {"rated"}, [
        *connection.execute(states)
    ]
    rated = _count(connection, "SELECT count(*) FROM session")
    assert _count(connection, "SELECT count(*) FROM session_decision WHERE kind = 'rated'") == rated
    assert _count(connection, "SELECT count(*) FROM invoiced_session") == rated
    off = "SELECT currency FROM posting GROUP BY entry_id, currency HAVING sum(amount_minor) <> 0"
    assert connection.execute(off.encode()).fetchall() == []
    lines = "SELECT coalesce(sum(net_minor), 0) FROM rated_line"
    invoices = "SELECT coalesce(sum(net_minor), 0) FROM issued_invoice"
    assert _count(connection, lines) == _count(connection, invoices)
    left = """SELECT account FROM posting WHERE account IN ('receivable:unbilled', 'expected_tax')
              GROUP BY account HAVING sum(amount_minor) <> 0"""
    assert connection.execute(left.encode()).fetchall() == [], "an invoice left something behind"
    sold = "SELECT sum(billed_volume) * 1000 FROM rated_line WHERE dimension = 'ENERGY'"  # kWh
    metered = "SELECT sum(energy_wh) FROM session"
    assert _count(connection, sold) == _count(connection, metered)
    numbers = [str(n) for (n,) in connection.execute("SELECT number FROM issued_invoice")]
    series = sorted(int(number.rsplit("-", 1)[-1]) for number in numbers)
    assert series == list(range(1, len(series) + 1)), "the numbers have a gap"
    gaps = "SELECT partition FROM feed GROUP BY partition HAVING count(*) <> max(number)"
    assert connection.execute(gaps.encode()).fetchall() == [], "the feed has a gap"
    told = connection.execute("SELECT subject FROM feed WHERE kind = 'issued'").fetchall()
    assert sorted(number for (number,) in told) == sorted(numbers)


def _count(connection: Connection, query: str) -> Decimal:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return Decimal(row[0])
