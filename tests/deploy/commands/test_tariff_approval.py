"""Tariff versions with four eyes: proposed by one person, in force once another approved them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.cli import WRONG, run
from deploy.running.opening import prepare
from deploy.settings import NAMES, Settings
from ledger.approvals.approvals import ContendedTariffError, NothingPendingError, TariffApprovals
from ledger.approvals.english import reason_of
from ledger.approvals.record import (
    MOVES,
    ChangedTextError,
    FourEyesError,
    IllegalTariffMoveError,
    TariffAct,
    TariffRecord,
    TariffState,
)
from ledger.books.feed import DESK_PARTITION, read_feed
from ledger.database import connect
from ledger.declared.declarations import Kind
from ledger.declared.store import InvalidDeclarationError, load_declarations
from ledger.desk.apply import apply_files
from ledger.desk.approvals import (
    NothingInForceError,
    StillAssignedError,
    TariffDesk,
    tariff_desk,
)
from ledger.desk.drafting.variance import VarianceError
from ledger.desk.publish import Holding, SecondPairOfEyesError, publish_files
from ledger.log.postgres import PostgresEventLog
from ledger.master_data.assignments import Assignment, SessionLimits

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
SITE = """
legal_entities:
  acme: {name: Acme, country: NO, time_zone: Europe/Oslo, invoice_prefix: AC,
    vat_id: NO123456785MVA}
sites:
  fjord: {time_zone: Europe/Oslo, country: NO, legal_entity: acme, currency: NOK}
stations:
  F-1: {site: fjord}
