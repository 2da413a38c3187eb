"""The charging day's fleet with a partner, whose drivers charge there too."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg

from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.declared.store import declare
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.partners import Partner, PartnerRole
from ledger.master_data.tokens import Token, TokenKind
from tests.at_the_edge import keep_named_subjects
from tests.charging_day import MORNING, declare_fleet

TNM, BLUE = "NL-TNM", "DE-BLU"
PARTNERS_TOKEN, OTHERS_TOKEN = "TNM1", "BLU1"


def declare_partners(dsn: str, *, live: bool = True, mark_up: Decimal = Decimal(0)) -> int:
    """Declare the fleet and two partners with a driver each; return the version."""
    declare_fleet(dsn)
    seller = LegalEntity(
        name="Watt GmbH", country="DE", time_zone="Europe/Berlin", invoice_prefix="W",
        vat_id="DE136695976", party="DE-HBC",
    )  # fmt: skip
    terms = Partner(
        name="TNM", legal_entity="watt", roles=(PartnerRole.EMSP,), live_sessions=live,
        mark_up_percent=mark_up,
        session_every_s=300,
    )  # fmt: skip
    changes = [Change(kind=Kind.LEGAL_ENTITY, key="watt", entity=seller)]
    for party, token in ((TNM, PARTNERS_TOKEN), (BLUE, OTHERS_TOKEN)):
        roaming = Token(kind=TokenKind.ROAMING, partner=party)
        changes += [
            Change(kind=Kind.PARTNER, key=party, entity=terms),
            Change(kind=Kind.TOKEN, key=token.lower(), entity=roaming),
        ]
    with connect(dsn) as connection:
        keep_named_subjects(connection, PARTNERS_TOKEN, OTHERS_TOKEN)
        return declare(connection, changes, by="test", at=MORNING - timedelta(hours=1))


class SetClock:
    """A clock that stands where a test sets it."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


def rows(dsn: str, query: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn, options="-c search_path=books,inputs,persons") as connection:
        return connection.execute(query.encode(), values).fetchall()
