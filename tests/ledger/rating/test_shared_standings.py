"""What sessions used of shared grants: who counts together, and what the next one finds."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from ledger.declared.declarations import BEGINNING, Declarations, Entity, Kind
from ledger.master_data.tariff_versions import published
from ledger.master_data.tokens import Token
from ledger.rating.allowances import ReadAllowances, SharedStandings, key_of, lock_all
from ledger.rating.decide import decide
from ledger.rating.decisions import (
    AllowanceUse,
    Payer,
    PayerKind,
    SessionRated,
    SessionRevision,
)
from ledger.rating.entitlements import AllowanceKey, Entitlements, Standing
from tariffs.adjustments.consumption import NOTHING, Consumption
from tariffs.adjustments.shared import Allowance, Per, SharedBy
from tariffs.adjustments.shared_grants import Claim
from tests.depot import ENERGY_ONLY, declared, keep_decisions, moment_of, session

ANNA = Payer(kind=PayerKind.CUSTOMER, party="anna", customer="anna", invoicing=None)
BEARER = Payer(kind=PayerKind.BEARER, party="p-1", customer=None, invoicing=None)
KEY, OTHER = AllowanceKey("t/allowance/home/everybody", "2026-11"), AllowanceKey("t/b", "2026-12")
ANY = SessionRevision("ST-1/1", 1)


def use(
    number: int, before: Consumption, used: Consumption, key: AllowanceKey = KEY
) -> AllowanceUse:
    return AllowanceUse(
        key=key.key, period=key.period, number=number, used_before=before, used=used
    )


def kwh(count: str, uses: int = 1) -> Consumption:
    return Consumption(
        energy_wh=Decimal(count) * 1000, seconds=Decimal(60), amount_minor=7, uses=uses
    )


@pytest.mark.parametrize(
    ("shared_by", "payer", "groups", "whose"),
    [
        (SharedBy.CUSTOMER, ANNA, (), "customer:anna"),
        (SharedBy.CUSTOMER, BEARER, (), "token:p-1"),
        (SharedBy.CUSTOMER, BEARER, ("Staff",), "token:p-1"),
        (SharedBy.GROUP, ANNA, ("Staff", "Night"), "group:staff"),
        (SharedBy.GROUP, ANNA, (), "token:p-1"),
        (SharedBy.EVERYBODY, BEARER, (), "everybody"),
        (SharedBy.TOKEN, ANNA, ("Staff",), "token:p-1"),
    ],
)
def test_who_counts_together(
    shared_by: SharedBy, payer: Payer, groups: tuple[str, ...], whose: str
) -> None:
    claim = Claim("allowance/home", "2026-11", shared_by)

    key = key_of(claim, tariff_id="t", payer=payer, token_uid="p-1", groups=groups)

    assert key == (f"t/allowance/home/{whose}", "2026-11")


def books(dsn: str) -> psycopg.Connection[Any]:
    connection = psycopg.connect(dsn)
    connection.execute("SET search_path = books, inputs")
    connection.commit()
    return connection


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with books(database) as connection:
        yield connection


def test_a_key_stands_at_nothing_and_then_at_the_sum_of_what_was_used(
    connection: psycopg.Connection[Any],
) -> None:
    shared, read = SharedStandings(connection), ReadAllowances(connection)
    assert read.standings(ANY, [KEY, OTHER]) == (Standing(0, NOTHING),) * 2

    assert shared.standings(ANY, [KEY, OTHER, KEY]) == (Standing(0, NOTHING),) * 3
    shared.take([use(1, NOTHING, kwh("3.5"))])
    assert shared.standings(ANY, [KEY, OTHER]) == (Standing(1, kwh("3.5")), Standing())
    shared.take([use(2, kwh("3.5"), kwh("1.25"))])
    shared.store()

    both = Standing(2, kwh("3.5") + kwh("1.25"))
    assert both.used == Consumption(
        energy_wh=Decimal(4750), seconds=Decimal(120), amount_minor=14, uses=2
    )
    assert read.standings(ANY, [OTHER, KEY]) == (Standing(), both)


def test_who_comes_second_finds_what_the_first_one_stored(database: str) -> None:
    """Also where both have asked before: what is known ends with the lock."""
    with books(database) as one, books(database) as two:
        first, second = SharedStandings(one), SharedStandings(two)
        for number, (mine, connection) in enumerate([(first, one), (second, two), (first, one)]):
            [standing] = mine.standings(ANY, [KEY])
            assert standing.number == number
            assert standing.used.uses == number
            mine.take([use(number + 1, standing.used, kwh("1"))])
            mine.store()
            connection.commit()


def test_while_all_keys_are_locked_nobody_else_gets_one(database: str) -> None:
    with books(database) as one, books(database) as two:
        lock_all(one)
        two.execute("SET lock_timeout = '100ms'")
        assert ReadAllowances(two).standings(ANY, [KEY]) == (Standing(),)
        with pytest.raises(psycopg.errors.LockNotAvailable):
            SharedStandings(two).standings(ANY, [KEY])
        two.rollback()
        one.commit()
        assert SharedStandings(two).standings(ANY, [KEY]) == (Standing(),)


def sharing(
    shared_by: SharedBy = SharedBy.EVERYBODY, *more: tuple[Kind, str, Entity]
) -> Declarations:
    """Return the depot, where 15 kWh are free for ever to who shares them, and *more*."""
    grant = Allowance(
        name="home",
        dimensions=("ENERGY",),
        kwh_max=Decimal(15),
        per=Per.EVER,
        shared_by=shared_by,
    )
    shared = published(replace(ENERGY_ONLY, adjustments=(grant,)))
    rest = ((kind, key, entity, BEGINNING) for kind, key, entity in more)
    return declared((Kind.TARIFF, "energy", shared, BEGINNING), *rest)


def test_a_rating_records_what_it_found_and_used_and_the_books_keep_it(
    connection: psycopg.Connection[Any],
) -> None:
    known, shared = sharing(), SharedStandings(connection)
    entitled = Entitlements(allowances=shared)
    rated = []
    for number in (1, 2, 3):
        charging = session(number)
        decision = decide(charging, known, moment=moment_of(charging), entitlements=entitled)
        assert isinstance(decision, SessionRated)
        shared.take(decision.allowances)
        rated.append(decision)
    shared.store()
    keep_decisions(connection, rated)

    assert [decision.net_minor for decision in rated] == [0, 200, 400]
    found = [
        (each.number, int(each.used_before.energy_wh), int(each.used.energy_wh), each.used.uses)
        for decision in rated
        for each in decision.allowances
    ]
    assert found == [(1, 0, 10_000, 1), (2, 10_000, 5_000, 1), (3, 15_000, 0, 0)]
    kept = connection.execute(
        "SELECT number, before_wh, used_wh, used_uses, session_id, revision FROM allowance_use"
        " ORDER BY number"
    ).fetchall()
    assert kept == [
        (*row, decision.session_id, 1) for row, decision in zip(found, rated, strict=True)
    ]


def test_the_members_of_a_household_share_its_allowance_and_nobody_elses(
    connection: psycopg.Connection[Any],
) -> None:
    """Each member has a token, of the household or below one of the household's tokens."""
    known = sharing(
        SharedBy.CUSTOMER,
        (Kind.TOKEN, "anna-2", Token(customer="anna")),
        (Kind.TOKEN, "anna-3", Token(parent="anna-1")),
    )
    shared = SharedStandings(connection)
    nets = []
    for number, token in enumerate(("anna-1", "anna-2", "fleet-1", "anna-3"), 1):
        charging = session(number, token_uid=token)
        entitled = Entitlements(allowances=shared)
        decision = decide(charging, known, moment=moment_of(charging), entitlements=entitled)
        assert isinstance(decision, SessionRated)
        shared.take(decision.allowances)
        nets.append((decision.payer.customer, decision.net_minor))

    assert nets == [("anna", 0), ("anna", 200), ("fleet", 0), ("anna", 400)]


def test_where_nothing_is_shared_nothing_is_kept(connection: psycopg.Connection[Any]) -> None:
    charging = session()
    decision = decide(
        charging,
        declared(),
        moment=moment_of(charging),
        entitlements=Entitlements(allowances=SharedStandings(connection)),
    )
    assert isinstance(decision, SessionRated)
    keep_decisions(connection, [decision])

    assert decision.allowances == ()
    for table in ("allowance_head", "allowance_use"):
        assert connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchall() == [(0,)]
