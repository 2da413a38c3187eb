"""What is told of decisions: all of them, exactly, by the schema, and of nobody by name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from deploy.running.opening import prepare
from deploy.settings import Settings
from ledger.books.feed import DESK_PARTITION, feed_partitions, read_feed
from ledger.books.prepayments import Prepayment, record_prepayment
from ledger.database import connect
from ledger.desk.apply import apply_files
from ledger.desk.approvals import TariffDesk, tariff_desk
from ledger.desk.publish import publish_files
from ledger.desk.settling.desk import settlement_desk
from ledger.log.postgres import PostgresEventLog
from ledger.rating.decisions import Decision, SessionHeld, SessionRated, hash_decision
from ledger.rating.stored import PACKING, unpack_decision
from ledger.settlements.record import IllegalSettlementMoveError
from projections.publishing import desk_events
from projections.publishing.event_kinds import kind_of_event
from projections.publishing.event_types import DecisionEvent
from projections.publishing.making import Numbered, amount, encode_event, numeral
from projections.publishing.session_events import session_event
from tariffs.phrases.phrase import phrase
from tests.charging_day import choose
from tests.ledger.settlements.partner_cdrs import (
    IN_APRIL,
    MARCH,
    PARTNER,
    declare_partner,
    received_cdr,
    sent_cdr,
)
from tests.projections.books_of_a_day import ask, books_of_a_day, go_on
from tests.projections.publishing.events_read import as_json, assert_fit, events_told

NOW = datetime(2026, 3, 20, 9, 0, tzinfo=UTC)
HELD = "CS-OLD-2/22/20260302T082000Z"


@pytest.fixture
def books(database: str) -> str:
    """A day's books, in which a session was held and then released by a person."""
    dsn = books_of_a_day(database)
    go_on(dsn, [choose(HELD, "release", 300)])
    return dsn


def decisions(dsn: str) -> dict[str, tuple[Decision, str]]:
    """Return each decision about a session, and its hash, by the id of its event."""
    query = "SELECT partition, number, body FROM session_decision"
    with ask(dsn) as connection:
        rows: list[Any] = connection.execute(query).fetchall()
    return {
        f"feed/{partition}/{number}": (unpack_decision(body), hash_decision(PACKING.unpack(body)))
        for partition, number, body in rows
    }


def of_sessions(events: list[DecisionEvent]) -> list[Any]:
    return [as_json(each) for each in events if kind_of_event(each).startswith("session.")]


def test_every_decision_of_the_feed_is_told_once_under_its_number(books: str) -> None:
    events = events_told(books)

    with connect(books) as connection:
        feed = [
            f"feed/{partition}/{entry.number}"
            for partition in feed_partitions(connection)
            for entry in read_feed(connection, partition, start=1, limit=1000)
        ]
    assert [event.id for event in events] == feed
    assert {kind_of_event(event) for event in events} == {
        "session.rated", "session.released", "session.held", "invoice.issued",
    }  # fmt: skip
    assert_fit(events)
    assert events_told(books) == []


def test_money_energy_and_times_are_those_of_the_decision(books: str) -> None:
    known, seen = decisions(books), set[type]()
    for event in of_sessions(events_told(books)):
        decision, sha256 = known[event["id"]]
        said = event["body"]
        seen.add(type(decision))
        assert (event["sha256"], event["key"]) == (sha256, decision.session_id)
        assert datetime.fromisoformat(event["decided_at"]) == decision.moment.at
        assert event["decided_at"].endswith("Z")
        assert said["flags"] == list(decision.flags)
        if isinstance(decision, SessionRated):
            price = {key: Decimal(each) for key, each in said["price"].items() if key[0] != "c"}
            owed = {"net": decision.net_minor, "tax": decision.tax_minor}
            owed["gross"] = decision.net_minor + decision.tax_minor
            assert price == {key: Decimal(minor).scaleb(-2) for key, minor in owed.items()}
            assert said["price"]["currency"] == "EUR"
            assert Decimal(said["energy_wh"]) == decision.energy_wh
            assert Decimal(said["billed_wh"]) + Decimal(said["free_wh"]) == decision.energy_wh
            assert datetime.fromisoformat(said["ended_at"]) == decision.ended_at
            assert (said["token"], said["payer"]["party"]) == (
                decision.token_uid, decision.payer.party,
            )  # fmt: skip
        elif isinstance(decision, SessionHeld):
            assert said["reasons"] == list(dict.fromkeys(e.code for e in decision.reasons))
    assert seen == {SessionRated, SessionHeld}


