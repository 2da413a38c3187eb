"""What the listed sessions cost: final as rated, so far while they are open."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from deploy.cli import run
from deploy.settings import NAMES
from ledger.books.decisions_store import rated_sessions
from ledger.declared.store import load_declarations
from ledger.rating.decisions import SessionRevision
from ledger.worker.station_now import station_now
from projections.session_costs import with_costs
from projections.sessions import SessionCost, list_sessions
from tests.charging_day import (
    MORNING,
    PARTITIONS,
    Timed,
    declare_day,
    declare_fleet,
    event201,
    everywhere,
    meter16,
    start16,
    status16,
    stop16,
    tick,
    write_log,
)
from tests.ledger.worker.told.test_told_prices import told
from tests.projections.books_of_a_day import ask, books_of_a_day, go_on

TARIFF = """
tariff: DAY
currency: EUR
vat: 19 %
elements:
  - energy: 0.40 per kWh
    parking_time: 6.00 per h
adjustments:
  - {validation: SHOP, discount: 50 %, on: [energy]}
  - {shared_cap: energy, amount: 3, on: [energy], per: day, shared_by: customer}
"""
ONE, TWO = "CS-OLD-1", "CS-NEW-1"


@pytest.fixture
def fleet(database: str) -> str:
    """The fleet with a day's cap that a customer's sessions share."""
    declare_fleet(database)
    version = declare_day(database, TARIFF)
    write_log(database, list(everywhere(version, 0)))
    return database


def costs(dsn: str) -> dict[str, SessionCost | None]:
    """Return what each session costs, by its transaction."""
    with ask(dsn) as connection:
        listed = with_costs(connection, list_sessions(connection))
    return {each.session_id.split("/")[1]: each.cost for each in listed}


def gross(dsn: str, *, is_final: bool) -> dict[str, int | None]:
    found = costs(dsn).items()
    return {key: each.gross_minor for key, each in found if each and each.is_final is is_final}


UNDER_WAY = [
    start16(ONE, 1, 1, "FLEET1", 0),
    start16(ONE, 2, 2, "BEARER1", 5_000, 2),
    event201(TWO, 3, "Started", "3", 0, 0, token="FLEET1"),
    meter16(ONE, 30, 1, 3_000),
    status16(ONE, 40, "SuspendedEV", 2),
    meter16(ONE, 60, 1, 6_000),
    meter16(ONE, 65, 2, 8_000, 2),
    event201(TWO, 70, "Updated", "3", 1, 5_000),
]
STOPS = [
    stop16(ONE, 60, 1, 6_000, received=71),
    stop16(ONE, 65, 2, 8_000, received=72),
]


def test_with_the_stop_the_cost_so_far_becomes_the_cost(fleet: str) -> None:
    go_on(fleet, UNDER_WAY)
    so_far = gross(fleet, is_final=False)

    go_on(fleet, STOPS)

    # 6 kWh cost 2.40 before VAT, 3 kWh and 25 minutes of parking 3.70, 5 kWh 2.00.
    assert so_far == {"1": 286, "2": 440, "3": 238}
    assert gross(fleet, is_final=True) == {"1": 286, "2": 440}


def test_a_shared_grant_is_read_and_neither_used_nor_waited_for(fleet: str) -> None:
    go_on(fleet, UNDER_WAY)
    go_on(fleet, STOPS)
    with psycopg.connect(fleet) as worker:
        worker.execute("SET search_path = books")
        heads = worker.execute("SELECT * FROM allowance_head FOR UPDATE").fetchall()

        # Of the fleet's 3.00 the first session left 0.60, however often one asks.
        assert gross(fleet, is_final=False) == {"3": 71}
        assert gross(fleet, is_final=False) == {"3": 71}

        assert worker.execute("SELECT * FROM allowance_head").fetchall() == heads


def test_what_has_no_price_says_why_and_what_is_held_costs_nothing_yet(fleet: str) -> None:
    unknown = start16(ONE, 1, 1, "STRANGER", 0)
    lost = [start16(ONE, 2, 2, "FLEET1", 0, 2), meter16(ONE, 30, 2, 3_000, 2)]
    go_on(fleet, [unknown, *lost])
    assert costs(fleet)["1"] == SessionCost(
        is_final=False, codes=("token_unknown",), energy_wh=Decimal(0)
    )

    go_on(fleet, list(tick(3 * 24 * 60)))

    assert costs(fleet) == {"1": None, "2": None}


def test_a_rated_session_costs_what_its_decision_says(database: str) -> None:
    books_of_a_day(database)

    with ask(database) as connection:
        listed = with_costs(connection, list_sessions(connection, state="rated"))
        named = [SessionRevision(each.session_id, each.revision) for each in listed]
        decided = rated_sessions(connection, named)

    assert len(listed) == 5
    assert [each.cost and (each.cost.is_final, each.cost.gross_minor) for each in listed] == [
        (True, each.gross_minor) for each in decided
    ]


def past(sessions: int) -> list[Timed]:
    """Return sessions one after the other, a day's worth before an open one."""
    lines: list[Timed] = []
    for n in range(sessions):
        lines += [
            start16(ONE, 1 + 60 * n, 100 + n, "BEARER1", 1_000 * n),
            stop16(ONE, 50 + 60 * n, 100 + n, 1_000 * (n + 1)),
        ]
    return lines


def test_what_is_long_decided_is_not_folded_again(fleet: str) -> None:
    go_on(fleet, past(20))
    go_on(fleet, [start16(ONE, 1_300, 1, "FLEET1", 20_000), meter16(ONE, 1_330, 1, 23_000)])

    with ask(fleet) as connection:
        now = station_now(connection, load_declarations(connection), ONE, MORNING)

    # A start and a reading; all twenty others ended more than two hours before.
    assert [row.transaction_ref for row in now.unfinished] == ["1"]
    assert now.facts == 2
    assert gross(fleet, is_final=False) == {"1": 143}


def test_the_command_shows_final_costs_and_those_so_far(
    fleet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", fleet)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path))
    monkeypatch.setenv("WATTLEDGER_PARTITIONS", str(PARTITIONS))
    stranger = start16("CS-OLD-2", 1, 4, "STRANGER", 0)
    go_on(fleet, [*UNDER_WAY, stranger])
    go_on(fleet, STOPS[:1])
    go_on(fleet, [told(ONE, 80, "1", "2.90")])

    assert run(["sessions", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    listed = {each["transaction_id"]: each["cost"] for each in found}
    assert run(["sessions"]) == 0
    table = capsys.readouterr().out

    assert listed["1"]["is_final"] is True
    assert listed["2"] == {
        "is_final": False,
        "until": "2026-03-02T08:05:00Z",
        "currency": "EUR",
        "net_minor": 370,
        "tax_minor": 70,
        "gross_minor": 440,
        "energy_wh": "3000",
        "codes": [],
    }
    assert listed["4"]["codes"] == ["token_unknown"]
    assert "2.86 EUR " in table
    assert "4.40 EUR so far" in table
    assert "none yet: token_unknown" in table
    assert {each["transaction_id"]: each["told_gross"] for each in found}["1"] == "2.90"
    assert "was told 2.90 EUR after its end, it is rated at 2.86 EUR." in " ".join(table.split())
