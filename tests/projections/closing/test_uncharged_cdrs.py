"""A month's reports have partners' CDRs that wait, beside what is held at stations of ours."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from ledger.database import connect
from projections.closing.month_reports import month_reports
from projections.closing.period_scope import PeriodScope
from projections.closing.uncharged import UnchargedSum
from tests.ledger.settlements.partner_cdrs import MARCH, declare_partner, received_cdr

WHO = {"subject": "p-1"}
MARCH_ENDS = datetime(2026, 3, 31, 22, tzinfo=UTC)


def test_cdrs_that_wait_for_a_person_are_a_sum_of_their_own(database: str) -> None:
    declare_partner(database)
    with connect(database) as connection:
        received_cdr(connection, "A", "4.0001", verdict="flagged", **WHO)
        received_cdr(connection, "B", "1", verdict="flagged", charge_act="take_back", **WHO)
        received_cdr(connection, "K", "9", verdict="flagged", currency="SEK", **WHO)
        received_cdr(connection, "C", "100", charge_act="charge", **WHO)
        received_cdr(connection, "D", "100", **WHO)
        received_cdr(connection, "E", "100", verdict="disputed", **WHO)
        received_cdr(connection, "F", "100", verdict="flagged", ended_at=MARCH_ENDS, **WHO)
        received_cdr(connection, "G", "100", verdict="flagged", credited_by="H", **WHO)
        reports = month_reports(connection, PeriodScope(connection, None, MARCH), [])

    assert reports.held.sessions == 0
    assert reports.uncharged == (
        UnchargedSum(currency="EUR", cdrs=1, energy_wh=Decimal(10_000), net=Decimal("4.0001")),
        UnchargedSum(currency="SEK", cdrs=1, energy_wh=Decimal(10_000), net=Decimal(9)),
    )
