"""The tables of what partners told us (books/0007): looked up for many CDRs at once, and written.

Statements name one party: all of its messages stand in one partition of the log, in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, LiteralString

import msgspec
from psycopg import Connection

from ledger.database import copy_rows
from ledger.log.event_log import Position
from roaming_ocpi.incoming.told import ToldCdr
from roaming_ocpi.incoming.verdicts.judging import JudgedCdr
from roaming_ocpi.incoming.verdicts.known import CdrBefore, SessionBefore
from roaming_ocpi.incoming.verdicts.verdict import CdrVerdict
from tariffs.ocpi.versions import OcpiVersion
from tariffs.phrases.phrase import Phrase

AT_ONCE_MAX: Final = 8
"""So many CDRs of one token at the same time are looked at."""
_KNOWN: LiteralString = """
cdr_id, cdr_key, kind = 'credit', credited_by, currency, net, tax, energy_kwh, started_at, ended_at,
subject, session_key
"""
_ROWS: LiteralString = f"""
SELECT {_KNOWN}, sha256, verdict, judged, codes::text, decided_at IS NOT NULL, credits, zone,
    charge_act, waits_for, version, partition, position, line FROM partner_cdr
"""  # noqa: S608 - constants
_BY_KEY: LiteralString = f"{_ROWS} WHERE party = %s AND cdr_key = ANY (%b::text[])"
# In the order in which they came.
_WAITING: LiteralString = f"""
{_ROWS} WHERE party = %s AND waits_for = ANY (%b::text[]) ORDER BY partition, position, line
"""
_BY_SESSION: LiteralString = f"""
SELECT found.* FROM unnest(%b::text[]) AS asked (key), LATERAL (
    SELECT {_KNOWN} FROM partner_cdr
    WHERE party = %s AND session_key = asked.key AND kind = 'cdr' AND credited_by IS NULL
        AND started_at IS NOT NULL
    ORDER BY cdr_key COLLATE "C" LIMIT 1
) AS found
"""  # noqa: S608 - constants
_AT_ONCE: LiteralString = f"""
SELECT asked.number, found.* FROM unnest(%b::int[], %b::text[], %b::timestamptz[],
    %b::timestamptz[]) AS asked (number, subject, starts_at, ends_at), LATERAL (
    SELECT {_KNOWN} FROM partner_cdr
    WHERE party = %s AND kind = 'cdr' AND subject = asked.subject
        AND ended_at >= asked.starts_at AND started_at <= asked.ends_at
        AND credited_by IS NULL
    ORDER BY ended_at, cdr_key COLLATE "C" LIMIT %s
) AS found
"""  # noqa: S608 - constants
# As many as are looked at when a CDR comes, by the same indexes.
_SIBLINGS: LiteralString = f"""
{_ROWS} WHERE party = %(party)s AND cdr_key <> %(key)s AND cdr_key = ANY (ARRAY(
    SELECT cdr_key FROM partner_cdr WHERE party = %(party)s AND session_key = %(session)s
        AND kind = 'cdr' AND credited_by IS NULL AND started_at IS NOT NULL
    ORDER BY cdr_key COLLATE "C" LIMIT %(limit)s
) || ARRAY(
    SELECT cdr_key FROM partner_cdr WHERE party = %(party)s AND subject = %(subject)s
        AND kind = 'cdr' AND credited_by IS NULL
        AND ended_at >= %(began)s AND started_at <= %(ended)s
    ORDER BY ended_at, cdr_key COLLATE "C" LIMIT %(limit)s
)) ORDER BY partition, position, line
"""  # noqa: S608 - constants
_SESSIONS: LiteralString = """
SELECT session_key, session_id, status, currency, net, energy_kwh, started_at, ended_at,
    last_updated, subject, partition, position, line, received_at
FROM partner_session WHERE party = %s AND session_key = ANY (%b::text[])
"""
_ADD: LiteralString = """
COPY partner_cdr (party, cdr_id, cdr_key, kind, credits, credited_by, version, currency, net, tax,
    energy_kwh, started_at, ended_at, received_at, partition, position, line, subject, contract,
    session_ref, session_key, verdict, judged, codes, repriced_net, tariff_id, zone,
    declared_version, sha256, decided_at, decided_by, reason, charge_act, waits_for)
FROM STDIN
"""
_CHANGE: LiteralString = """
UPDATE partner_cdr SET credited_by = %s, verdict = %s, judged = %s, codes = %s::text::jsonb,
    decided_at = coalesce(%s, decided_at), decided_by = coalesce(%s, decided_by),
    reason = coalesce(%s, reason), charge_act = %s, credits = %s, waits_for = %s
