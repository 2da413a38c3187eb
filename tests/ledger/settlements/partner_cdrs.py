"""CDRs of ours and of a partner as their tables have them, and a partner that is declared."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from psycopg import Connection

from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Declarations, Kind
from ledger.declared.store import declare, load_declarations
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.partners import Partner, PartnerRole

PARTNER, ENTITY, OUR_PARTY = "NL-TNM", "watt", "DE-HBC"
MARCH = "2026-03"
IN_MARCH = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
IN_APRIL = datetime(2026, 4, 2, 8, tzinfo=UTC)
US = LegalEntity(
    name="Watt GmbH", country="DE", time_zone="Europe/Berlin", invoice_prefix="WL", party=OUR_PARTY
)


def declare_partner(
    dsn: str,
    *,
    valid_from: datetime | None = None,
    **given: Any,  # noqa: ANN401
) -> Declarations:
    """Declare a partner, with what is *given* of its terms, and us unless that was done."""
    terms = {"vat_percent": Decimal(19), "vat_id": "NL123456782B90", **given}
    partner = Partner(
        name="TNM B.V.",
        legal_entity=ENTITY,
        roles=(PartnerRole.CPO, PartnerRole.EMSP),
        **terms,
    )
    with connect(dsn) as connection:
        seller = load_declarations(connection).legal_entity(ENTITY, IN_MARCH) or US
        us = msgspec.structs.replace(seller, party=OUR_PARTY)
        changes = [
            Change(kind=Kind.LEGAL_ENTITY, key=ENTITY, entity=us),
            Change(kind=Kind.PARTNER, key=PARTNER, entity=partner, valid_from=valid_from),
        ]
        at = datetime(2026, 1, 1, tzinfo=UTC) if seller is US else IN_MARCH
        declare(connection, changes, by="test", at=at)
        return load_declarations(connection)


def declare_beside(dsn: str, party: str | None = None) -> Declarations:
    """Declare the partner, with a contract with ENTITY, and a second one of ours, in New York."""
    declare_partner(dsn)
    york = msgspec.structs.replace(
        US, name="Watt Inc", time_zone="America/New_York", invoice_prefix="WY", party=party
    )
    with connect(dsn) as connection:
        change = Change(kind=Kind.LEGAL_ENTITY, key="york", entity=york)
        declare(connection, [change], by="test", at=datetime(2026, 1, 1, tzinfo=UTC))
        return load_declarations(connection)


def sent_cdr(connection: Connection[Any], cdr_id: str, net_minor: int, **given: Any) -> None:  # noqa: ANN401
    """Write a CDR of ours, of 10 kWh and 19 % tax where nothing else is *given*."""
    row = {
        "party": PARTNER,
        "cdr_id": cdr_id,
        "session_id": f"s-{given.get('credits') or cdr_id}",
        "revision": 1,
        "kind": "cdr",
        "credits": None,
        "legal_entity": ENTITY,
        "currency": "EUR",
        "net_minor": net_minor,
        "tax_minor": round(net_minor * 19 / 100),
        "energy_wh": 10_000,
        "started_at": IN_MARCH,
        "ended_at": IN_MARCH,
        "billing_month": MARCH,
        "made_at": IN_MARCH,
        "notes": "[]",
        "body": b"{}",
        "sha256": b"",
        **given,
    }
    if "country" in row:
        row["body"] = msgspec.json.encode({"place": {"country": row.pop("country")}})
    [(number,)] = connection.execute(
        "SELECT coalesce(max(number), 0) + 1 FROM roaming_cdr WHERE party = %s", (row["party"],)
    ).fetchall()
    _insert(connection, "roaming_cdr", {**row, "number": number})


def received_cdr(connection: Connection[Any], cdr_id: str, net: str | None, **given: Any) -> None:  # noqa: ANN401
    """Write a CDR of the partner, of 10 kWh, accepted where nothing else is *given*."""
    row = {
        "party": PARTNER,
        "cdr_id": cdr_id,
        "cdr_key": cdr_id.lower(),
        "kind": "cdr",
        "credits": None,
        "version": "2.2.1",
        "currency": "EUR",
        "net": None if net is None else Decimal(net),
        "tax": None,
        "energy_kwh": Decimal(10),
        "started_at": IN_MARCH,
        "ended_at": IN_MARCH,
        "received_at": IN_MARCH,
        "partition": 0,
        "position": 1,
        "line": 1,
        "session_ref": f"t-{cdr_id}",
        "verdict": "accepted",
        "judged": "accepted",
        "codes": "[]",
        "declared_version": 1,
        "sha256": b"",
        **given,
    }
    country = row.pop("country", None)
    _insert(connection, "partner_cdr", row)
    if country is not None:
        told = {name: row[name] for name in ("party", "cdr_key", "received_at")}
        place = {"partition": 0, "position": 1, "line": 1, "digest": b"", "address": cdr_id}
        body = f'{{"cdr_location": {{"country": "{country}"}}}}'
        _insert(connection, "received_cdr", {**told, **place, "body": body, "sealed": "[]"})


def _insert(connection: Connection[Any], table: str, row: dict[str, Any]) -> None:
    names, values = ", ".join(row), ", ".join(["%s"] * len(row))
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({values})", list(row.values()))
