"""The facts at the worker's hand: stored ones, and those of the transaction under way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, LiteralString

from psycopg import Connection

from ledger.facts.station_facts import StationFact
from ledger.facts.stored import pack_facts, unpack_facts
from ledger.sessions.segments import Source

SELECT: LiteralString = """
SELECT fact.station_id, fact.transaction_ref, fact.facts
FROM unnest(%s::text[], %s::text[], %s::timestamptz[])
    AS wanted (station_id, transaction_ref, since)
JOIN fact ON fact.station_id = wanted.station_id AND fact.transaction_ref = wanted.transaction_ref
         AND fact.received_until >= wanted.since
ORDER BY fact.position
"""
# A row holds several facts: the next one may have some that came by then, and the clocks of two
# servers are not the same.
BETWEEN: LiteralString = """
SELECT facts FROM fact
WHERE station_id = %(station)s AND transaction_ref = %(transaction)s
  AND received_until >= %(since)s AND received_until <= coalesce((
    SELECT min(received_until) FROM fact
    WHERE station_id = %(station)s AND transaction_ref = %(transaction)s
      AND received_until > %(until)s + interval '1 hour'
), 'infinity')
ORDER BY position
"""
COPY: LiteralString = """
COPY fact (station_id, transaction_ref, partition, position, received_until, facts)
FROM STDIN (FORMAT binary)
"""
# No row is older than the youngest of its facts.
SELECT_ROWS: LiteralString = """
SELECT ctid::text, facts FROM fact WHERE station_id = %s AND position >= %s
"""
UPDATE_ROW: LiteralString = "UPDATE fact SET facts = %s WHERE ctid = %s::tid"
DELETE_ROW: LiteralString = "DELETE FROM fact WHERE ctid = %s::tid"
COPY_TYPES = ("text", "text", "int4", "int8", "timestamptz", "bytea")

TransactionKey = tuple[str, str]
"""A station and one of its transactions."""


class FactShelf:
    """Facts by transaction: stored ones are read when first asked for, new ones wait to be stored.

    What it says depends on the log alone, not on which facts are stored already.
    """

    def __init__(self, connection: Connection[Any], partition: int) -> None:
        self._connection, self._partition = connection, partition
        self._stored: dict[TransactionKey, tuple[datetime, list[StationFact]]] = {}
        self.new: defaultdict[TransactionKey, list[StationFact]] = defaultdict(list)
        self.again: set[Source] = set()
        """Frames of earlier records that the record under way takes again: news all the same."""

    def fetch(self, wanted: Iterable[tuple[TransactionKey, datetime]]) -> None:
        """Read the stored facts of *wanted*, received since the moment given with each."""
        missing = {
            key: since
            for key, since in wanted
            if key not in self._stored or since < self._stored[key][0]
        }
        if not missing:
            return
        self._stored |= {key: (since, []) for key, since in missing.items()}
        stations, transactions = zip(*missing, strict=True)
        parameters = (list(stations), list(transactions), list(missing.values()))
        for station_id, transaction, packed in self._connection.execute(
            SELECT, parameters, binary=True
        ):
            self._stored[station_id, transaction][1].extend(unpack_facts(packed))

    def facts(self, key: TransactionKey, since: datetime) -> list[StationFact]:
        """Return the facts of one transaction received at or after *since*, in log order."""
        self.fetch([(key, since)])
        known = self._stored[key][1] + self.new.get(key, [])
        # A row holds several facts, older ones too.
        return [fact for fact in known if fact.received_at >= since]

    def between(self, key: TransactionKey, since: datetime, until: datetime) -> list[StationFact]:
        """Return the facts of one transaction received *since* a moment *until* another."""
        if key in self._stored and self._stored[key][0] <= since:
            found = self._stored[key][1]
        else:
            asked = {"station": key[0], "transaction": key[1], "since": since, "until": until}
            rows = self._connection.execute(BETWEEN, asked, binary=True)
            found = [fact for (packed,) in rows for fact in unpack_facts(packed)]
        known = found + self.new.get(key, [])
        return [fact for fact in known if since <= fact.received_at <= until]

    def brought(self, facts: Iterable[StationFact], position: int) -> list[StationFact]:
        """Return those of *facts* that the record at *position* brings, the one under way."""
        if not self.again:
            return [fact for fact in facts if fact.position == position]
        return [
            fact
            for fact in facts
            if fact.position == position or (fact.position, fact.line) in self.again
        ]

    def take_off(self, key: TransactionKey, fact: StationFact) -> None:
        """Take a new *fact* off again, which the record under way had put there."""
        self.new[key].remove(fact)
        if not self.new[key]:
            del self.new[key]

    def remove(self, station_id: str, gone: Collection[Source]) -> None:
        """Take the facts of the frames *gone* off the shelf and out of the table."""
        for key in [key for key in self.new if key[0] == station_id]:
            self.new[key] = [f for f in self.new[key] if (f.position, f.line) not in gone]
            if not self.new[key]:
                del self.new[key]
        self._stored.clear()
        first = min(position for position, _ in gone)
        rows = self._connection.execute(SELECT_ROWS, (station_id, first)).fetchall()
        for row_id, packed in rows:
            facts = unpack_facts(packed)
            kept = [fact for fact in facts if (fact.position, fact.line) not in gone]
            if not kept:
                self._connection.execute(DELETE_ROW, (row_id,))
            elif len(kept) < len(facts):
                self._connection.execute(UPDATE_ROW, (pack_facts(kept), row_id))

    def store(self) -> None:
        """Copy the new facts into the table, one row a transaction, and forget everything."""
        if self.new:
            with self._connection.cursor().copy(COPY) as copy:
                copy.set_types(COPY_TYPES)
                for (station_id, transaction), facts in self.new.items():
                    until = max(fact.received_at for fact in facts)
                    position = facts[-1].position
                    if self.again:  # what is taken again comes last, and stands earlier
                        position = max(fact.position for fact in facts)
                    row = (
                        station_id,
                        transaction,
                        self._partition,
                        position,
                        until,
                        pack_facts(facts),
                    )
                    copy.write_row(row)
        self._stored.clear()
        self.new.clear()
        self.again.clear()