WHERE party = %s AND cdr_key = %s
"""
_AGAIN: LiteralString = """
INSERT INTO partner_cdr_again (party, cdr_key, partition, position, line, received_at, sha256)
VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
_PUT_SESSION: LiteralString = """
INSERT INTO partner_session (party, session_key, session_id, status, currency, net, energy_kwh,
    started_at, ended_at, last_updated, subject, partition, position, line, received_at)
SELECT %s, * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::numeric[],
    %b::numeric[], %b::timestamptz[], %b::timestamptz[], %b::timestamptz[], %b::text[], %b::int[],
    %b::bigint[], %b::int[], %b::timestamptz[])
ON CONFLICT (party, session_key) DO UPDATE SET status = excluded.status,
    currency = excluded.currency, net = excluded.net, energy_kwh = excluded.energy_kwh,
    started_at = excluded.started_at, ended_at = excluded.ended_at,
    last_updated = excluded.last_updated, subject = excluded.subject,
    partition = excluded.partition, position = excluded.position, line = excluded.line,
    received_at = excluded.received_at
"""
_PHRASES: Final = msgspec.json.Decoder(tuple[Phrase, ...])


@dataclass(slots=True)
class CdrRow:
    """A CDR of the table as a batch has it in mind; `is_new`: it is not in there yet.

    `waits_for`: the folded id of the CDR that a credit names, until it comes.
    """

    known: CdrBefore
    digest: bytes
    verdict: CdrVerdict
    judged: CdrVerdict
    codes: tuple[Phrase, ...]
    credits: str | None = None
    is_decided: bool = False
    told: ToldCdr | None = None
    found: JudgedCdr | None = None
    zone: str | None = None
    decision: tuple[datetime, str, str] | None = None
    charge_act: str | None = None
    waits_for: str | None = None
    at: Position | None = None
    version: OcpiVersion = OcpiVersion.V2_2_1

    @property
    def is_new(self) -> bool:
        """Whether it is still to be added."""
        return self.told is not None


@dataclass(slots=True)
class PartnerSessionRow:
    """What was told last of a session."""

    session_id: str
    status: str | None = None
    currency: str | None = None
    net: Decimal | None = None
    energy_kwh: Decimal | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    last_updated: datetime | None = None
    subject: str | None = None
    at: Position = Position(0, 0, 0)  # noqa: RUF009 - a NamedTuple, which nothing changes
    received_at: datetime | None = None

    @property
    def known(self) -> SessionBefore:
        """What a verdict needs of it."""
        return SessionBefore(
            self.status, self.currency, self.net, self.energy_kwh, self.started_at, self.ended_at
        )


