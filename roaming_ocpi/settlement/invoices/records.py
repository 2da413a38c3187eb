"""Invoice reconciliation records: which CDRs an invoice is about, ours for partners and theirs.

Source: OCPI 2.3.0, mod_invoice_reconciliation, InvoiceReconciliationRecord.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, LiteralString, NamedTuple
from uuid import uuid5

import msgspec
from psycopg import AsyncConnection, Connection

from ledger.aggregates.namespace import NAMESPACE
from ledger.settlements.candidates import settled_cdrs
from ledger.settlements.statement import CdrSide
from roaming_ocpi.relay.outgoing import MessageKind, enqueue
from tariffs.ocpi.documents import OcpiError, decode_json
from tariffs.ocpi.fields import shown

RECORD_ID_MAX: Final = 36
_INVOICE_ID_MAX: Final = 255
CDRS_AT_MOST: Final = 500
"""In a record of ours: an invoice over more has several."""
_KNOWN: Final = frozenset({"country_code", "party_id", "id", "invoice_id", "cdrs", "last_updated"})
_CDRS: Final = "cdrs"
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")

_LAST: LiteralString = """
SELECT owner, record_id, invoice_id, cdrs, others, last_updated, is_deleted FROM invoice_record
WHERE partner = %s AND owner = %s AND record_key = %s ORDER BY number DESC LIMIT 1
"""
# Whichever of our parties said it: a partner, or we, may have registered as another one since.
_LAST_OF_OURS: LiteralString = """
SELECT owner, record_id, invoice_id, cdrs, others, last_updated, is_deleted FROM invoice_record
WHERE partner = %(partner)s AND owner <> %(partner)s AND record_key = %(key)s
ORDER BY number DESC LIMIT 1
"""
_SAY: LiteralString = """
INSERT INTO invoice_record (owner, partner, record_key, record_id, invoice_id, cdrs, others,
    last_updated, said_at, is_deleted)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_LOCK: LiteralString = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 43))"
_OURS: LiteralString = """
SELECT owner, record_id, invoice_id, cdrs, others, last_updated, is_deleted FROM (
    SELECT DISTINCT ON (record_key) * FROM invoice_record
    WHERE partner = %(partner)s AND owner <> %(partner)s ORDER BY record_key, number DESC
) AS last
WHERE NOT is_deleted AND last_updated >= coalesce(%(from)s, '-infinity'::timestamptz)
  AND last_updated < coalesce(%(to)s, 'infinity'::timestamptz)
ORDER BY number LIMIT %(limit)s OFFSET %(offset)s
"""
_COUNT: LiteralString = """
SELECT count(*) FROM (
    SELECT DISTINCT ON (record_key) is_deleted, last_updated FROM invoice_record
    WHERE partner = %(partner)s AND owner <> %(partner)s ORDER BY record_key, number DESC
) AS last
WHERE NOT is_deleted AND last_updated >= coalesce(%(from)s, '-infinity'::timestamptz)
  AND last_updated < coalesce(%(to)s, 'infinity'::timestamptz)
"""
_OF_INVOICE: LiteralString = """
SELECT owner, record_id, invoice_id, cdrs, others, last_updated, is_deleted FROM (
    SELECT DISTINCT ON (record_key) * FROM invoice_record
    WHERE partner = %(party)s AND owner = %(party)s ORDER BY record_key, number DESC
) AS last
WHERE NOT is_deleted AND lower(%(named)s) IN (lower(invoice_id), record_key) ORDER BY number
"""


class InvoiceRecord(NamedTuple):
    """What a party says of an invoice of its own. `others`: what we know no name for."""

    owner: str
    record_id: str
    invoice_id: str
    cdrs: Sequence[str]
    others: Mapping[str, Any]
    last_updated: datetime
    is_deleted: bool = False

    @property
    def key(self) -> str:
        """Return its id without case."""
        return self.record_id.lower()

    def tree(self) -> dict[str, Any]:
        """Return it as JSON."""
        country, _, party_id = self.owner.partition("-")
        at = self.last_updated.astimezone(UTC).isoformat(timespec="milliseconds")
        return {
            **self.others,
            "country_code": country,
            "party_id": party_id,
            "id": self.record_id,
            "invoice_id": self.invoice_id,
            "cdrs": list(self.cdrs),
            "last_updated": at.replace("+00:00", "Z"),
        }


