"""How the versions of tariffs that were proposed are printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from deploy.output import print_json, print_rows
from ledger.approvals.english import codes_of, reason_of
from ledger.approvals.record import TariffRecord

if TYPE_CHECKING:
    from psycopg import Connection

HASH_SHOWN = 12
_COLUMNS = {
    "tariff": "left",
    "no.": "right",
    "version": "left",
    "state": "left",
    "holds from": "left",
    "until": "left",
    "asked by": "left",
    "approved by": "left",
    "assigned to": "left",
}


def print_records(
    title: str, records: Sequence[TariffRecord], connection: Connection[Any], *, is_json: bool
) -> None:
    """Print *records* as a table, or as JSON with the tariffs' texts.

    *connection* says which token a subject id in an assignment stands for.
    """
    from ledger.persons.store import names_in, readable

    names = names_in(connection, [each.key() for record in records for each in record.assigned])
    if is_json:
        content = [_row(record) | {"tariff": record.tariff} for record in records]
        print_json(content, names=names)
        return
    rows = [
        [
            record.tariff_id,
            record.number,
            record.sha256[:HASH_SHOWN],
            record.state,
            record.holds_from,
            record.holds_until,
            record.asked_by,
            record.approved_by or None,
            [readable(each.key(), names) for each in record.assigned],
        ]
        for record in records
    ]
    print_rows(title, _COLUMNS, rows)


def _row(record: TariffRecord) -> dict[str, object]:
    return {
        "tariff_id": record.tariff_id,
        "number": record.number,
        "sha256": record.sha256,
        "state": record.state,
        "holds_from": record.holds_from,
        "holds_until": record.holds_until,
        "author": record.author,
        "proposed_at": record.proposed_at,
        "asked_by": record.asked_by,
        "approved_by": record.approved_by or None,
        "approved_at": record.approved_at,
        "declared_version": record.declared_version,
        "reason": reason_of(record),
        "codes": codes_of(record),
        "assignments": [each.key() for each in record.assigned],
    }
