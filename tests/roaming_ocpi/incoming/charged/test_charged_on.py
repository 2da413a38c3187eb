"""From a partner's CDR to our customer's invoice, and back where the partner takes it back."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from psycopg import Connection

from deploy.postgres import migrate
from ingest.facts.translate import translate
from ledger.log.envelope import ChargeOn, encode_line
from ledger.log.postgres import PostgresEventLog
from ledger.rating.decisions import CorrectionCause, SessionHeld
from ledger.worker.worker import Worker
from roaming_ocpi.incoming import reading
from roaming_ocpi.incoming.charging import ChargeLines
from roaming_ocpi.incoming.reading import PartnerReader
from roaming_ocpi.incoming.rechecking import judge_all_again
from tests.faults.broken_books import asides, rows
from tests.roaming_ocpi.incoming.charged.charged_stories import (
    BY_TARIFF,
    LATER,
    MARKED_UP,
    SESSION_OF_C1,
    TNM,
    charge_all,
    decide,
    decided,
    declare_terms,
    is_replayed,
    rated,
)
from tests.roaming_ocpi.incoming.partner_stories import (
    CDR,
    PARTITIONS,
    PARTY,
    Told,
    append,
    append_lines,
    cdr_of,
    credit_of,
    declare_roaming,
    payloads,
    subject_of,
)

DOCUMENTS = "SELECT net_minor, tax_minor, credits IS NOT NULL FROM issued_invoice ORDER BY 3, 1"
TOTALS = """
SELECT account, sum(amount)::int FROM journal_entry
CROSS JOIN unnest(accounts, amounts) AS leg (account, amount) GROUP BY 1 HAVING sum(amount) <> 0
ORDER BY 1
"""
FLAGGED = cdr_of(total_energy=33.0)
"""Its periods have 32 kWh: it is paid, and somebody should look."""


@pytest.fixture
def books(database: str) -> str:
    declare_roaming(database)
    return database


def test_a_retail_tariff_prices_what_the_partner_bills(books: str) -> None:
    declare_terms(books, BY_TARIFF)
    [_, told] = append(books, Told(credit_of(id="X", credit_reference_id="?")), Told(cdr_of()))

    charge_all(books)

    [found] = rated(books)
    assert (found.net_minor, found.tax_minor) == (1600, 336)  # 32 kWh at 0.50, 21 %
    assert (found.legal_entity, found.country, found.time_zone) == (
        "harbour",
        "NL",
        "Europe/Amsterdam",
    )
    assert found.energy_wh == found.billed_wh == Decimal(32000)
    assert found.token_uid == subject_of(books)
    assert found.billing_month == "2026-03"
    assert found.elsewhere is not None
    assert (found.elsewhere.cdr_id, found.elsewhere.net) == ("C1", Decimal(8))
    assert (found.elsewhere.position, found.elsewhere.line) == (told.position, told.line)
    assert found.elsewhere.place == "Kade 1, Utrecht"
    assert rows(books, DOCUMENTS) == [(1600, 336, False)]
    assert is_replayed(books)


def test_a_price_is_passed_on_with_a_mark_up(books: str) -> None:
    declare_terms(books, MARKED_UP)
    append(books, Told(cdr_of()))

    charge_all(books)

    [found] = rated(books)
    [line] = found.lines
    assert (line.net_minor, line.tax_minor, line.tax_percent) == (880, 185, Decimal(21))
    assert line.reasons[-1].code == "passed_on"
    assert found.elsewhere is not None
    assert found.elsewhere.mark_up_percent == Decimal(10)
    assert is_replayed(books)


def test_no_price_is_passed_on_without_a_declared_vat(books: str) -> None:
    declare_terms(books, msgspec.structs.replace(MARKED_UP, passed_on_vat={"BE": Decimal(21)}))
    append(books, Told(cdr_of()))
    charge_all(books)
    [held] = decided(books)
    assert isinstance(held, SessionHeld)
    assert [(each.code, each.parameters) for each in held.reasons] == [
        ("passed_on_vat_missing", {"country": "NL"})
    ]
    assert rows(books, DOCUMENTS) == []

    declare_terms(books, MARKED_UP)
    decide(books, "C1", is_accepted=True)
    charge_all(books)

    assert [each.revision for each in decided(books)] == [1, 1]
    assert rows(books, DOCUMENTS) == [(880, 185, False)]
    assert is_replayed(books)


@pytest.mark.parametrize("charges_flagged", [False, True])
def test_what_is_flagged_waits_for_a_person_or_a_policy(
    books: str,
    charges_flagged: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    declare_terms(books, msgspec.structs.replace(MARKED_UP, charges_flagged=charges_flagged))
    append(books, Told(FLAGGED))

    charge_all(books)
    assert len(decided(books)) == charges_flagged
    decide(books, "C1", is_accepted=True)
    charge_all(books)

    found = rated(books)
    assert len(found) == 1
    release = found[0].release
    assert (release.by if release else None) == (None if charges_flagged else "anna")


@pytest.mark.parametrize("is_charged_before", [False, True])
def test_what_comes_under_its_id_again_and_does_not_count_takes_no_charge_back(
    books: str,
    is_charged_before: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """The partner is paid for the first one; or it would have our customers' money given back."""
    declare_terms(books, MARKED_UP)
    append(books, Told(cdr_of()))
    if is_charged_before:
        charge_all(books)
    append(books, Told(cdr_of(total_cost={"excl_vat": 7.0, "incl_vat": 8.4})))

    charge_all(books)

    assert [(each.revision, each.net_minor) for each in rated(books)] == [(1, 880)]
    assert rows(books, "SELECT verdict, charge_act FROM partner_cdr") == [("flagged", "charge")]
    assert is_replayed(books)