def invoice_record_of(tree: Mapping[str, Any], owner: str, last_updated: datetime) -> InvoiceRecord:
    """Return the record that a partner's JSON is; its bounds were checked.

    Raises:
        OcpiError: If it lacks something, or says what cannot be.
    """
    cdrs = tree.get("cdrs")
    if not isinstance(cdrs, list) or not cdrs:
        message = f"must be a list of at least one id of a CDR, not {shown(cdrs)}"
        raise OcpiError(_CDRS, message)
    for index, each in enumerate(cdrs):
        _check_text(each, f"cdrs[{index}]", _INVOICE_ID_MAX)
    for name, longest in (("id", RECORD_ID_MAX), ("invoice_id", _INVOICE_ID_MAX)):
        _check_text(tree.get(name), name, longest)
    others = {name: value for name, value in tree.items() if name not in _KNOWN}
    return InvoiceRecord(owner, tree["id"], tree["invoice_id"], cdrs, others, last_updated)


def publish_records(
    connection: Connection[Any], number: str, *, owner: str, partner: str, at: datetime
) -> int:
    """Say to *partner* which CDRs settlement *number* invoices, in the caller's transaction.

    Returns how many records that takes. They are pushed by the relay, and wait to be asked for.
    """
    count, some = 0, list[str]()
    for cdr in settled_cdrs(connection, number, CdrSide.SENT):
        some.append(cdr.cdr_id)
        if len(some) == CDRS_AT_MOST:
            count += 1
            _publish(connection, number, count, some, owner, partner, at)
            some = []
    if some:
        count += 1
        _publish(connection, number, count, some, owner, partner, at)
    return count


def records_named(connection: Connection[Any], party: str, named: str) -> list[InvoiceRecord]:
    """Return a partner's records of an invoice, or the one of that id."""
    asked = {"party": party, "named": named}
    return [_record(row) for row in connection.execute(_OF_INVOICE, asked)]


def our_record(connection: Connection[Any], partner: str, key: str) -> InvoiceRecord | None:
    """Return a record of ours as it is said to *partner* now; None: there is none of that key."""
    row = connection.execute(_LAST_OF_OURS, {"partner": partner, "key": key}).fetchone()
    return None if row is None else _record(row)


async def lock_record(connection: AsyncConnection[Any], owner: str, key: str) -> None:
    """Let nobody else change a record until the caller's transaction is over."""
    await connection.execute(_LOCK, (f"{owner} {key}",))


async def last_record(
    connection: AsyncConnection[Any], partner: str, owner: str, key: str
) -> InvoiceRecord | None:
    """Return what was said last of a record, None where nothing was."""
    row = await (await connection.execute(_LAST, (partner, owner, key))).fetchone()
    return None if row is None else _record(row)


async def say(
    connection: AsyncConnection[Any], record: InvoiceRecord, partner: str, now: datetime
) -> None:
    """Keep what a partner says of a record now."""
    await connection.execute(_SAY, _row(record, partner, now))


async def page_of_records(
    connection: AsyncConnection[Any], asked: Mapping[str, object]
) -> tuple[list[InvoiceRecord], int]:
    """Return a page of what an owner says to a partner, and how many there are in all."""
    rows = await (await connection.execute(_OURS, asked)).fetchall()
    [(total,)] = await (await connection.execute(_COUNT, asked)).fetchall()
    return [_record(row) for row in rows], total


def _publish(
    connection: Connection[Any],
    number: str,
    part: int,
    cdrs: Sequence[str],
    owner: str,
    partner: str,
    at: datetime,
) -> None:
    record_id = str(uuid5(NAMESPACE, f"invoice record:{number}:{part}"))
    record = InvoiceRecord(owner, record_id, number, cdrs, {}, at)
    connection.execute(_SAY, _row(record, partner, at))
    enqueue(connection, partner, MessageKind.INVOICE, record_id, lane=f"invoice:{number}")


def _record(row: tuple[Any, ...]) -> InvoiceRecord:
    owner, record_id, invoice_id, cdrs, others, last_updated, is_deleted = row
    said = decode_json(others.encode())
    return InvoiceRecord(owner, record_id, invoice_id, cdrs, said, last_updated, is_deleted)


def _row(record: InvoiceRecord, partner: str, now: datetime) -> tuple[object, ...]:
    return (
        record.owner,
        partner,
        record.key,
        record.record_id,
        record.invoice_id,
        list(record.cdrs),
        _ENCODER.encode(record.others).decode(),
        record.last_updated,
        now,
        record.is_deleted,
    )


def _check_text(value: object, spot: str, longest: int) -> None:
    if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
        message = f"must be a text of 1 to {longest} characters, not {shown(value)}"
        raise OcpiError(spot, message)
