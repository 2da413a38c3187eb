"""Several take the worker's turn at once: of what another one did nobody is told that it failed."""

from __future__ import annotations

from deploy.running.turns import work_off
from ledger.database import connect
from ledger.log.event_log import Record
from ledger.log.postgres import PostgresEventLog
from tests.charging_day import charging_day, declare_fleet, write_log


class LogTakenMeanwhile(PostgresEventLog):
    """A log of which another one takes all, just as somebody has begun to read it."""

    is_taken = False

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.of = dsn

    def read(
        self, partition: int, start: int, *, records: int, lines: int | None = None
    ) -> list[Record]:
        found = super().read(partition, start, records=records, lines=lines)
        if found and not self.is_taken:
            self.is_taken = True
            with PostgresEventLog(self.of) as log:
                work_off(self.of, log)
        return found


def test_who_takes_the_turn_beside_another_one_goes_on_where_that_ended(database: str) -> None:
    write_log(database, charging_day(declare_fleet(database)))
    with LogTakenMeanwhile(database) as log:
        work_off(database, log)
        ends = log.ends()

    assert log.is_taken
    with connect(database) as connection:
        rows = connection.execute("SELECT partition, next_position FROM worker_position")
        assert dict(rows) == dict(enumerate(ends))
        [(numbers,)] = connection.execute("SELECT count(*) FROM issued_invoice")
        assert numbers
