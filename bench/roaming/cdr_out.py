"""`cdr_out`: CDRs made from rated sessions, checked in every version, frozen; and written to send.

Sessions of a partner's drivers lie decided in real books. `CdrMaker` takes the feed to its end:
each CDR is written, read back and priced from its own tariff and periods in three versions, and
goes into the table. Then all are written as a partner of 2.2.1 gets them. CDRs a CPU second, of
this process and of PostgreSQL together.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from bench.peers.worked_log import cpu_seconds, empty_log
from bench.run import Row, beside
from ledger.books.following import Runner
from ledger.database import connect
from ledger.rating.decisions import SessionRated
from roaming_ocpi.cdrs.maker import CdrMaker
from roaming_ocpi.cdrs.store import every_cdr
from roaming_ocpi.cdrs.telling.disclosure import disclosed
from roaming_ocpi.cdrs.telling.excerpt import excerpt_of
from roaming_ocpi.cdrs.telling.wire import wire_cdr
from tariffs.ocpi.versions import OcpiVersion
from tests.depot import keep_decisions, session
from tests.roaming_ocpi.cdrs.rated_for_partner import GUEST, roaming_depot
from tests.roaming_ocpi.cdrs.roaming_books import declare_depot, rated_as

CDRS: Final = 6_000
_AT_LEAST: Final = 2_000.0
LATER: Final = datetime(2027, 1, 1, tzinfo=UTC)
_BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)


def rows(_seconds: float) -> list[Row]:
    """Measure both rows, each once."""
    with empty_log() as postgres:
        declare_depot(postgres.dsn)
        with connect(postgres.dsn) as connection:
            keep_decisions(connection, list(guest_ratings()))
        before = cpu_seconds(postgres)
        with Runner(postgres.dsn, [CdrMaker(lambda: LATER)]) as runner:
            while runner.run_once():
                pass
        made = cpu_seconds(postgres)
        count = 0
        with connect(postgres.dsn) as connection:
            for page in every_cdr(connection):
                told_page = [excerpt_of(each) for each in page]
                keys = disclosed(connection, told_page)
                for each in told_page:
                    count += bool(wire_cdr(each, OcpiVersion.V2_2_1, keys[each.cdr_id]).json)
        told = cpu_seconds(postgres)
    assert count == CDRS, count
    return [
        beside(
            "cdr_out",
            count / (made - before),
            "CDRs made, checked in three versions and frozen, per CPU second with PostgreSQL",
            "at least",
            _AT_LEAST,
        ),
        beside(
            "cdr_written",
            count / (told - made),
            "frozen CDRs read and written as OCPI 2.2.1, per CPU second with PostgreSQL",
            "at least",
            _AT_LEAST,
        ),
    ]


def guest_ratings() -> Iterator[SessionRated]:
    """Yield ratings of sessions that draw uneven energy, a third of them with idle time."""
    declarations = roaming_depot()
    for number in range(1, CDRS + 1):
        charging = session(
            number,
            token_uid=GUEST,
            started_at=_BEGINNING + timedelta(minutes=number),
            energy_wh=str(Decimal(5_000 + number * 7 % 40_000)),
            parked_minutes=number % 3 * 10,
        )
        yield rated_as(charging, declarations, position=number)


if __name__ == "__main__":
    for row in rows(0):
        print(f"{row['name']}: {row['value']:,.0f} {row['unit']}, {row['ratio']:,.1f} x")
