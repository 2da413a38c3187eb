"""What a month's checklist lists: each item, and a thing on either side of its border."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from ledger.database import connect, dsn_of
from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.declared.store import declare, load_declarations
from ledger.desk.closing.legal_entity import UndeclaredEntityError
from ledger.invoices.refusals.refused import refused_documents
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.sites import Site
from ledger.master_data.stations import Station
from ledger.periods.record import ChecklistItem
from projections.closing.checklist import MEANINGS, SHOWN_MAX
from projections.closing.gathering import MonthGathering
from projections.closing.period_scope import PeriodScope
from projections.replay.replay import ReplayDifference, ReplayReport
from tests.charging_day import (
    MORNING,
    charging_day,
    declare_fleet,
    event201,
    tick,
    write_log,
)
from tests.faults.broken_books import work as work_only
from tests.ledger.desk.closing.books_of_march import (
    ENTITY,
    HOUR,
    MARCH,
    MARCH_ENDS,
    books_of_march,
    minutes,
)
from tests.ledger.worker.judged.test_corrections import said
from tests.projections.books_of_a_day import tamper, work


@pytest.fixture
def books(database: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(books_of_march(database)) as connection:
        yield connection


def items(
    connection: psycopg.Connection[Any],
    month: str = MARCH,
    replay: ReplayReport | None = None,
    only: str | None = None,
) -> dict[str, ChecklistItem]:
    scope = PeriodScope(connection, None, month)
    looking = MonthGathering(connection, scope, replay=None if replay is None else lambda: replay)
    found = looking.checklist(only=only)
    return {each.item: each for each in found}


def report(differences: int, *keys: str) -> ReplayReport:
    return ReplayReport(
        lines=1,
        compared=9,
        differences=differences,
        compared_by_kind={},
        shown=tuple(
            ReplayDifference(what="decision", key=key, kept="a", again="b") for key in keys
        ),
    )


def test_the_day_leaves_what_is_held_and_nothing_else(books: psycopg.Connection[Any]) -> None:
    found = items(books, replay=report(0))

    assert list(found) == list(MEANINGS)
    assert {name for name, each in found.items() if not each.is_empty} == {"held"}
    assert found["held"].shown == (
        "CS-NEW-2/B/20260302T071000Z held 1",
        "CS-OLD-2/22/20260302T082000Z held 1",
    )


def test_of_february_nothing_is_left(books: psycopg.Connection[Any]) -> None:
    assert all(each.is_empty for each in items(books, "2026-02", report(0)).values())


@pytest.mark.parametrize(
    ("ended", "march", "april"),
    [
        pytest.param(MARCH_ENDS - HOUR / 3600, 3, 3, id="a second before the month ends"),
        pytest.param(MARCH_ENDS, 2, 3, id="as it ends"),
    ],
)
def test_a_held_session_is_of_the_month_in_which_it_ended(
    database: str, ended: datetime, march: int, april: int
) -> None:  # fmt: skip
    books_of_march(database)
    at = minutes(ended)
    # A message is missing in between.
    gap = [
        event201("CS-NEW-1", at - 20, "Started", "G", 0, 0, token="FLEET1"),
        event201("CS-NEW-1", at, "Ended", "G", 2, 3000),
    ]
    write_log(database, [*gap, *tick(at + 200)], lines_a_record=1)
    work(database)

    with connect(database) as connection:
        assert items(connection, only="held")["held"].count == march
        assert items(connection, "2026-04", only="held")["held"].count == april


def test_a_session_that_waits_is_listed_until_it_is_rated_or_held(database: str) -> None:
    version = declare_fleet(database)
    day = charging_day(version)
    ended = event201("CS-NEW-1", 300, "Ended", "G", 2, 3000)
    begun = event201("CS-NEW-1", 280, "Started", "G", 0, 0, token="FLEET1")
    write_log(database, [*day, begun, ended], lines_a_record=1)
    work(database)

    with connect(database) as connection:
        found = items(connection, only="waiting")["waiting"]
        assert found.shown == ("CS-NEW-1/G/20260302T114000Z waiting 1",)
        assert items(connection, "2026-02", only="waiting")["waiting"].is_empty


def test_what_has_no_invoice_is_listed_and_changes_the_digest(database: str) -> None:
    write_log(database, charging_day(declare_fleet(database)))
    work_only(database)
    with connect(database) as connection:
        before = items(connection, only="unbilled")["unbilled"]
        work(database)
        # Monthly ones wait for the month's end.
        after = items(connection, only="unbilled")["unbilled"]
    assert before.count == 5
    assert after.shown == ("CS-OLD-2/21/20260302T070300Z 1",)
    assert before.digest != after.digest


def test_a_document_that_is_refused_keeps_its_sessions_on_the_list(database: str) -> None:
    write_log(database, charging_day(declare_fleet(database)))
    with connect(database) as connection:
        [seller] = load_declarations(connection).history(Kind.LEGAL_ENTITY, ENTITY)
        assert isinstance(seller.entity, LegalEntity)
        miscopied = replace(seller.entity, vat_id="DE136695978")
        change = Change(kind=Kind.LEGAL_ENTITY, key=ENTITY, entity=miscopied)
        declare(connection, [change], by="test", at=MORNING)
        work(database)
        unbilled = items(connection, only="unbilled")["unbilled"]
        refused = refused_documents(connection, limit=9)

    assert unbilled.count == 5
    assert len(refused) == 4, "the fleet's month is not over"
    assert all("DE136695978" in each.why for each in refused)


def test_more_than_is_shown_is_counted_and_hashed(books: psycopg.Connection[Any]) -> None:
    aside = "INSERT INTO line_set_aside VALUES (0, {}, 0, 'CS-OLD-1', {}, 'not_folded', 'why')"
    for position in range(SHOWN_MAX + 1):
        books.execute(aside.format(position, position).encode())
    found = items(books, only="set_aside")["set_aside"]
    assert (found.count, len(found.shown)) == (SHOWN_MAX + 1, SHOWN_MAX)
    books.execute("UPDATE line_set_aside SET taken_at = 99 WHERE position = %s", (SHOWN_MAX,))
    fewer = items(books, only="set_aside")["set_aside"]
    assert fewer.shown == found.shown
    assert fewer.digest != found.digest


def test_a_gap_in_the_numbers_is_listed(books: psycopg.Connection[Any]) -> None:
    assert items(books, only="numbers")["numbers"].is_empty
    tamper(
        dsn_of(books),
        "DELETE FROM issued_invoice WHERE number = (SELECT min(number) FROM issued_invoice)",
    )
    [line] = items(books, only="numbers")["numbers"].shown
    assert line.startswith("invoices 2026: ")
    assert "1 gaps" in line


def test_a_day_that_does_not_add_up_is_listed(books: psycopg.Connection[Any]) -> None:
    assert items(books, only="energy")["energy"].is_empty
    more = "UPDATE energy_day SET billed_wh = billed_wh + 1 WHERE station_id = 'CS-OLD-1'"
    tamper(dsn_of(books), more)
    assert items(books, only="energy")["energy"].shown == ("CS-OLD-1 2026-03-02 -1 Wh",)
    assert items(books, "2026-04", only="energy")["energy"].is_empty


def test_a_replay_that_differs_is_listed_and_one_that_was_not_made_is_not_empty(
    books: psycopg.Connection[Any],
) -> None:
    unmade = items(books, only="replay")["replay"]
    differing = items(books, replay=report(2, "a"), only="replay")["replay"]
    otherwise = items(books, replay=report(2, "b"), only="replay")["replay"]

    assert (unmade.is_checked, unmade.is_empty) == (False, False)
    assert (differing.count, differing.shown) == (2, ("decision a",))
    assert len({unmade.digest, differing.digest, otherwise.digest}) == 3


def test_stations_of_another_legal_entity_are_its_matter(books: psycopg.Connection[Any]) -> None:
    other = LegalEntity(
        name="O",
        country="DE",
        time_zone="Europe/Berlin",
        invoice_prefix="O",
        vat_id="DE136695976",
    )
    site = Site(time_zone="Europe/Berlin", country="DE", legal_entity="other", currency="EUR")
    declare(
        books,
        [
            Change(kind=Kind.LEGAL_ENTITY, key="other", entity=other),
            Change(kind=Kind.SITE, key="lot", entity=site),
            Change(kind=Kind.STATION, key="CS-NEW-2", entity=Station(site="lot")),
        ],
        by="test",
        at=MORNING,
    )
    day = MORNING.date()
    with pytest.raises(UndeclaredEntityError, match="say --legal-entity ID: there are other, watt"):
        PeriodScope(books, None, MARCH)
    with pytest.raises(UndeclaredEntityError, match="there is no legal entity nobody"):
        PeriodScope(books, "nobody", MARCH)
    own, others = PeriodScope(books, ENTITY, MARCH), PeriodScope(books, "other", MARCH)
    assert [each.has_station("CS-NEW-1", day) for each in (own, others)] == [True, False]
    assert [each.has_station("CS-NEW-2", day) for each in (own, others)] == [False, True]
    # Of one that nobody declared, both have to look.
    assert [each.has_station("CS-GONE", day) for each in (own, others)] == [True, True]


def test_a_month_ends_by_the_calendar_of_its_legal_entity(books: psycopg.Connection[Any]) -> None:
    scope = PeriodScope(books, None, MARCH)

    assert scope.ends == MARCH_ENDS
    assert (scope.begins.isoformat(), scope.last_day.day) == ("2026-03-01T00:00:00+01:00", 31)


def test_a_correction_without_its_credit_note_is_unbilled(books: psycopg.Connection[Any]) -> None:
    dsn = dsn_of(books)
    whole = [
        event201("CS-NEW-1", 400, "Started", "C", 0, 5000, token="FLEET1"),
        said(430, "Charging", 8000),
        event201("CS-NEW-1", 460, "Ended", "C", 0, 9000),
    ]
    write_log(dsn, whole)
    work(dsn)
    assert items(books, only="unbilled")["unbilled"].is_empty
    # The vehicle was full for twenty minutes.
    late = said(440, "SuspendedEV", 9000, received=minutes(MARCH_ENDS + 5 * HOUR))
    write_log(dsn, [late])
    work(dsn)
    found = items(books, only="unbilled")["unbilled"]
    assert found.shown == ("CS-NEW-1/C/20260302T134000Z 2",)
    # An hour later what it was billed at is credited, and what it costs is billed.
    write_log(dsn, [*tick(minutes(MARCH_ENDS + 7 * HOUR))])
    work(dsn)
    assert items(books, only="unbilled")["unbilled"].is_empty
