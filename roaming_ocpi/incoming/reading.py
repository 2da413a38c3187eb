"""Reads partners' messages from the log into the books, each exactly once.

The position of each partition goes down in the transaction of what follows from its records; its
row is locked first, so a second reader waits and then goes on from where the first one came to.
Nothing that a partner says stops it: what raises is left out with its reason, and a station's
billing never waits for it, for the worker is another follower of the same log.

Tests: tests/roaming_ocpi/incoming/test_partner_reader.py.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, LiteralString, NamedTuple, Self

import psycopg
from psycopg import Connection, sql

from ledger.asides.aside import why_of
from ledger.database import connect, is_of_content
from ledger.declared.declarations import Declarations
from ledger.declared.store import load_declarations
from ledger.log.envelope import Declared, PartnerMessage
from ledger.log.event_log import FollowedLog, Position, Record, Stamp
from ledger.log.reading import numbered_lines
from ledger.log.repeats import LastSequences
from roaming_ocpi.incoming.batch import PartyBatch, Told, batches
from roaming_ocpi.incoming.charging import ChargeLines
from roaming_ocpi.incoming.published import PublishedByPartners, StoredByPartners
from roaming_ocpi.incoming.told import (
    ACCEPT,
    CDRS,
    DISPUTE,
    SESSION_PARTS,
    SESSIONS,
    MessageReader,
)
from roaming_ocpi.incoming.verdicts.repricing import Repricer
from roaming_ocpi.incoming.verdicts.verdict import CdrVerdict

logger = logging.getLogger(__name__)

GROUP_RECORDS: Final = 500
GROUP_LINES: Final = 1_000
"""What one transaction takes at most, but for the last record's rest."""
WAIT_SECONDS: Final = 1.0
_INCOMING: Final = frozenset({CDRS, SESSIONS, SESSION_PARTS})
_CHOSEN: Final = frozenset({ACCEPT, DISPUTE})
# Tags of the two kinds of line that are looked at; a record without them is not decoded.
_OF_PARTNERS: Final = b'"kind":"partner"'
_DECLARED: Final = b'"kind":"declared"'

