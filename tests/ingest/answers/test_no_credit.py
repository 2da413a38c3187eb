"""Who pays in advance starts while something is left; else no, in each version's words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.running.opening import prepare
from deploy.settings import Settings
from ingest.declared_directory import DeclaredDirectory
from ingest.prices import credit
from ledger.books.prepayments import Prepayment, record_prepayment
from ledger.database import connect
from ledger.desk.apply import apply_files
from ledger.log.envelope import Frame
from ledger.log.postgres import PostgresEventLog
from ledger.persons.holders import customer_holder
from ledger.persons.store import find
from tests.edge import PASSWORD
from tests.fakes import FixedClock
from tests.ingest.answers.test_limited_tokens import asked, authorize, event

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MASTER = f"""
valid_from: 2020-01-01T00:00:00Z
legal_entities:
  watt: {{name: Watt, country: DE, time_zone: Europe/Berlin, invoice_prefix: W,
    vat_id: DE136695976}}
sites:
  harbour: {{time_zone: Europe/Berlin, country: DE, legal_entity: watt, currency: EUR}}
stations:
  CP1: {{site: harbour, password: {PASSWORD}}}
customers:
  ada: {{name: Ada, pays_in_advance: true}}
  bob: {{name: Bob}}
tokens:
  PAYS: {{customer: ada}}
  CHILD: {{parent: PAYS}}
  BLOCKED: {{customer: ada, status: blocked}}
  OWES: {{customer: bob}}
