"""VAT by country and rate, from what is declared to what is posted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from ledger.database import connect
from ledger.desk.settling.desk import settlement_desk
from ledger.desk.settling.refusals import UntaxedCountryError
from ledger.settlements.entries import PARTNER_PAYABLE
from tests.ledger.desk.settling.settling_desk import agree, desk_of, journal
from tests.ledger.settlements.partner_cdrs import (
    IN_MARCH,
    declare_partner,
    received_cdr,
    sent_cdr,
)


def test_vat_hangs_on_where_and_when_it_was_charged(database: str) -> None:
    changed = datetime(2026, 3, 20, tzinfo=UTC)
    before, after = ({"DE": Decimal(percent), "FR": Decimal(20)} for percent in (19, 16))
    declare_partner(database, vat_percent=None, vat_by_country=before)
    declared = declare_partner(database, valid_from=changed, vat_percent=None, vat_by_country=after)
    with connect(database) as connection, settlement_desk(connection, declared) as desk:
        sent_cdr(connection, "A", 1000, country="DEU")
        sent_cdr(connection, "B", 1000, country="DEU", ended_at=changed)
        sent_cdr(connection, "C", 1000, country="FRA")
        received_cdr(connection, "P", "5.00", country="FRA")
        agreed = agree(desk)

    sent, received = agreed.settlement.sent, agreed.settlement.received
    assert [(e.country, e.percent, e.net_minor, e.tax_minor) for e in sent.taxes or ()] == [
        ("DE", Decimal(16), 1000, 160),
        ("DE", Decimal(19), 1000, 190),
        ("FR", Decimal(20), 1000, 200),
    ]
    assert (received.net_minor, received.tax_minor) == (500, 100)
    with connect(database) as connection:
        posted = journal(connection)
        number = agreed.record.number
        [ours, theirs] = (
            posted[f"{name}:{number}"] for name in ("settlement", "settlement_received")
        )
        kept = connection.execute("SELECT cdr_id, country FROM settled_cdr ORDER BY 1").fetchall()
    assert {name: minor for name, minor in ours.items() if name.startswith("vat")} == {
        "vat:DE:16": -160,
        "vat:DE:19": -190,
        "vat:FR:20": -200,
    }
    assert theirs == {"cost:roaming": 500, "input_tax:FR:20": 100, PARTNER_PAYABLE: -600}
    assert kept == [("A", "DEU"), ("B", "DEU"), ("C", "FRA"), ("P", "FRA")]


def test_nobody_agrees_to_vat_that_nobody_declared(database: str) -> None:
    vat = {"DE": Decimal(19)}
    with desk_of(database, vat_percent=None, vat_by_country=vat) as (connection, desk):
        sent_cdr(connection, "A", 1000, country="DEU")
        sent_cdr(connection, "B", 1000, country="NLD")
        received_cdr(connection, "C", "1.00")

        with pytest.raises(UntaxedCountryError, match=r"no VAT for NL \(1 CDRs\)"):
            agree(desk)

        assert connection.execute("SELECT count(*) FROM settled_cdr").fetchone() == (0,)


def test_the_same_rate_told_again_is_one_rate(database: str) -> None:
    declare_partner(database)
    declared = declare_partner(database, valid_from=IN_MARCH, payment_days=7)
    with connect(database) as connection, settlement_desk(connection, declared) as desk:
        sent_cdr(connection, "A", 1000)
        assert not agree(desk).settlement.sent.taxes


def test_a_rate_that_was_mended_before_it_held_taxes_nothing(database: str) -> None:
    """Of what ended before all rates the first holds, and not the slip that it was declared for."""
    wrong = declare_partner(database, valid_from=IN_MARCH, vat_percent=Decimal(91))
    later = IN_MARCH + timedelta(days=1)
    declared = declare_partner(database, valid_from=IN_MARCH)
    with connect(database) as connection, settlement_desk(connection, declared) as desk:
        sent_cdr(connection, "A", 1000, ended_at=IN_MARCH - timedelta(days=1))
        sent_cdr(connection, "B", 1000, ended_at=later)

        assert declared.version > wrong.version
        assert agree(desk).settlement.sent.tax_minor == 380