def test_a_held_session_is_released_under_the_same_key_and_written_off_is_told(
    database: str,
) -> None:
    dsn = books_of_a_day(database)
    go_on(dsn, [choose(HELD, "write_off", 300)])

    events = events_told(dsn)
    told = [each for each in of_sessions(events) if each["key"] == HELD]

    assert [each["kind"] for each in told] == ["session.held", "session.written_off"]
    assert told[1]["body"]["energy_wh"] == told[0]["body"]["energy_wh"]
    assert_fit(events)


def test_an_invoice_is_told_with_what_it_bills(books: str) -> None:
    told = [as_json(each) for each in events_told(books) if each.source == "feed/-1"]
    with ask(books) as connection:
        issued: list[Any] = connection.execute(
            "SELECT number, legal_entity, customer, due_minor, issued_on, issued_at, sha256"
            " FROM issued_invoice ORDER BY number"
        ).fetchall()
        billed: list[Any] = connection.execute(
            "SELECT number, session_id, revision FROM invoiced_session"
        ).fetchall()

    assert [each["key"] for each in told] == [row[0] for row in issued]
    assert sum(len(each["body"]["sessions"]) for each in told) == len(billed)
    for event, (number, entity, customer, due, on, at, sha256) in zip(told, issued, strict=True):
        said = event["body"]
        assert (said["number"], said["legal_entity"], said["customer"]) == (
            number, entity, customer,
        )  # fmt: skip
        assert Decimal(said["total"]["due"]) == Decimal(due).scaleb(-2)
        assert Decimal(said["total"]["gross"]) + Decimal(said["total"]["rounding"]) == Decimal(
            said["total"]["due"]
        )
        assert (said["issued_on"], said["month"]) == (on.isoformat(), None)
        assert datetime.fromisoformat(event["decided_at"]) == at
        assert event["sha256"] == sha256
        assert {(each["session_id"], each["revision"]) for each in said["sessions"]} == {
            (session_id, revision) for where, session_id, revision in billed if where == number
        }
        assert said["session_count"] == len(said["sessions"])


def test_money_that_a_customer_paid_in_advance_is_told_between_the_documents(books: str) -> None:
    before = len(events_told(books))
    wanted = Prepayment(
        legal_entity="watt",
        reference="a text by Ben",
        customer="home",
        currency="EUR",
        amount_minor=1205,
        received_at=NOW,
        recorded_by="ann",
    )
    with connect(books) as connection:
        record_prepayment(connection, wanted)
        record_prepayment(connection, wanted)
        back = wanted._replace(reference="r-2", amount_minor=-5)
        record_prepayment(connection, back)
    go_on(books, [choose("CS-NEW-2/B/20260302T071000Z", "release", 310)])

    more = events_told(books)

    assert before > 0
    told = [as_json(each) for each in more if kind_of_event(each) == "prepayment.recorded"]
    assert [(each["key"], each["body"]["amount"]) for each in told] == [
        ("home", "12.05"),
        ("home", "-0.05"),
    ]
    assert [each["body"]["number"] for each in told] == [1, 2]
    assert datetime.fromisoformat(told[0]["decided_at"]) == NOW
    assert len(more) == 4
    assert_fit(more)