_BEGIN: LiteralString = """
INSERT INTO partner_reading (partition, next_position, declared_version) VALUES (%s, 0, 0)
ON CONFLICT (partition) DO NOTHING
"""
_LOAD: LiteralString = """
SELECT next_position, declared_version, producers, sequences
FROM partner_reading WHERE partition = %s FOR UPDATE
"""
_STORE: LiteralString = """
UPDATE partner_reading SET next_position = %s, declared_version = %s, producers = %s,
    sequences = %s
WHERE partition = %s
"""
_ASIDE: LiteralString = """
INSERT INTO partner_line_aside (partition, position, line, party, why)
VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""


class _Message(NamedTuple):
    """A message of a partner, or our own about one, and where it stands."""

    line: PartnerMessage
    at: Position


class PartnerReader:
    """Follows some partitions of the log. After a lost connection, make a new one."""

    def __init__(
        self,
        dsn: str,
        *,
        log: FollowedLog,
        partitions: Collection[int],
        published: PublishedByPartners | None = None,
        schema: str = "books",
        says: ChargeLines | None = None,
    ) -> None:
        """Connect; *log* stays the caller's to close. *schema*: where the tables are written.

        *says*: by whom it is said what is charged on to our customers; None: nobody, as where all
        is judged again.
        """
        self._says = says
        self._log, self._partitions = log, sorted(set(partitions))
        self._published = published or StoredByPartners()
        self._connection: Connection[Any] = connect(dsn)
        path = sql.SQL("SET search_path = {}, inputs, persons")
        self._connection.execute(path.format(sql.Identifier(schema)))
        self._declared = Declarations()
        self._reader, self._repricer = MessageReader(), Repricer()
        self._of_group: list[CdrVerdict] = []
        self.judged: Counter[CdrVerdict] = Counter()
        """New CDRs that it read and committed, by what our rules said of them."""
        self.beat: Callable[[], None] = lambda: None
        """Called before each partition's turn: it says that the reader goes on."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the connection go; what was committed stays."""
        self._connection.close()

    def run(self, stop: threading.Event) -> None:
        """Follow the log until *stop* is set."""
        while not stop.is_set():
            if not self.run_once():
                self._log.wait(WAIT_SECONDS)

    def run_once(self) -> int:
        """Take one group of records of each partition; return how many records were done."""
        return sum(self._advance(partition) for partition in self._partitions)

    def run_to_end(self) -> None:
        """Take all that the log has by now."""
        while self.run_once():
            pass

    def _advance(self, partition: int) -> int:
        self.beat()
        if self._says is not None:
            self._says.carry(self._connection)
        try:
            return self._take_group(partition, is_careful=False)
        except Exception as error:
            if not is_of_content(error):
                raise
            logger.warning("partition %s is read line by line: %s", partition, type(error).__name__)
            return self._take_group(partition, is_careful=True)

    def _take_group(self, partition: int, *, is_careful: bool) -> int:
        self._of_group = []
        with self._connection.transaction():
            self._connection.execute(_BEGIN, (partition,))
            found = self._connection.execute(_LOAD, (partition,)).fetchone()
            assert found is not None, partition
            position, version, producers, sequences = found
            records = self._log.read(partition, position, records=GROUP_RECORDS, lines=GROUP_LINES)
            if not records:
                return 0
            last = LastSequences(map(Stamp, producers, sequences))
            waiting: list[_Message] = []
            for record in records:
                if not last.takes(record.stamp):
                    continue
                for line, at in _looked_at(record):
                    if isinstance(line, PartnerMessage):
                        waiting.append(_Message(line, at))
                    else:
                        self._take(waiting, version, is_careful=is_careful)
                        waiting, version = [], line.version
            self._take(waiting, version, is_careful=is_careful)
            kept = last.kept()
            stamps = [each.producer for each in kept], [each.sequence for each in kept]
            reached = records[-1].position + 1
            self._connection.execute(_STORE, (reached, version, *stamps, partition))
        self.judged.update(self._of_group)
        return len(records)

    def _take(self, messages: Sequence[_Message], version: int, *, is_careful: bool) -> None:
        """Take *messages*, which hold under the declarations *version*, in their order."""
        if not messages:
            return
        if self._declared.version != version:
            self._declared = load_declarations(self._connection, version, known=self._declared)
        by_party: dict[str, list[_Message]] = {}
        for each in messages:
            by_party.setdefault(each.line.party, []).append(each)
        for party, theirs in by_party.items():
            told = [(each, read) for each in theirs if (read := self._read(each)) is not None]
            places = {id(read): each for each, read in told}
            for batch in batches([read for _, read in told]):
                for some in [[each] for each in batch] if is_careful else [batch]:
                    self._take_batch(party, some, places, is_careful=is_careful)

    def _take_batch(
        self,
        party: str,
        told: Sequence[Told],
        places: dict[int, _Message],
        *,
        is_careful: bool,
    ) -> None:
        try:
            with self._connection.transaction():
                batch = PartyBatch(
                    self._connection,
                    party,
                    told,
                    declared=self._declared,
                    published=self._published,
                    repricer=self._repricer,
                )
                batch.take()
                batch.store(self._says)
            self._of_group += batch.judged
        except Exception as error:
            if not is_careful or not is_of_content(error):
                raise
            self._set_aside(places[id(told[0])], error)

    def _read(self, message: _Message) -> Told | None:
        """Return what a message says, None where it says nothing that can be read."""
        line, at = message
        try:
            if line.what in _CHOSEN:
                return self._reader.choice(line, at)
            if line.what == CDRS:
                return self._reader.cdr(line, at)
            return self._reader.session(line, at)
        except Exception as error:
            if isinstance(error, psycopg.Error) or not is_of_content(error):
                raise
            self._set_aside(message, error)
            return None

    def _set_aside(self, message: _Message, error: Exception) -> None:
        line, at = message
        # No error's words in the log file: they may quote what the partner said.
        logger.warning("line %s of %s is set aside: %s", at, line.party, type(error).__name__)
        self._connection.execute(_ASIDE, (*at, line.party, why_of(error)))


def _looked_at(record: Record) -> list[tuple[PartnerMessage | Declared, Position]]:
    """Return the lines of a record that matter here, in their order."""
    payload = record.payload
    if _OF_PARTNERS not in payload and _DECLARED not in payload:
        return []
    found: list[tuple[PartnerMessage | Declared, Position]] = []
    for index, line in numbered_lines(payload):
        at = Position(record.partition, record.position, index)
        if isinstance(line, Declared):
            found.append((line, at))
        elif isinstance(line, PartnerMessage):
            what = _INCOMING if line.direction == "in" else _CHOSEN
            if line.what in what:
                found.append((line, at))
    return found
