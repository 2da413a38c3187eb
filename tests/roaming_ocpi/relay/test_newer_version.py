"""What OCPI 2.1.1 had no form for is told in a newer version, unless it is settled by then."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from psycopg import AsyncConnection

from ledger.database import connect, connect_options
from ledger.desk.settling.desk import settlement_desk
from roaming_ocpi.registration.store import Agreed, conclude
from tariffs.ocpi.versions import OcpiVersion
from tests.ledger.settlements.partner_cdrs import (
    IN_APRIL,
    MARCH,
    PARTNER,
    declare_partner,
    sent_cdr,
)

NOW = datetime(2026, 3, 20, tzinfo=UTC)
ATTEMPT = """
INSERT INTO outgoing_attempt (party, number, attempt, kind, subject, at, came_of_it)
VALUES (%s, %s, 1, %s, %s, now(), %s)
"""


async def move_to(database: str, version: OcpiVersion) -> None:
    """Register, or renew, in *version*."""
    agreed = Agreed("DE-HBC", version, "https://tnm.example/versions", {}, [PARTNER], "their-token")
    options = connect_options(database)
    async with await AsyncConnection.connect(
        database, options=options, autocommit=True
    ) as connection:
        await connection.execute(
            "INSERT INTO roaming_link (partner, state, changed_at) VALUES (%s, 'invited', %s)"
            " ON CONFLICT DO NOTHING",
            (PARTNER, NOW),
        )
        await conclude(connection, PARTNER, agreed, ends=0, at=NOW, by="ann", is_anew=False)


def corrected(database: str) -> None:
    """Write a CDR that was told, and its correction, which was not."""
    with connect(database) as connection:
        sent_cdr(connection, "A", 1000)
        sent_cdr(connection, "A-", -1000, kind="credit", credits="A", revision=2, session_id="s-A")
        instead = b'{"replaces": "A"}'
        sent_cdr(connection, "A2", 800, revision=2, session_id="s-A", body=instead)
        sent_cdr(connection, "B", 500)
        told = [("cdr", "A", "delivered"), ("credit", "A-", "withheld"), ("cdr", "A2", "withheld")]
        for number, each in enumerate([*told, ("cdr", "B", "delivered")], 1):
            kind, subject, came = each
            connection.execute(ATTEMPT, (PARTNER, number, kind, subject, came))


def waiting(database: str) -> list[tuple[str, str, str]]:
    with connect(database) as connection:
        rows = connection.execute("SELECT kind, subject, lane FROM outgoing ORDER BY id")
        return [(kind, subject, lane) for kind, subject, lane in rows]


@pytest.mark.parametrize("newer", [OcpiVersion.V2_2_1, OcpiVersion.V2_3_0])
async def test_corrections_that_the_old_version_could_not_carry_are_told_in_the_new_one(
    database: str, newer: OcpiVersion
) -> None:
    corrected(database)
    await move_to(database, OcpiVersion.V2_1_1)
    await move_to(database, OcpiVersion.V2_1_1)
    assert waiting(database) == []

    await move_to(database, newer)

    assert waiting(database) == [("credit", "A-", "s-A"), ("cdr", "A2", "s-A")]
    with connect(database) as connection:
        connection.execute("DELETE FROM outgoing")
    await move_to(database, newer)
    assert waiting(database) == [], "who renews is not told again"


async def test_what_a_statement_said_is_not_told_once_more(database: str) -> None:
    corrected(database)
    await move_to(database, OcpiVersion.V2_1_1)
    declared = declare_partner(database, session_fee=Decimal(0))
    with connect(database) as connection, settlement_desk(connection, declared) as desk:
        # Another partner's at first: to this one it is told as any other.
        sent_cdr(connection, "C", 300, revision=2)
        [scope] = desk.scopes(PARTNER, MARCH)
        agreed = desk.agree(scope, by="anna", at=IN_APRIL)
        said = {each.code: each.count for each in agreed.settlement.sent.lines}
    assert said == {"cdrs": 3, "corrections": 2}

    await move_to(database, OcpiVersion.V2_2_1)

    assert waiting(database) == []