class PartnerBooks:
    """The tables, for one party and within the caller's transaction."""

    def __init__(self, connection: Connection[Any], party: str) -> None:
        self._connection, self._party = connection, party

    def by_key(self, keys: Iterable[str]) -> dict[str, CdrRow]:
        """Return the CDRs of these folded ids that came before."""
        return {each.known.key: each for each in self._rows(_BY_KEY, keys)}

    def waiting(self, keys: Iterable[str]) -> dict[str, list[CdrRow]]:
        """Return the credits that came before the CDRs of these folded ids, by those."""
        found: dict[str, list[CdrRow]] = {}
        for each in self._rows(_WAITING, keys):
            assert each.waits_for is not None
            found.setdefault(each.waits_for, []).append(each)
        return found

    def siblings(self, of: CdrBefore) -> list[CdrRow]:
        """Return the CDRs that bill its session, or its token's time, too, as they came."""
        asked = {
            "party": self._party,
            "key": of.key,
            "session": of.session_key,
            "subject": of.subject,
            "began": of.started_at,
            "ended": of.ended_at,
            "limit": AT_ONCE_MAX,
        }
        return list(self._found(_SIBLINGS, asked))

    def _rows(self, query: LiteralString, keys: Iterable[str]) -> Iterator[CdrRow]:
        return self._found(query, (self._party, sorted(set(keys))))

    def _found(
        self, query: LiteralString, asked: Sequence[object] | Mapping[str, object]
    ) -> Iterator[CdrRow]:
        for *told, act, waits_for, version, partition, position, line in self._connection.execute(
            query, asked
        ):
            *known, digest, verdict, judged, codes, is_decided, credited, zone = told
            yield CdrRow(
                CdrBefore(*known),
                bytes(digest),
                CdrVerdict(verdict),
                CdrVerdict(judged),
                _PHRASES.decode(codes),
                credited,
                is_decided,
                zone=zone,
                charge_act=act,
                waits_for=waits_for,
                at=Position(partition, position, line),
                version=OcpiVersion(version),
            )

    def by_session(self, keys: Iterable[str]) -> dict[str, CdrBefore]:
        """Return a CDR of each of these sessions that bills it, the first by its id."""
        wanted = sorted(set(keys))
        if not wanted:
            return {}
        rows = self._connection.execute(_BY_SESSION, (wanted, self._party))
        found = [CdrBefore(*row) for row in rows]
        return {each.session_key: each for each in found if each.session_key is not None}

    def at_once(self, told: Sequence[ToldCdr]) -> dict[int, list[CdrBefore]]:
        """Return, by its place in *told*, which CDRs of its token touch its time."""
        asked: list[tuple[int, str, datetime, datetime]] = [
            (number, each.subject, each.cdr.starts_at, each.cdr.ends_at)
            for number, each in enumerate(told)
            if each.subject is not None and each.cdr is not None
        ]
        found: dict[int, list[CdrBefore]] = {}
        if asked:
            columns = [list(column) for column in zip(*asked, strict=True)]
            rows = self._connection.execute(_AT_ONCE, (*columns, self._party, AT_ONCE_MAX))
            for number, *row in rows:
                found.setdefault(number, []).append(CdrBefore(*row))
        return found

    def sessions(self, keys: Iterable[str]) -> dict[str, PartnerSessionRow]:
        """Return what was told last of these sessions."""
        wanted = sorted(set(keys))
        if not wanted:
            return {}
        rows = self._connection.execute(_SESSIONS, (self._party, wanted))
        found: dict[str, PartnerSessionRow] = {}
        for key, *said, partition, position, line, received_at in rows:
            row = found[key] = PartnerSessionRow(*said)
            row.at, row.received_at = Position(partition, position, line), received_at
        return found

    def store_cdrs(self, rows: Iterable[CdrRow], version: int) -> None:
        """Write the CDRs that are new, and what changed of others."""
        given = list(rows)
        copy_rows(self._connection, _ADD, (_values(each, version) for each in given if each.is_new))
        changed = [each for each in given if not each.is_new]
        if changed:
            with self._connection.cursor() as cursor:
                cursor.executemany(_CHANGE, [self._change(each) for each in changed])

    def _change(self, row: CdrRow) -> tuple[object, ...]:
        decision = row.decision or (None, None, None)
        what = (row.known.credited_by, row.verdict, row.judged, encoded(row.codes))
        named = (row.charge_act, row.credits, row.waits_for)
        return (*what, *decision, *named, self._party, row.known.key)

    def store_again(self, told: Sequence[ToldCdr]) -> None:
        """Write which CDRs came again with other content."""
        if told:
            rows = [
                (self._party, each.key, *each.at, each.received_at, each.digest) for each in told
            ]
            with self._connection.cursor() as cursor:
                cursor.executemany(_AGAIN, rows)

    def store_sessions(self, rows: Iterable[tuple[str, PartnerSessionRow]]) -> None:
        """Write what was told last of sessions."""
        values = [
            (
                *(key, row.session_id, row.status, row.currency, row.net),
                *(row.energy_kwh, row.started_at, row.ended_at, row.last_updated, row.subject),
                *(*row.at, row.received_at),
            )
            for key, row in rows
        ]
        if values:
            columns = [list(column) for column in zip(*values, strict=True)]
            self._connection.execute(_PUT_SESSION, (self._party, *columns))


def encoded(codes: Sequence[Phrase]) -> str:
    """Return *codes* as the JSON that the tables keep."""
    return msgspec.json.encode(
        [{"code": each.code, "parameters": each.parameters} for each in codes]
    ).decode()


def _values(row: CdrRow, version: int) -> tuple[object, ...]:
    told, found, known = row.told, row.found, row.known
    assert told is not None
    assert found is not None
    return (
        *(told.party, told.id, told.key, "credit" if known.is_credit else "cdr", row.credits),
        *(known.credited_by, str(told.version), known.currency, known.net, known.tax),
        *(known.energy, known.started_at, known.ended_at, told.received_at, *told.at),
        *(told.subject, told.contract, told.session_id, told.session_key),
        *(str(row.verdict), str(row.judged), encoded(row.codes), found.repriced_net),
        *(found.tariff_id, row.zone, version, told.digest, *(row.decision or (None, None, None))),
        *(row.charge_act, row.waits_for),
    )
