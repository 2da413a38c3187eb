"""A goodwill for a session at a partner's station: the customer pays nothing, and we do."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ledger.database import connect
from ledger.declared.store import load_declarations
from ledger.desk.choices import AtPartnerError
from ledger.desk.crediting.billed_parts import billed_parts
from ledger.desk.settling.desk import settlement_desk
from tests.faults.broken_books import rows
from tests.roaming_ocpi.incoming.charged.charged_stories import (
    LATER,
    MARKED_UP,
    charge_all,
    decide,
    declare_terms,
    is_replayed,
    rated,
)
from tests.roaming_ocpi.incoming.partner_stories import (
    PARTY,
    Told,
    append,
    cdr_of,
    declare_roaming,
)

AFTER = LATER + timedelta(days=100)
ASKED = "SELECT sum(net)::int FROM settled_cdr WHERE side = 'received'"


def settle(dsn: str, month: str = "2026-03") -> list[int]:
    """Agree to the month; return what the partner's CDRs of it come to, by currency."""
    with (
        connect(dsn) as connection,
        settlement_desk(connection, load_declarations(connection)) as desk,
    ):
        agreed = [desk.agree(each, by="ben", at=AFTER) for each in desk.scopes(PARTY, month)]
    return [each.settlement.received.net_minor for each in agreed]


def test_what_was_settled_is_paid_though_the_customer_is_given_it_back(database: str) -> None:
    declare_roaming(database)
    declare_terms(database, MARKED_UP)
    append(database, Told(cdr_of()))
    charge_all(database)
    with connect(database) as connection:
        [(number,)] = connection.execute("SELECT number FROM issued_invoice").fetchall()
        with pytest.raises(AtPartnerError, match="once its month is agreed"):
            billed_parts(connection, number)

    agreed = settle(database)
    decide(database, "C1", is_accepted=False)
    charge_all(database)

    assert agreed == [800]
    assert [each.net_minor for each in rated(database)] == [880, 0]
    assert rows(database, ASKED) == [(8,)]
    assert settle(database, "2026-04") == []
    assert is_replayed(database)