def test_a_retail_tariff_does_not_guess_an_energy(books: str) -> None:
    declare_terms(books, BY_TARIFF)
    append(books, Told(FLAGGED))
    decide(books, "C1", is_accepted=True)

    charge_all(books)

    [held] = decided(books)
    assert isinstance(held, SessionHeld)
    assert [each.code for each in held.reasons] == ["cdr_energy_unclear"]


@pytest.mark.parametrize("is_replaced_first", [False, True])
def test_a_credit_and_a_new_cdr_credit_the_customer_and_charge_anew(
    books: str,
    is_replaced_first: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    declare_terms(books, MARKED_UP)
    append(books, Told(cdr_of()))
    charge_all(books)
    smaller = cdr_of(
        id="C1-R",
        total_cost={"excl_vat": 5.0, "incl_vat": 6.0},
        charging_periods=[CDR["charging_periods"][0]],
        total_energy=20.0,
        session_id="S1-R",
    )

    both = [Told(credit_of(), at=LATER), Told(smaller, at=LATER)]
    for each in reversed(both) if is_replaced_first else both:
        append(books, each)
        charge_all(books, at=LATER + timedelta(hours=1))
    charge_all(books, at=LATER + timedelta(hours=3))  # a note waits an hour for more

    first, taken_back = rated(books)
    assert (taken_back.revision, taken_back.net_minor, taken_back.gross_minor) == (2, 0, 0)
    assert taken_back.corrects is not None
    assert taken_back.corrects.cause is CorrectionCause.PARTNER
    assert taken_back.corrects.frames[0] == (first.elsewhere.position, first.elsewhere.line)  # type: ignore[union-attr]
    [again] = rated(books, f"partner/{PARTY}/c1-r")
    assert again.net_minor == 550
    assert is_replayed(books)
    assert dict(rows(books, TOTALS))["revenue:flat"] == -550


def test_a_person_who_disputes_gives_back_and_who_accepts_charges_again(books: str) -> None:
    declare_terms(books, MARKED_UP)
    append(books, Told(cdr_of()))
    charge_all(books)

    for is_accepted in (False, False, True, True):
        decide(books, "C1", is_accepted=is_accepted)
        charge_all(books)

    found = rated(books)
    assert [(each.revision, each.net_minor) for each in found] == [(1, 880), (2, 0), (3, 880)]
    assert found[1].corrects is not None
    assert found[1].corrects.by == "anna"
    assert rows(books, "SELECT reason, lines FROM set_aside") == [("charged_on_before", 1)]
    assert is_replayed(books)


def test_what_is_disputed_is_charged_to_nobody(books: str) -> None:
    declare_terms(books, MARKED_UP)
    append(books, Told(cdr_of(total_cost={"excl_vat": 9.0, "incl_vat": 10.8})))

    charge_all(books)

    assert decided(books) == []


@pytest.mark.parametrize("records", [1, 2, 500])
def test_grouping_and_restarts_change_no_charge(
    books: str, monkeypatch: pytest.MonkeyPatch, records: int
) -> None:
    declare_terms(books, MARKED_UP)
    append(books, Told(cdr_of()), Told(cdr_of(id="C2", session_id="S2", cdr_token=OTHER)))
    append(books, Told(credit_of(), at=LATER))
    monkeypatch.setattr(reading, "GROUP_RECORDS", records)
    with PostgresEventLog(books) as log:
        for _ in range(12):
            says = ChargeLines(log, lambda: LATER)
            reader = PartnerReader(books, log=log, partitions=range(PARTITIONS), says=says)
            with closing(reader):
                reader.run_once()
        for _ in range(12):
            worker = Worker(
                books, log=log, partitions=range(PARTITIONS), translate=translate, group_records=1
            )
            with worker:
                worker.run_once()

    assert [(each.revision, each.net_minor) for each in rated(books)] == [(1, 880), (2, 0)]
    assert is_replayed(books)


OTHER = {**CDR["cdr_token"], "uid": "OTHER"}


def test_a_line_that_names_no_cdr_is_set_aside_alone(books: str) -> None:
    declare_terms(books, MARKED_UP)
    wrong = ChargeOn(
        received_at=LATER,
        party=PARTY,
        cdr_id="C1",
        position=0,
        line=0,
        act="charge",
        subject=subject_of(books),
    )
    append_lines(books, [encode_line(wrong)])
    append(books, Told(cdr_of()))

    charge_all(books)

    assert [(each[1], each[2]) for each in asides(books)] == [("not_taken", True)]
    assert [each.net_minor for each in rated(books)] == [880]
    assert is_replayed(books)


def test_what_is_taken_back_is_taken_back_once(books: str) -> None:
    declare_terms(books, MARKED_UP)
    [told] = append(books, Told(cdr_of()))
    back = ChargeOn(
        received_at=LATER,
        party=PARTY,
        cdr_id="C1",
        position=told.position,
        line=told.line,
        act="take_back",
        subject=subject_of(books),
    )
    append_lines(books, [encode_line(back)])  # of what nobody was charged
    charge_all(books)
    for _ in range(2):
        append_lines(books, [encode_line(back)])

    charge_all(books)

    assert [(each.revision, each.net_minor) for each in rated(books)] == [(1, 880), (2, 0)]
    assert rows(books, "SELECT reason, lines FROM set_aside") == [("charged_on_before", 2)]
    assert is_replayed(books)


def test_judging_again_says_nothing_anew(books: str) -> None:
    declare_terms(books, MARKED_UP)
    append(books, Told(cdr_of()))
    charge_all(books)
    before = payloads(books)

    def new_schema(connection: Connection[Any], schema: str) -> None:
        migrate.apply(connection, "books", schema=schema)

    with PostgresEventLog(books) as log:
        report = judge_all_again(books, log, new_schema=new_schema)

    assert report.different == ()
    assert payloads(books) == before
    assert rows(books, "SELECT charge_act FROM partner_cdr") == [("charge",)]


def test_a_partner_without_terms_to_charge_by_charges_nothing_in_silence(books: str) -> None:
    declare_terms(books, TNM)
    append(books, Told(cdr_of()))

    charge_all(books)

    [held] = decided(books)
    assert isinstance(held, SessionHeld)
    assert [each.code for each in held.reasons] == ["passed_on_vat_missing"]


def test_ids_of_cdrs_are_taken_for_no_revision_of_another(books: str) -> None:
    declare_terms(books, MARKED_UP)
    second = cdr_of(
        id="C1/2",
        session_id="S2",
        start_date_time="2026-03-02T15:00:00Z",
        end_date_time="2026-03-02T17:00:00Z",
        charging_periods__0__start_date_time="2026-03-02T15:00:00Z",
        charging_periods__1__start_date_time="2026-03-02T16:00:00Z",
    )
    append(books, Told(cdr_of()), Told(second, at=LATER + timedelta(hours=2)))

    charge_all(books)
    decide(books, "C1", is_accepted=False)
    decide(books, "C1", is_accepted=True)
    charge_all(books)

    assert [each.revision for each in rated(books)] == [1, 2, 3]
    assert [each.net_minor for each in rated(books, f"{SESSION_OF_C1}%2F2")] == [880]