def test_what_a_partner_and_we_agreed_on_is_told_once(books: str) -> None:
    before = events_told(books)
    declared = declare_partner(books)
    with connect(books) as connection, settlement_desk(connection, declared) as desk:
        sent_cdr(connection, "A", 1000)
        received_cdr(connection, "B", "3.00")
        received_cdr(connection, "C", "3.00", verdict="disputed")
        [scope] = desk.scopes(PARTNER, MARCH)
        desk.propose(scope, by="anna", at=IN_APRIL)
        proposed = events_told(books)
        agreed = desk.agree(scope, by="anna", at=IN_APRIL)
        with pytest.raises(IllegalSettlementMoveError):
            desk.agree(scope, by="ben", at=IN_APRIL)

    [event] = events_told(books)

    assert before
    assert proposed == []
    assert kind_of_event(event) == "settlement.agreed"
    assert_fit([event])
    said = as_json(event)
    assert (said["key"], said["source"]) == (agreed.record.number, "feed/-1")
    assert said["sha256"] == agreed.record.sha256
    assert datetime.fromisoformat(said["decided_at"]) == IN_APRIL
    body = said["body"]
    sides = [
        (each["cdrs"], each["net"], each["gross"]) for each in (body["sent"], body["received"])
    ]
    assert sides == [(1, "10.00", "11.90"), (1, "3.00", "3.57")]
    assert (body["partner"], body["month"], body["currency"]) == (PARTNER, MARCH, "EUR")
    assert (body["due"], body["excluded"]) == ("8.33", 1)


@pytest.mark.parametrize(("most", "named"), [(1, True), (0, False)])
def test_an_invoice_of_more_sessions_than_an_event_holds_names_none(
    books: str, monkeypatch: pytest.MonkeyPatch, most: int, *, named: bool
) -> None:
    monkeypatch.setattr(desk_events, "INVOICED_SESSIONS_MAX", most)

    first, *_ = (as_json(each)["body"] for each in events_told(books) if each.source == "feed/-1")

    assert first["session_count"] == 1
    assert (first["sessions"] is not None) == named