"""
POLICY = "policy: {four_eyes: true}"
FJORD = (Assignment(tariff="tou", site="fjord"),)


def text(price: str = "4.50") -> str:
    return f"tariff: tou\ncurrency: NOK\nvat: 25 %\nelements:\n  - energy: {price} per kWh\n"


@pytest.fixture
def connection(database: str, tmp_path: Path) -> Iterator[psycopg.Connection[Any]]:
    prepare(database, Settings(data=tmp_path, partitions=3))
    with connect(database) as connection, PostgresEventLog(database) as log:
        files = [(SITE, "site.yaml"), (POLICY, "policy.yaml")]
        apply_files(connection, files, log=log, by="root", at=NOW)
        yield connection


@pytest.fixture
def log(database: str) -> Iterator[PostgresEventLog]:
    with PostgresEventLog(database) as log:
        yield log


@pytest.fixture
def desk(connection: psycopg.Connection[Any], log: PostgresEventLog) -> Iterator[TariffDesk]:
    with tariff_desk(connection, log) as desk:
        yield desk


def price_at(connection: psycopg.Connection[Any], at: datetime) -> str | None:
    found = load_declarations(connection).tariff_for("F-1", None, at)
    if found is None:
        return None
    return str(found.version.tariff.elements[0].price_components[0].price)


def decided(connection: psycopg.Connection[Any]) -> list[tuple[object, ...]]:
    """Return what stands in the feed."""
    return [each[2:] for each in read_feed(connection, DESK_PARTITION, start=1, limit=100)]


def test_a_version_prices_nothing_before_somebody_else_approved_it(
    connection: psycopg.Connection[Any], desk: TariffDesk
) -> None:
    desk.propose([(text(), "tou.yaml")], FJORD, by="anna", at=NOW)
    assert price_at(connection, LATER) is None

    record = desk.approve("tou", by="ben", at=LATER, sha256=None)

    assert price_at(connection, LATER - timedelta(seconds=1)) is None
    assert price_at(connection, LATER) == "4.5"
    assert (record.author, record.approved_by, record.approved_at) == ("anna", "ben", LATER)
    [who] = connection.execute("SELECT DISTINCT declared_by FROM declaration WHERE kind='tariff'")
    assert who == ("anna and ben",)


def test_a_new_price_keeps_the_limits_of_the_place(
    connection: psycopg.Connection[Any], desk: TariffDesk
) -> None:
    def approved(price: str, assigned: Assignment, at: datetime) -> SessionLimits:
        desk.propose([(text(price), "tou.yaml")], [assigned], by="anna", at=at)
        desk.approve("tou", by="ben", at=at, sha256=None)
        found = load_declarations(connection).tariff_for("F-1", None, at)
        assert found is not None
        return found.assignment.limits

    limits, others = SessionLimits(max_time_s=60), SessionLimits(max_cost=Decimal(9))
    first = approved("4.50", FJORD[0].with_limits(limits), NOW)
    second = approved("5.50", FJORD[0], LATER)
    third = approved("6.50", FJORD[0].with_limits(others), APRIL)

    assert (first, second, third) == (limits, limits, others)


@pytest.mark.parametrize("by", ["anna", " Anna "])
def test_nobody_approves_their_own_proposal(desk: TariffDesk, by: str) -> None:
    desk.propose([(text(), "tou.yaml")], FJORD, by="anna", at=NOW)

    with pytest.raises(FourEyesError):
        desk.approve("tou", by=by, at=LATER, sha256=None)


def test_a_text_that_changed_since_it_was_read_is_not_approved(
    connection: psycopg.Connection[Any], desk: TariffDesk
) -> None:
    [read] = desk.propose([(text("4.50"), "tou.yaml")], FJORD, by="anna", at=NOW)
    desk.propose([(text("9.50"), "tou.yaml")], FJORD, by="anna", at=NOW)

    with pytest.raises(ChangedTextError):
        desk.approve("tou", by="ben", at=LATER, sha256=read.sha256[:12])

    assert price_at(connection, LATER) is None
    assert desk.approve("tou", by="ben", at=LATER, sha256=None).number == 2
    assert price_at(connection, LATER) == "9.5"


def test_a_version_holds_from_the_date_that_was_proposed(
    connection: psycopg.Connection[Any], desk: TariffDesk
) -> None:
    desk.propose([(text(), "tou.yaml")], FJORD, by="anna", at=NOW, holds_from=APRIL)
    desk.approve("tou", by="ben", at=LATER, sha256=None)

    assert price_at(connection, APRIL - timedelta(seconds=1)) is None
    assert price_at(connection, APRIL) == "4.5"


def test_an_approval_never_reaches_back(
    connection: psycopg.Connection[Any], desk: TariffDesk
) -> None:
    desk.propose([(text(), "tou.yaml")], FJORD, by="anna", at=NOW, holds_from=NOW)
    record = desk.approve("tou", by="ben", at=LATER, sha256=None)

    assert record.holds_from == LATER
    assert price_at(connection, NOW) is None


def test_the_same_proposal_is_made_once_and_what_holds_is_not_proposed(desk: TariffDesk) -> None:
    [first] = desk.propose([(text(), "tou.yaml")], FJORD, by="anna", at=NOW)
    [again] = desk.propose([(text(), "tou.yaml")], FJORD, by="anna", at=NOW)
    assert again.id == first.id

    desk.approve("tou", by="ben", at=LATER, sha256=None)

    assert desk.propose([(text(), "tou.yaml")], FJORD, by="anna", at=LATER) == ()


def test_a_rejected_version_is_over(desk: TariffDesk) -> None:
    desk.propose([(text(), "tou.yaml")], FJORD, by="anna", at=NOW)
    desk.reject("tou", by="ben", at=LATER, reason="too dear")

    with pytest.raises(NothingPendingError):
        desk.approve("tou", by="ben", at=LATER, sha256=None)


def test_a_newer_proposal_takes_the_place_of_one_that_waits_and_says_which(
    database: str, desk: TariffDesk
) -> None:
    desk.propose([(text("4.50"), "tou.yaml")], FJORD, by="anna", at=NOW)
    desk.propose([(text("9.50"), "tou.yaml")], FJORD, by="anna", at=LATER)

    with TariffApprovals(database) as approvals:
        first, second = approvals.versions("tou")

    assert (first.state, first.reason, first.replaced_by) == ("rejected", "", 2)
    assert reason_of(first) == "replaced by version 2"
    assert (second.state, reason_of(second)) == ("proposed", None)
    assert reason_of(desk.reject("tou", by="ben", at=LATER, reason="too dear")) == "too dear"


def test_an_assignment_to_nowhere_is_refused_before_anybody_approves(desk: TariffDesk) -> None:
    nowhere = (Assignment(tariff="tou", site="atlantis"),)

    with pytest.raises(InvalidDeclarationError, match="no site 'atlantis'"):
        desk.propose([(text(), "tou.yaml")], nowhere, by="anna", at=NOW)


def test_a_tariff_retires_on_its_date_once_somebody_else_approved_that(
    connection: psycopg.Connection[Any], desk: TariffDesk
) -> None:
    desk.propose([(text(), "tou.yaml")], by="anna", at=NOW)
    desk.approve("tou", by="ben", at=NOW, sha256=None)

    asked = desk.retire("tou", by="ben", at=LATER, holds_until=APRIL)
    assert asked.record is not None
    assert asked.record.state == TariffState.RETIRING
    with pytest.raises(FourEyesError):
        desk.approve("tou", by="ben", at=LATER, sha256=None)
    desk.approve("tou", by="anna", at=LATER, sha256=None)

    known = load_declarations(connection)
    assert known.tariff("tou", APRIL - timedelta(seconds=1)) is not None
    assert known.tariff("tou", APRIL) is None
    with pytest.raises(NothingInForceError):
        desk.retire("tou", by="ben", at=APRIL, holds_until=None)


def test_a_tariff_that_is_assigned_does_not_retire(desk: TariffDesk) -> None:
    desk.propose([(text(), "tou.yaml")], FJORD, by="anna", at=NOW)
    desk.approve("tou", by="ben", at=NOW, sha256=None)

    with pytest.raises(StillAssignedError, match="tariff tou still prices"):
        desk.retire("tou", by="anna", at=LATER, holds_until=APRIL)


def test_a_version_from_before_four_eyes_retires_with_four(
    connection: psycopg.Connection[Any], log: PostgresEventLog
) -> None:
    _policy(connection, four_eyes=False)
    publish_files(
        connection, [(text(), "tou.yaml")], log=log, by="anna", at=NOW + timedelta(hours=2)
    )
    _policy(connection, four_eyes=True, hours=3)
    with tariff_desk(connection, log) as desk:
        desk.retire("tou", by="anna", at=LATER, holds_until=None)
        assert load_declarations(connection).tariff("tou", LATER) is not None
        record = desk.approve("tou", by="ben", at=LATER, sha256=None)

    assert load_declarations(connection).tariff("tou", LATER) is None
    assert decided(connection) == [("retired", "tou", 1, record.sha256)]


def test_who_publishes_alone_says_why_where_the_policy_wants_it(
    connection: psycopg.Connection[Any], log: PostgresEventLog
) -> None:
    _policy(connection, four_eyes=False, more=", variance_percent: 10")
    files = [(text(), "tou.yaml")]
    with pytest.raises(VarianceError, match="nobody tried"):
        publish_files(connection, files, log=log, by="anna", at=LATER)
    publish_files(connection, files, log=log, by="anna", at=LATER, reason="the first one")
    # What is so already moves nothing.
    publish_files(connection, files, log=log, by="anna", at=LATER)
    there = Holding(assignments=FJORD)
    with pytest.raises(VarianceError, match="other places"):
        publish_files(connection, files, log=log, by="anna", at=LATER, holding=there)

    known = load_declarations(connection)
    assert known.tariff("tou", LATER) is not None
    assert known.in_force(Kind.ASSIGNMENT, "site=fjord", LATER) is None


def test_with_one_pair_of_eyes_a_tariff_is_published_and_retired_at_once(
    connection: psycopg.Connection[Any], log: PostgresEventLog
) -> None:
    with pytest.raises(SecondPairOfEyesError):
        publish_files(connection, [(text(), "tou.yaml")], log=log, by="anna", at=NOW)
    _policy(connection, four_eyes=False)

    publish_files(connection, [(text(), "tou.yaml")], log=log, by="anna", at=LATER)
    with tariff_desk(connection, log) as desk:
        assert desk.retire("tou", by="anna", at=LATER, holds_until=APRIL).record is None

    known = load_declarations(connection)
    assert known.tariff("tou", LATER) is not None
    assert known.tariff("tou", APRIL) is None


def test_what_a_crash_left_between_approval_and_declaration_is_finished(
    connection: psycopg.Connection[Any], desk: TariffDesk, database: str, log: PostgresEventLog
) -> None:
    desk.propose([(text(), "tou.yaml")], FJORD, by="anna", at=NOW)
    with TariffApprovals(database) as approvals:
        record = approvals.pending("tou")
        record.approve(by="ben", at=LATER, sha256=record.sha256)
        approvals.keep(record)
    assert price_at(connection, LATER) is None

    assert decided(connection) == []

    with tariff_desk(connection, log):
        pass

    assert price_at(connection, LATER) == "4.5"
    assert decided(connection) == [("approved", "tou", 1, record.sha256)]


def test_what_a_crash_left_between_declaration_and_record_has_one_number_in_the_feed(
    connection: psycopg.Connection[Any],
    log: PostgresEventLog,
    desk: TariffDesk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk.propose([(text(), "tou.yaml")], FJORD, by="anna", at=NOW)

    def crash(*_: object) -> None:
        raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(TariffRecord, "declared", crash)
        with pytest.raises(InterruptedError):
            desk.approve("tou", by="ben", at=LATER, sha256=None)
    before = decided(connection)

    with tariff_desk(connection, log):
        pass

    assert len(before) == 1
    assert decided(connection) == before


def test_two_people_who_decide_at_once_do_not_both(desk: TariffDesk, database: str) -> None:
    desk.propose([(text(), "tou.yaml")], FJORD, by="anna", at=NOW)
    with TariffApprovals(database) as approvals:
        stale = approvals.pending("tou")
        desk.reject("tou", by="ben", at=NOW, reason="too dear")
        stale.approve(by="cora", at=NOW, sha256=stale.sha256)
        with pytest.raises(ContendedTariffError):
            approvals.keep(stale)


@pytest.mark.parametrize(
    ("state", "act"), [(s, a) for s in TariffState for a in TariffAct if (s, a) not in MOVES]
)
def test_every_other_move_is_refused(
    desk: TariffDesk, database: str, state: TariffState, act: TariffAct
) -> None:
    desk.propose([(text(), "tou.yaml")], by="anna", at=NOW)
    with TariffApprovals(database) as approvals:
        record = approvals.pending("tou")
    record.state = state.value

    acts: dict[TariffAct, Callable[[], None]] = {
        TariffAct.APPROVE: lambda: record.approve(by="ben", at=NOW, sha256=record.sha256),
        TariffAct.REJECT: lambda: record.reject(by="ben", at=NOW, reason="no"),
        TariffAct.RETIRE: lambda: record.retire(by="ben", at=NOW, holds_until=None),
    }
    with pytest.raises(IllegalTariffMoveError):
        acts[act]()


def test_the_commands_take_a_tariff_from_proposal_to_force(
    connection: psycopg.Connection[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", connection.info.dsn)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path))
    file = tmp_path / "tou.yaml"
    file.write_text(text())

    assert run(["tariff", "publish", str(file), "--by", "anna", "--site", "fjord", "--json"]) == 0
    [proposed] = json.loads(capsys.readouterr().out)
    assert run(["tariff", "approve", "tou", "--by", "anna"]) == WRONG
    assert "somebody else has to approve it" in capsys.readouterr().err
    assert run(["tariff", "approve", "tou", "--file", str(file), "--by", "ben"]) == 0
    assert run(["tariff", "versions"]) == 0

    assert "approved" in capsys.readouterr().out
    assert proposed["assignments"] == ["site=fjord"]
    assert proposed["tariff"]["id"] == "tou"
    assert price_at(connection, datetime.now(UTC)) == "4.5"


def _policy(
    connection: psycopg.Connection[Any], *, four_eyes: bool, hours: int = 1, more: str = ""
) -> None:
    policy = f"policy: {{four_eyes: {str(four_eyes).lower()}{more}}}"
    at = NOW + timedelta(hours=hours)
    with PostgresEventLog(connection.info.dsn) as log:
        apply_files(connection, [(policy, "policy.yaml")], log=log, by="root", at=at)
