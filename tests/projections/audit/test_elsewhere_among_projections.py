"""What reads decisions takes sessions at partners in where money is, and out where energy is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from ledger.database import connect
from projections.audit.shown_documents import show_invoice
from projections.balances.energy import energy_balance
from projections.balances.trial import trial_balance
from projections.closing.gathering import MonthGathering
from projections.closing.period_scope import PeriodScope
from projections.correcting.differences import RatedSelection, selected_stations
from projections.documents.evidence import gather_evidence
from projections.documents.statements.sheet import statement_content
from projections.documents.statements.statement import (
    Wanted,
    statement_of,
    statement_sessions,
)
from projections.energy.keeper import EnergyKeeper
from projections.energy.kept_balance import kept_balance
from projections.history import rated_between
from projections.invoice_list import list_invoices
from tests.depot import keep_decisions, rated, session
from tests.projections.audit.charged_elsewhere import books_elsewhere, charge, invoiced
from tests.projections.books_of_a_day import ask
from tests.roaming_ocpi.incoming.partner_stories import END, NOON, Told, cdr_of

SINCE, UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
DAYS = date(2026, 3, 1), date(2026, 3, 31)


def noted(connection: psycopg.Connection[object], cdr_id: str, **said: str | None) -> None:
    for column, value in said.items():
        query = f"UPDATE partner_cdr SET {column} = %s WHERE cdr_id = %s"
        assert connection.execute(query.encode(), (value, cdr_id)).rowcount == 1


def test_they_stand_in_books_and_documents_and_in_no_balance_of_energy_or_back_test(
    database: str,
) -> None:
    [stands] = books_elsewhere(database, customer="fleet")
    first = charge(database, stands)
    earlier, later = (
        rated(session(number, token_uid="fleet-1", started_at=at))
        for number, at in ((7, NOON - timedelta(hours=5)), (8, END))
    )
    with connect(database) as connection:
        keep_decisions(connection, [earlier, later])
    [number] = invoiced(database, hours=24 * 60)

    with ask(database) as connection:
        shown = show_invoice(connection, number)
        assert [each.elsewhere is not None for each in shown.sessions] == [False, True, False]
        assert [each.due_minor for each in list_invoices(connection, customer=None, limit=5)] == [
            shown.due_minor
        ]
        evidence = gather_evidence(connection, shown).sessions[first.session_id]
        assert (evidence.partner, evidence.site, evidence.readings) == ("TNM Mobility", "", ())

        wanted = Wanted("fleet", "depot", "EUR", *(date(2026, 1, 1), date(2026, 12, 31)))
        statement = statement_of(connection, wanted)
        sessions = list(statement_sessions(connection, statement))
        assert statement.closing_minor == shown.due_minor
        # Those of ours have no row among the sessions here either: their lines say when they were.
        assert [each.decision.session_id for each in sessions] == [
            earlier.session_id,
            first.session_id,
            later.session_id,
        ]
        content = statement_content(statement, sessions)
        assert [row[1] for row in content.sheet.tables[1].rows] == [
            "ST-1",
            "NL-TNM, Kade 1, Utrecht",
            "ST-1",
        ]
        assert "partner/NL-TNM/c1,1,partner/NL-TNM,," in content.lines_csv

        trial = trial_balance(connection)
        assert trial.is_balanced
        assert sum(-a.balance_minor for a in trial.accounts if a.account == "revenue:energy") == (
            sum(each.net_minor for each in (first, earlier, later))
        )

        EnergyKeeper(connection).take_in()
        kept = kept_balance(connection, first_day=DAYS[0], last_day=DAYS[1], limit=100)
        assert kept.days == ()
        assert energy_balance(connection).days == ()
        assert rated_between(connection, since=SINCE, until=UNTIL) == {}
        assert selected_stations(connection, RatedSelection(since=SINCE, until=UNTIL)) == {}


@pytest.mark.parametrize(
    ("said", "item", "state"),
    [
        pytest.param(
            {"verdict": "flagged", "charge_act": None}, "held", "flagged", id="a flagged one"
        ),
        pytest.param({}, "waiting", "charge", id="one that the books have not come to"),
        pytest.param({"charge_act": None}, None, "", id="one of before there was charging on"),
        pytest.param(
            {"verdict": "disputed", "charge_act": "take_back"}, None, "", id="a disputed one"
        ),
        pytest.param({"credited_by": "C9"}, None, "", id="a credited one"),
    ],
)
def test_a_month_lists_what_partners_bill_and_nobody_pays(
    database: str, said: dict[str, str | None], item: str | None, state: str
) -> None:
    [stands] = books_elsewhere(database, Told(cdr_of()))
    with ask(database) as connection:
        noted(connection, "C1", **said)

        assert listed(connection, "2026-02") == {}
        assert listed(connection, "2026-03") == (
            {item: (f"partner/NL-TNM/c1 {state} 1",)} if item else {}
        )

    charge(database, stands)
    with ask(database) as connection:
        # Charged, it is rated and not invoiced.
        assert listed(connection, "2026-03") == {"unbilled": ("partner/NL-TNM/c1 1",)}


def listed(connection: psycopg.Connection[object], month: str) -> dict[str, tuple[str, ...]]:
    """Return what a month's checklist has of this, by item."""
    looking = MonthGathering(connection, PeriodScope(connection, "depot", month), replay=None)
    found = looking.checklist()
    assert sum(Decimal(each.count) for each in found) <= 1
    return {each.item: each.shown for each in found if each.shown}
