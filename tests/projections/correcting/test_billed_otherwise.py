"""What a selection of rated sessions would cost now, and that it does once that was asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from deploy.running.turns import work_off
from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.declared.store import declare, load_declarations
from ledger.desk.corrections import correct_all
from ledger.log.envelope import Choice
from ledger.log.postgres import PostgresEventLog
from projections.correcting.differences import (
    BilledOtherwise,
    PayerTotals,
    RatedSelection,
    differences,
    selected_stations,
)
from tests.charging_day import (
    MORNING,
    charging_day,
    declare_day,
    declare_fleet,
    everywhere,
    write_log,
)
from tests.faults.broken_books import is_identical, rows, work
from tests.ledger.worker.crediting.chosen_lines import chosen_about
from tests.ledger.worker.crediting.test_taken_back import waited
from tests.projections.correcting.claimed_token import claimed_token

DAY = RatedSelection(since=MORNING - timedelta(hours=7), until=MORNING + timedelta(hours=17))


@pytest.fixture
def claimed(database: str) -> str:
    """A day whose bearer's token turns out to be the fleet's, from the day's morning on."""
    return claimed_token(database)


def found(dsn: str, selection: RatedSelection = DAY) -> list[BilledOtherwise]:
    with connect(dsn) as connection:
        known = load_declarations(connection)
        return [
            each
            for station in selected_stations(connection, selection)
            for each in differences(connection, known, selection, station)
        ]


def correct(dsn: str, differing: list[BilledOtherwise], told: Any = lambda *_: None) -> None:  # noqa: ANN401 - handed on
    choices = [
        Choice(
            received_at=datetime(2026, 3, 3, tzinfo=UTC),
            station=each.was.station_id,
            session_id=each.was.session_id,
            choice="correct",
            by="ann",
            reason="claimed",
        )
        for each in differing
    ]
    with connect(dsn) as connection, PostgresEventLog(dsn) as log:
        correct_all(connection, choices, log=log, work_off=work_off, told=told)


def test_what_would_be_billed_otherwise_is_named_and_nothing_is_decided(claimed: str) -> None:
    before = rows(claimed, "SELECT count(*) FROM session_decision")

    differing = found(claimed)

    payers = {(each.was.payer.party, each.now and each.now.payer.party) for each in differing}
    assert payers == {("bearer1", "fleet")}
    assert len(differing) == 2, "one of 1.6 and one of 2.0.1"
    assert rows(claimed, "SELECT count(*) FROM session_decision") == before


def test_each_payer_s_difference_is_what_goes_from_one_to_the_other(claimed: str) -> None:
    differing = found(claimed)
    moved = sum(each.was.gross_minor for each in differing)

    totals = PayerTotals()
    for each in differing:
        assert each.now is not None
        totals.add(each.was, each.now)
    bearer, fleet = sorted(totals.rows(), key=lambda row: row.payer)

    assert (bearer.payer, bearer.sessions, bearer.was_minor, bearer.now_minor) == (
        "bearer1", 2, moved, 0
    )  # fmt: skip
    assert (fleet.payer, fleet.sessions, fleet.was_minor, fleet.now_minor) == ("fleet", 2, 0, moved)
    assert bearer.difference_minor == -fleet.difference_minor == -moved


def test_what_was_corrected_differs_no_more_and_is_not_corrected_twice(claimed: str) -> None:
    differing, shown = found(claimed), list[tuple[int, int]]()
    correct(claimed, differing, lambda done, total: shown.append((done, total)))

    assert shown == [(2, 2)]
    assert found(claimed) == []
    corrected = "SELECT count(*) FROM session_decision WHERE kind = 'corrected'"
    assert rows(claimed, corrected) == [(2,)]
    # The same once more, as after a kill in the middle.
    correct(claimed, differing)
    assert rows(claimed, corrected) == [(2,)]
    assert is_identical(claimed)


