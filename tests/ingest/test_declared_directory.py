"""What the edge is told of stations and tokens is what was declared, as it was spelt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.running.opening import prepare
from deploy.settings import Settings
from ingest.declared_directory import FRESH_SECONDS, DeclaredDirectory
from ingest.directory import AuthorizationStatus, PriceTerms, power_at
from ledger.database import connect
from ledger.desk.apply import apply_files
from ledger.desk.publish import publish_files
from ledger.log.postgres import PostgresEventLog
from ledger.partners.tokens import PartnerToken, Whitelist, add_partner_tokens
from ledger.persons.holders import token_holder
from ledger.persons.store import erase, find
from tests.fakes import FixedClock

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DECLARED = """
tokens:
  04FAMILY: {}
  04Child-1: {parent: 04FAMILY, group: Residents}
  04Child-2: {parent: 04family}
  04gone: {status: blocked}
"""


@pytest.fixture
def declared(database: str, tmp_path: Path) -> str:
    prepare(database, Settings(data=tmp_path, partitions=1))
    with connect(database) as connection, PostgresEventLog(database) as log:
        declared_at = datetime(2026, 3, 1, tzinfo=UTC)
        files = [(DECLARED, "tokens.yaml")]
        apply_files(connection, files, log=log, by="a test", at=declared_at)
    return database


def subject_of(dsn: str, uid: str) -> str:
    """Return the subject of a token that is in the table already."""
    holder = token_holder(uid)
    assert holder is not None
    with connect(dsn) as connection:
        (subject,) = find(connection, [holder]).values()
    return subject.id


@pytest.fixture
async def directory(declared: str) -> AsyncIterator[DeclaredDirectory]:
    directory = DeclaredDirectory(declared, FixedClock())
    yield directory
    await directory.close()


@pytest.mark.parametrize("uid", ["04child-1", " 04CHILD-1 ", "04child-2"])
async def test_a_parent_token_is_told_as_its_own_declaration_spells_it(
    declared: str, directory: DeclaredDirectory, uid: str
) -> None:
    token = await directory.token(subject_of(declared, uid))

    assert token is not None
    assert (token.status, token.group) == (AuthorizationStatus.ACCEPTED, "04FAMILY")


async def test_a_parent_that_was_erased_is_told_to_nobody(
    declared: str, directory: DeclaredDirectory
) -> None:
    with connect(declared) as connection:
        erase(connection, [subject_of(declared, "04FAMILY")])
    token = await directory.token(subject_of(declared, "04child-1"))

    assert token is not None
    assert (token.status, token.group) == (AuthorizationStatus.ACCEPTED, None)


async def test_a_blocked_token_is_blocked_and_an_undeclared_one_unknown(
    declared: str, directory: DeclaredDirectory
) -> None:
    gone = await directory.token(subject_of(declared, "04GONE"))

    assert gone is not None
    assert gone.status is AuthorizationStatus.BLOCKED
    assert await directory.token("04FFFF") is None


async def test_what_many_stations_show_at_once_is_recorded_with_one_commit(
    declared: str, directory: DeclaredDirectory
) -> None:
    shown = [(f"CS-{number % 7}", f"p-{number}") for number in range(200)]

    statuses = await asyncio.gather(
        *(directory.unknown_token(*each, seen_at=NOON) for each in shown)
    )

    assert set(statuses) == {AuthorizationStatus.INVALID}
    with connect(declared) as connection:
        rows = connection.execute("SELECT station_id, token_uid FROM unknown_token").fetchall()
        commits = connection.execute("SELECT count(DISTINCT xmin::text) FROM unknown_token")
        assert commits.fetchone() == (1,)
    assert sorted(rows) == sorted(shown)


async def test_what_is_shown_again_is_counted_at_once_and_later(
    declared: str, directory: DeclaredDirectory
) -> None:
    later, latest = NOON + timedelta(minutes=1), NOON + timedelta(minutes=2)

    async def show(*moments: datetime) -> None:
        asked = (directory.unknown_token("CS-1", "p-1", seen_at=each) for each in moments)
        await asyncio.gather(*asked)

    await show(later, NOON)
    await show(latest)
    await show(later)

    with connect(declared) as connection:
        query = "SELECT first_seen_at, last_seen_at, times FROM unknown_token"
        assert connection.execute(query).fetchall() == [(NOON, latest, 4)]


async def test_tokens_that_are_asked_about_at_once_are_not_mixed_up(
    declared: str, directory: DeclaredDirectory
) -> None:
    told = {"NL-TNM": ["04CARD1", "04CARD2"], "DE-ABC": ["04CARD2", "04CARD3"]}
    with connect(declared) as connection:
        for party, uids in told.items():
            cards = [PartnerToken(uid, f"{party}-1", True, Whitelist.ALWAYS) for uid in uids]
            add_partner_tokens(connection, party, cards, at=NOON)
    first, both, third = (subject_of(declared, f"04CARD{number}") for number in (1, 2, 3))

    asked = [third, "p-nobody", first, both, third, subject_of(declared, "04gone")]
    tokens = await asyncio.gather(*(directory.token(each) for each in asked))

    parties = [None if token is None else token.party for token in tokens]
    assert parties == ["DE-ABC", None, "NL-TNM", "NL-TNM", "DE-ABC", None]
    assert (tokens[1], tokens[-1] is not None) == (None, True)


async def test_how_prices_are_told_is_policy_and_who_takes_messages_is_declared(
    declared: str, directory: DeclaredDirectory
) -> None:
    before = await directory.price_terms("CS-1")
    more = """
