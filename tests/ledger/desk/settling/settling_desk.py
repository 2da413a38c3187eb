"""A desk over the books of a declared partner, and agreeing there to the only settlement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from psycopg import Connection

from ledger.database import connect
from ledger.desk.settling.desk import SettlementDesk, SettlementStanding, settlement_desk
from tests.ledger.settlements.partner_cdrs import (
    IN_APRIL,
    MARCH,
    PARTNER,
    declare_partner,
)


@contextmanager
def desk_of(dsn: str, **terms: Any) -> Iterator[tuple[Connection[Any], SettlementDesk]]:  # noqa: ANN401
    declared = declare_partner(dsn, **terms)
    with connect(dsn) as connection, settlement_desk(connection, declared) as desk:
        yield connection, desk


def agree(desk: SettlementDesk, month: str = MARCH, at: datetime = IN_APRIL) -> SettlementStanding:
    [scope] = desk.scopes(PARTNER, month)
    return desk.agree(scope, by="anna", at=at)


def journal(connection: Connection[Any]) -> dict[str, dict[str, int]]:
    rows = connection.execute(
        "SELECT entry_id, accounts, amounts FROM journal_entry WHERE entry_id LIKE 'settlement%'"
    )
    return {entry: dict(zip(accounts, amounts, strict=True)) for entry, accounts, amounts in rows}