def test_what_is_decided_later_is_told_next_and_pages_join(
    books: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.publishing.sources.PAGE", 1)
    first = events_told(books)
    go_on(books, [choose("CS-NEW-2/B/20260302T071000Z", "release", 310)])

    more = events_told(books)

    assert {kind_of_event(each) for each in more} == {"session.released", "invoice.issued"}
    assert len({each.id for each in [*first, *more]}) == len(first) + 2


def test_an_event_does_not_grow_with_lines_and_reasons(books: str) -> None:
    numbered = Numbered("feed/0", 1)
    said = phrase("contradiction", text="Ada Byron " * 30)
    for decision, sha256 in decisions(books).values():
        large = decision
        if isinstance(decision, SessionRated):
            large = replace(decision, lines=decision.lines * 1000, notes=(said,) * 1000)
        elif isinstance(decision, SessionHeld):
            large = replace(decision, reasons=decision.reasons + (said,) * 1000)
        event = session_event(large, numbered=numbered, sha256=sha256)

        assert len(encode_event(event)) < 2000
        assert b"Ada" not in encode_event(event)


def test_numbers_are_told_with_all_their_digits() -> None:
    assert [numeral(Decimal(each)) for each in ("1E+3", "0E-7", "12.500", "-0.10")] == [
        "1000", "0", "12.5", "-0.1",
    ]  # fmt: skip
    assert [amount(-5, "EUR"), amount(1230, "JPY"), amount(1, "KWD")] == ["-0.05", "1230", "0.001"]


SITE = """
legal_entities:
  acme: {name: Acme, country: NO, time_zone: Europe/Oslo, invoice_prefix: AC,
    vat_id: NO123456785MVA}
policy: {four_eyes: true}
"""


@pytest.fixture
def connection(database: str, tmp_path: Path) -> Iterator[psycopg.Connection[Any]]:
    prepare(database, Settings(data=tmp_path, partitions=3))
    with connect(database) as connection:
        yield connection


@pytest.fixture
def log(database: str) -> Iterator[PostgresEventLog]:
    with PostgresEventLog(database) as log:
        yield log


@pytest.fixture
def desk(connection: psycopg.Connection[Any], log: PostgresEventLog) -> Iterator[TariffDesk]:
    apply_files(connection, [(SITE, "site.yaml")], log=log, by="root", at=NOW)
    with tariff_desk(connection, log) as desk:
        yield desk


def tariff(price: str, name: str = "tou") -> list[tuple[str, str]]:
    elements = f"elements:\n  - energy: {price} per kWh\n"
    return [(f"tariff: {name}\ncurrency: NOK\nvat: 25 %\n{elements}", "tou.yaml")]


def test_what_becomes_of_a_tariff_is_told_in_its_order(
    database: str, connection: psycopg.Connection[Any], desk: TariffDesk
) -> None:
    def at(minutes: int) -> datetime:
        return NOW + timedelta(minutes=minutes)

    desk.propose(tariff("1"), by="anna", at=at(0))
    desk.propose(tariff("2"), by="anna", at=at(1), holds_from=at(30))
    desk.reject("tou", by="ben", at=at(2), reason="too dear")
    desk.propose(tariff("3"), by="anna", at=at(3), holds_from=at(30))
    desk.approve("tou", by="ben", at=at(4), sha256=None)
    desk.retire("tou", by="anna", at=at(31), holds_until=at(60))
    desk.reject("tou", by="ben", at=at(32), reason="not yet")
    desk.retire("tou", by="anna", at=at(33), holds_until=at(70))
    desk.approve("tou", by="ben", at=at(34), sha256=None)

    events = events_told(database)
    told = [as_json(each) for each in events]

    assert_fit(events)
    assert {each["key"] for each in told} == {"tou"}
    assert [each["number"] for each in told] == sorted({each["number"] for each in told})
    assert [(each["kind"], each["body"]["version"]) for each in told] == [
        ("tariff.proposed", 1),
        ("tariff.replaced", 1),
        ("tariff.proposed", 2),
        ("tariff.rejected", 2),
        ("tariff.proposed", 3),
        ("tariff.approved", 3),
        ("tariff.retirement_proposed", 3),
        ("tariff.retirement_rejected", 3),
        ("tariff.retirement_proposed", 3),
        ("tariff.retired", 3),
    ]
    moments = [datetime.fromisoformat(each["decided_at"]) for each in told]
    assert moments == [at(m) for m in (0, 1, 1, 2, 3, 4, 31, 32, 33, 34)]
    starts = [each["body"].get("holds_from", "-") for each in told]
    assert starts[:6] == [None, "-", "2026-03-20T09:30:00Z", "-", *["2026-03-20T09:30:00Z"] * 2]
    assert told[1]["body"]["replaced_by"] == 2
    assert told[-1]["body"]["holds_until"] == "2026-03-20T10:10:00Z"
    # The feed has the approval and the retirement as well: they are told once.
    assert len(read_feed(connection, DESK_PARTITION, start=1, limit=9)) == 2
    assert events_told(database) == []


def test_a_tariff_that_was_published_without_approval_is_adopted_to_retire(
    database: str, connection: psycopg.Connection[Any], log: PostgresEventLog
) -> None:
    publish_files(connection, tariff("1"), log=log, by="root", at=NOW)
    apply_files(connection, [(SITE, "site.yaml")], log=log, by="root", at=NOW)
    with tariff_desk(connection, log) as desk:
        desk.retire("tou", by="anna", at=NOW, holds_until=NOW + timedelta(days=1))

    events = events_told(database)

    assert [(kind_of_event(each), each.decided_at) for each in events] == [
        ("tariff.adopted", NOW),
        ("tariff.retirement_proposed", NOW),
    ]
    assert_fit(events)