@pytest.mark.parametrize(
    ("only", "count"),
    [
        ({"station": "CS-OLD-1"}, 1),
        ({"site": "yard"}, 2),
        ({"site": "elsewhere"}, 0),
        ({"tariff": "DAY"}, 2),
        ({"tariff": "day"}, 0),
        ({"customer": "fleet"}, 0),
        ({"until": MORNING + timedelta(minutes=2)}, 0),
        ({"until": MORNING + timedelta(minutes=2, seconds=1)}, 1),
        ({"since": MORNING + timedelta(minutes=2)}, 2),
        ({"since": MORNING + timedelta(minutes=2, seconds=1)}, 1),
    ],
    ids=str,
)
def test_a_selection_is_of_the_time_and_of_each_that_is_given(
    claimed: str, only: dict[str, Any], count: int
) -> None:
    given = {name: getattr(DAY, name) for name in DAY.__struct_fields__}

    assert len(found(claimed, RatedSelection(**(given | only)))) == count


def test_a_tariff_that_was_wrong_is_published_from_its_first_day_and_prices_its_sessions_again(
    database: str,
) -> None:
    write_log(database, charging_day(declare_fleet(database)))
    work(database)
    before = rows(database, "SELECT session_id, revision FROM session WHERE state = 'rated'")
    version = declare_day(
        database,
        "tariff: DAY\ncurrency: EUR\nvat: 19\n"
        "elements:\n  - energy: 0.20\n    parking_time: 3.00\n",
    )
    write_log(database, list(everywhere(version, 300)))
    work(database)

    differing = found(database)
    moved = {
        each.was.payer.party: (each.was.net_minor, each.now and each.now.net_minor)
        for each in differing
    }
    # Half the price; and the resident's energy, which only the first version grants, is charged.
    assert moved == {"bearer1": (420, 210), "fleet": (80, 40), "home": (0, 80)}
    correct(database, differing)

    assert found(database) == []
    corrected = {each.was.session_id for each in differing}
    assert corrected <= {session_id for session_id, _ in before}
    versions = rows(
        database,
        "SELECT DISTINCT revision FROM session WHERE session_id = ANY(ARRAY["
        + ", ".join(f"'{each}'" for each in sorted(corrected))
        + "])",
    )
    assert versions == [(2,)]
    assert is_identical(database)


def test_what_was_taken_back_is_not_billed_by_a_selection(database: str) -> None:
    waited(database)
    write_log(database, [chosen_about("take_back", 220)])
    work(database)

    assert found(database) == []


@pytest.mark.parametrize("what", ["the site's country", "the buyer's VAT id"])
def test_who_the_tax_is_owed_to_and_by_is_corrected_though_no_amount_is_another(
    database: str, what: str
) -> None:
    first = declare_fleet(database)
    known = _declare(database, Kind.CUSTOMER, "fleet", vat_id="FR61954506077", reverse_charge=True)
    write_log(database, charging_day(max(first, known)))
    work(database)
    version = (
        _declare(database, Kind.SITE, "yard", country="AT")
        if what == "the site's country"
        else _declare(database, Kind.CUSTOMER, "fleet", vat_id="IT10024740911")
    )
    write_log(database, list(everywhere(version, 300)))
    work(database)

    differing = found(database)
    told = {(each.was.payer.party, each.now and each.now.country) for each in differing}
    correct(database, differing)

    assert all(each.now and each.now.gross_minor == each.was.gross_minor for each in differing)
    assert told == (
        {("bearer1", "AT"), ("fleet", "AT"), ("home", "AT")}
        if what == "the site's country"
        else {("fleet", "DE")}
    )
    assert found(database) == []
    assert is_identical(database)


def _declare(dsn: str, kind: Kind, key: str, **fields: object) -> int:
    """Declare something that is declared as it always should have been; return the version."""
    with connect(dsn) as connection, connection.transaction():
        [*_, newest] = load_declarations(connection).history(kind, key)
        assert newest.entity is not None
        entity = replace(newest.entity, **fields)
        change = Change(kind=kind, key=key, entity=entity, valid_from=newest.valid_from)
        return declare(connection, [change], by="test", at=MORNING - timedelta(days=1))