"""


@pytest.fixture
def declared(database: str, tmp_path: Path) -> str:
    prepare(database, Settings(data=tmp_path, partitions=1))
    apply(database, MASTER)
    return database


def apply(dsn: str, text: str) -> None:
    with connect(dsn) as connection, PostgresEventLog(dsn) as log:
        apply_files(connection, [(text, "m.yaml")], log=log, by="t", at=NOON - timedelta(days=9))


@pytest.fixture
async def directory(declared: str) -> AsyncIterator[DeclaredDirectory]:
    directory = DeclaredDirectory(declared, FixedClock())
    yield directory
    await directory.close()


def pay(dsn: str, minor: int, *, currency: str = "EUR") -> None:
    with connect(dsn) as connection:
        holder = customer_holder("ada")
        ada = find(connection, [holder])[holder.kind, holder.name].id
        reference = f"{currency}{minor}"
        record_prepayment(
            connection, Prepayment("watt", reference, ada, currency, minor, NOON, "a test")
        )


def told(answers: list[dict[str, Any]]) -> list[str]:
    infos = (each.get("idTokenInfo") or each.get("idTagInfo") for each in answers)
    return [each["status"] for each in infos if each]


def recorded(lines: list[Frame]) -> list[tuple[str, str | None]]:
    found = (line.authorization for line in lines)
    return [(each.status, each.credit) for each in found if each]


def old(token: str) -> list[tuple[str, dict[str, Any]]]:
    start = {"connectorId": 1, "idTag": token, "meterStart": 1, "timestamp": "2026-03-02T12:00:00Z"}
    stop = {**start, "meterStop": 2, "transactionId": 1}
    return [
        ("Authorize", {"idTag": token}),
        ("StartTransaction", start),
        (
            "StopTransaction",
            {key: stop[key] for key in stop if key not in {"connectorId", "meterStart"}},
        ),
    ]


@pytest.mark.parametrize("token", ["PAYS", "CHILD"])
@pytest.mark.parametrize(
    ("protocol", "refused"),
    [("ocpp1.6", "Blocked"), ("ocpp2.0.1", "NoCredit"), ("ocpp2.1", "NoCredit")],
)
async def test_nothing_left_starts_nothing_and_stops_all_the_same(
    declared: str, directory: DeclaredDirectory, protocol: str, refused: str, token: str
) -> None:
    pay(declared, 10_000, currency="SEK")  # of another currency: nothing here
    calls = (
        old(token)
        if protocol == "ocpp1.6"
        else [authorize(token), event(token), event(token, "Ended")]
    )
    without, lines = await asked(declared, directory, protocol, *calls)
    pay(declared, 1)
    with_a_cent, later = await asked(declared, directory, protocol, *calls)

    assert told(without) == [refused, refused, "Accepted"]
    assert told(with_a_cent) == ["Accepted"] * 3
    assert recorded(lines) == [("no_credit", None)] * 2 + [("accepted", None)]
    assert recorded(later) == [("accepted", None)] * 3


async def test_a_station_that_knows_limits_hears_what_is_left(
    declared: str, directory: DeclaredDirectory
) -> None:
    pay(declared, 1_234)
    offline = event("PAYS")[1] | {"offline": True}

    heard, _ = await asked(
        declared, directory, "ocpp2.1", event("PAYS"), ("TransactionEvent", offline), event("OWES")
    )

    assert [each.get("transactionLimit") for each in heard] == [{"maxCost": 12.34}, None, None]
    info = heard[0]["idTokenInfo"]
    assert info["cacheExpiryDateTime"] == "2026-03-02T12:10:00.000Z"
    assert "cacheExpiryDateTime" not in heard[2]["idTokenInfo"]


async def test_what_was_charged_without_connection_is_kept_as_found(
    declared: str, directory: DeclaredDirectory
) -> None:
    offline = event("PAYS")[1] | {"offline": True}

    answers, lines = await asked(
        declared, directory, "ocpp2.0.1", ("TransactionEvent", offline), event("BLOCKED")
    )

    assert told(answers) == ["Accepted", "Blocked"]
    assert recorded(lines) == [("no_credit", None), ("blocked", None)]


@pytest.mark.parametrize(("policy", "status"), [("accept", "Accepted"), ("refuse", "NoCredit")])
async def test_a_balance_that_is_not_known_in_time_is_decided_by_policy(
    declared: str,
    directory: DeclaredDirectory,
    monkeypatch: pytest.MonkeyPatch,
    policy: str,
    status: str,
) -> None:
    monkeypatch.setattr(credit, "KNOWN_SECONDS", 0.2)
    apply(declared, f"policy: {{unknown_credit: {policy}}}\n")
    with psycopg.connect(declared) as slow:
        slow.execute("LOCK TABLE books.journal_entry IN ACCESS EXCLUSIVE MODE")
        answers, lines = await asked(declared, directory, "ocpp2.1", event("PAYS"), event("OWES"))
        slow.rollback()

    assert told(answers) == [status, "Accepted"]
    assert "transactionLimit" not in answers[0]
    word = "accepted" if policy == "accept" else "no_credit"
    assert recorded(lines) == [(word, "unknown"), ("accepted", None)]


async def test_only_payers_with_an_end_are_looked_at_while_they_charge(
    declared: str, directory: DeclaredDirectory
) -> None:
    with connect(declared) as connection:
        subjects = dict(connection.execute("SELECT spelt, subject FROM subject").fetchall())
        row = """
        INSERT INTO session (session_id, partition, station_id, transaction_ref, state, flags,
            blockers, reasons, token_uid, first_fact_at, last_fact_at, heard_at)
        SELECT name, 0, 'CP1', name, 'open', '{}', '{}', '{}', uid, now(), now(), now()
        FROM unnest(%s::text[], %s::text[]) AS told (name, uid)
        """
        tokens = ["PAYS", "CHILD", "OWES"]
        connection.execute(row, (tokens, [subjects[each] for each in tokens]))

    funded = [await directory.is_funded("CP1", each) for each in (*tokens, "unheard of")]

    assert funded == [True, True, False, False]
    # Whose token is known is looked up in no table.
    for uid, expected in (("PAYS", True), ("OWES", False)):
        assert await directory.is_funded("CP1", "any", subjects[uid]) is expected
    assert (await directory.price_terms("CP1")).has_funds