policy: {prices_told: running, price_every_s: 7, price_display: true}
legal_entities: {a: {name: A, country: DE, time_zone: Europe/Berlin, invoice_prefix: A,
  vat_id: DE136695976}}
sites: {s: {time_zone: Europe/Berlin, country: DE, legal_entity: a, currency: EUR}}
stations: {CS-1: {site: s, price_messages: true}, CS-2: {site: s}}
"""
    with connect(declared) as connection, PostgresEventLog(declared) as log:
        apply_files(connection, [(more, "more.yaml")], log=log, by="a test", at=NOON)
    await asyncio.sleep(FRESH_SECONDS)

    assert before == PriceTerms(is_telling=True, every_seconds=20), "also where nobody said so"
    assert await directory.price_terms("CS-1") == PriceTerms(
        is_telling=True, every_seconds=7, in_messages=True, on_display=True
    )
    assert not (await directory.price_terms("CS-2")).in_messages
    with connect(declared) as connection, PostgresEventLog(declared) as log:
        ending = [("policy: {prices_told: at_end}", "end.yaml")]
        apply_files(connection, ending, log=log, by="a test", at=NOON)
    await asyncio.sleep(FRESH_SECONDS)
    assert (await directory.price_terms("CS-1"))[:2] == (True, None)
    with connect(declared) as connection, PostgresEventLog(declared) as log:
        never = [("policy: {prices_told: never}", "never.yaml")]
        apply_files(connection, never, log=log, by="a test", at=NOON)
    await asyncio.sleep(FRESH_SECONDS)
    assert not (await directory.price_terms("CS-1")).is_telling


async def test_what_plugs_can_bring_is_declared_of_each_or_of_the_station(
    declared: str, directory: DeclaredDirectory
) -> None:
    more = """
legal_entities: {a: {name: A, country: DE, time_zone: Europe/Berlin, invoice_prefix: A,
  vat_id: DE136695976}}
sites: {s: {time_zone: Europe/Berlin, country: DE, legal_entity: a, currency: EUR}}
stations:
  CS-1:
    site: s
    password: correct-horse-battery
    max_power_w: 50000
    connectors:
      - {evse_id: 1, connector_id: 1, max_power_w: 22000}
      - {evse_id: 1, connector_id: 2, max_power_w: 43000}
      - {evse_id: 2, connector_id: 1}
"""
    with connect(declared) as connection, PostgresEventLog(declared) as log:
        apply_files(connection, [(more, "more.yaml")], log=log, by="a test", at=NOON)
    await asyncio.sleep(FRESH_SECONDS)
    station = await directory.station("cs-1")
    assert station is not None

    powers = [await power_at(directory, station, evse) for evse in (1, 2)]

    assert powers == [43_000, 50_000], "the most of an EVSE's plugs, else the station's"


async def test_a_place_is_limited_where_an_assignment_names_a_limit(
    declared: str, directory: DeclaredDirectory
) -> None:
    text = """
legal_entities: {a: {name: A, country: DE, time_zone: Europe/Berlin, invoice_prefix: A,
  vat_id: DE136695976}}
sites:
  s: {time_zone: Europe/Berlin, country: DE, legal_entity: a, currency: EUR}
  other: {time_zone: Europe/Berlin, country: DE, legal_entity: a, currency: EUR}
stations: {CS-1: {site: s}, CS-2: {site: s}, CS-3: {site: other}}
tariff_assignments:
"""
    tariff = "tariff: day\ncurrency: EUR\nelements:\n  - energy: 0.40 per kWh\n"
    with connect(declared) as connection, PostgresEventLog(declared) as log:
        publish_files(connection, [(tariff, "day.yaml")], log=log, by="a test", at=NOON)

    async def limited(assigned: str) -> list[bool]:
        with connect(declared) as connection, PostgresEventLog(declared) as log:
            files = [(f"{text}  - {{tariff: day, {assigned}}}", "more.yaml")]
            apply_files(connection, files, log=log, by="a test", at=NOON)
        await asyncio.sleep(FRESH_SECONDS)
        stations = ("CS-1", "CS-2", "CS-3")
        return [(await directory.price_terms(each)).is_limited for each in stations]

    assert await limited("site: s") == [False, False, False]
    assert await limited("station: CS-2, max_time_s: 60") == [False, True, False]
    assert await limited("site: s, max_cost: 5") == [True, True, False]
    assert await limited("token: 04gone, max_energy_wh: 1") == [True, True, True]
