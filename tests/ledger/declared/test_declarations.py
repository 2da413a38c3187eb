"""Master data with two times: what held when, known since which version."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import psycopg
import pytest

from ledger.database import connect
from ledger.declared.changes import Change, plan_changes
from ledger.declared.declarations import (
    BEGINNING,
    POLICY_KEY,
    Declaration,
    Declarations,
    Entity,
    Kind,
)
from ledger.declared.store import InvalidDeclarationError, declare, load_declarations
from ledger.facts.station_traits import ChangedTraits, StationTraits
from ledger.master_data.assignments import Assignment
from ledger.master_data.customers import Customer
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.policies import Policy
from ledger.master_data.sites import Site
from ledger.master_data.stations import DeclaredConnector, Station, traits_of
from ledger.master_data.tariff_versions import published
from ledger.master_data.tokens import Token
from tests.depot import ENERGY_ONLY, NOON, TIMED, changes, declared

LATER = NOON + timedelta(days=1)
LATEST = NOON + timedelta(days=2)


def customer(name: str) -> Customer:
    return Customer(details=name)


def history(*rows: tuple[int, str, datetime]) -> Declarations:
    """Return one customer's history from (version, name, valid_from)."""
    return Declarations(
        Declaration(version, Kind.CUSTOMER, "anna", valid_from, customer(name) if name else None)
        for version, name, valid_from in rows
    )


@pytest.mark.parametrize(
    ("rows", "at", "name"),
    [
        pytest.param([(1, "A", NOON)], NOON, "A", id="a declaration holds from its moment on"),
        pytest.param(
            [(1, "A", NOON)], NOON - timedelta(seconds=1), None, id="and not a second before"
        ),
        pytest.param(
            [(1, "A", NOON), (2, "B", LATER)], LATEST, "B", id="the newest start up to then wins"
        ),
        pytest.param(
            [(1, "A", NOON), (2, "B", LATER)], NOON, "A", id="a later start changes nothing before"
        ),
        pytest.param(
            [(1, "A", NOON), (2, "B", NOON)], NOON, "B", id="of two with one start the last wins"
        ),
        pytest.param(
            [(1, "A", NOON), (2, "B", LATEST), (3, "C", LATER)],
            LATEST,
            "B",
            id="a correction of the past leaves what was declared for later",
        ),
        pytest.param(
            [(1, "A", NOON), (2, "", LATER)], LATEST, None, id="what is withdrawn is not found"
        ),
    ],
)
def test_what_holds_at_a_moment(
    rows: list[tuple[int, str, datetime]], at: datetime, name: str | None
) -> None:
    found = history(*rows).customer("anna", at)

    assert (found.details if found else None) == name


@pytest.fixture
def connection(database: str) -> Any:  # noqa: ANN401 - a generator of connections
    with connect(database) as opened:
        yield opened


def apply(connection: psycopg.Connection[Any], *what: Change, at: datetime = NOON) -> int:
    return declare(connection, what, by="test", at=at)


def test_declaring_the_same_again_writes_nothing(connection: psycopg.Connection[Any]) -> None:
    first = apply(connection, *changes())
    again = apply(connection, *changes(), at=LATER)

    assert (first, again) == (len(changes()), first)
    assert plan_changes(load_declarations(connection), changes(), at=LATER) == ()


def test_a_snapshot_reads_back_what_was_declared(connection: psycopg.Connection[Any]) -> None:
    version = apply(connection, *changes())

    known = load_declarations(connection)

    assert known.version == version
    for kind in Kind:
        for key in known.keys(kind):
            assert known.history(kind, key) == declared().history(kind, key)


def test_an_old_version_stays_as_it_was(connection: psycopg.Connection[Any]) -> None:
    old = apply(connection, *changes())
    moved = Change(kind=Kind.CUSTOMER, key="anna", entity=customer("Anna Berg"))

    new = apply(connection, moved, at=LATER)

    before, after = load_declarations(connection, old), load_declarations(connection, new)
    assert [each.customer("anna", LATEST) for each in (before, after)] == [
        customer("Anna Arndt"),
        customer("Anna Berg"),
    ]
    assert after.customer("anna", NOON) == customer("Anna Arndt")


def test_the_first_declaration_reaches_back_but_a_price_never_does(
    connection: psycopg.Connection[Any],
) -> None:
    without_times = [msgspec.structs.replace(change, valid_from=None) for change in changes()]
    apply(connection, *without_times)

    known = load_declarations(connection)

    assert known.station("ST-1", BEGINNING) is not None
    assert known.tariff_for("ST-1", "anna-1", NOON) is not None
    assert known.tariff_for("ST-1", "anna-1", NOON - timedelta(seconds=1)) is None


def test_declarations_refuse_to_be_changed_or_deleted(connection: psycopg.Connection[Any]) -> None:
    apply(connection, *changes())

    for statement in (
        "UPDATE declaration SET body = 'null'",
        "DELETE FROM declaration",
        "TRUNCATE declaration",
    ):
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            connection.execute(statement.encode())


LEGAL_ENTITY = LegalEntity(
    name="Other GmbH", country="DE", time_zone="Europe/Berlin", invoice_prefix="WL"
)
SITE = Site(time_zone="Europe/Berlin", country="DE", legal_entity="depot", currency="EUR")


@pytest.mark.parametrize(
    ("kind", "key", "entity", "message"),
    [
        (Kind.STATION, "ST-2", Station(site="nowhere"), "there is no site 'nowhere'"),
        (
            Kind.SITE,
            "mars",
            msgspec.structs.replace(SITE, time_zone="Mars/Base"),
            "there is no time zone 'Mars/Base'",
        ),
        (Kind.SITE, "s", msgspec.structs.replace(SITE, currency="EURO"), "EURO"),
        (Kind.TOKEN, "t", Token(customer="ghost"), "there is no customer 'ghost'"),
        (Kind.LEGAL_ENTITY, "other", LEGAL_ENTITY, "the invoice prefix WL belongs to depot"),
        (
            Kind.ASSIGNMENT,
            "site=harbour",
            Assignment(tariff="none", site="harbour"),
            "there is no tariff 'none'",
        ),
        (
            Kind.ASSIGNMENT,
            f"token_group={'g' * 3000}",
            Assignment(tariff=ENERGY_ONLY.id, token_group="g" * 3000),
            "its names have 3,012 characters; together they have at most 1,000",
        ),
        (Kind.SITE, "harbour", None, "there is no site 'harbour'"),
        (Kind.TARIFF, "other", published(ENERGY_ONLY), "the key must be the tariff's id"),
    ],
)
def test_what_does_not_hold_together_is_refused_whole(
    connection: psycopg.Connection[Any], kind: Kind, key: str, entity: Entity | None, message: str
) -> None:
    version = apply(connection, *changes())
    good = Change(kind=Kind.CUSTOMER, key="new", entity=customer("New"))

    with pytest.raises(InvalidDeclarationError, match=message):
        apply(connection, good, Change(kind=kind, key=key, entity=entity))

    assert load_declarations(connection).version == version


def test_a_prefix_that_was_given_up_is_still_not_free(connection: psycopg.Connection[Any]) -> None:
    apply(connection, *changes())
    renamed = msgspec.structs.replace(LEGAL_ENTITY, name="Depot GmbH", invoice_prefix="DP")
    apply(connection, Change(kind=Kind.LEGAL_ENTITY, key="depot", entity=renamed), at=LATER)

    with pytest.raises(InvalidDeclarationError, match="belongs to depot"):
        apply(connection, Change(kind=Kind.LEGAL_ENTITY, key="other", entity=LEGAL_ENTITY))


@pytest.mark.parametrize("is_withdrawn", [False, True])
def test_no_two_tariffs_have_ids_that_differ_by_case_alone(
    connection: psycopg.Connection[Any],
    is_withdrawn: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """To a partner they are one: it would price by the wrong one, and lose both with the first."""
    first, second = (
        Change(kind=Kind.TARIFF, key=each.id, entity=published(each))
        for name in ("Depot", "dePot")
        for each in [msgspec.structs.replace(ENERGY_ONLY, id=name)]
    )
    with pytest.raises(InvalidDeclarationError, match="differ by case alone"):
        apply(connection, first, second)
    apply(connection, first)
    if is_withdrawn:
        apply(connection, Change(kind=Kind.TARIFF, key="Depot", entity=None), at=LATER)

    with pytest.raises(InvalidDeclarationError, match="a tariff 'Depot'"):
        apply(connection, second, at=LATEST)
    dearer = msgspec.structs.replace(TIMED, id="Depot")
    again = Change(kind=Kind.TARIFF, key="Depot", entity=published(dearer))
    apply(connection, again, at=LATEST)


def assigned(tariff_id: str, **conditions: str) -> tuple[Kind, str, Entity, datetime]:
    assignment = msgspec.convert({"tariff": tariff_id, **conditions}, Assignment)
    return Kind.ASSIGNMENT, assignment.key(), assignment, BEGINNING


@pytest.mark.parametrize(
    ("conditions", "is_used"),
    [
        pytest.param({"station": "ST-1"}, True, id="the station goes before the site"),
        pytest.param({"token": "anna-1"}, True, id="the token goes before the site"),
        pytest.param({"token_group": "residents", "site": "harbour"}, True, id="a group at a site"),
        pytest.param({"token_group": "RESIDENTS"}, True, id="groups compare without case"),
        pytest.param({"token_group": "staff"}, False, id="another group does not fit"),
        pytest.param({"token": "anna-1", "site": "elsewhere"}, False, id="nor another site"),
        pytest.param({"partner": "NL-TNM"}, False, id="nor a partner of others"),
    ],
)
def test_the_most_specific_assignment_chooses_the_tariff(
    conditions: dict[str, str],
    is_used: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    known = declared(
        (Kind.TARIFF, "timed", published(TIMED), BEGINNING),
        (Kind.TOKEN, "anna-1", Token(customer="anna", group="residents"), BEGINNING),
        assigned("timed", **conditions),
    )

    found = known.tariff_for("ST-1", "anna-1", NOON)

    assert found is not None
    assert (found.version.tariff.id == "timed") == is_used


def test_the_drivers_side_goes_before_the_place() -> None:
    known = declared(
        (Kind.TARIFF, "timed", published(TIMED), BEGINNING),
        assigned("energy", station="ST-1"),
        assigned("timed", token="anna-1"),
    )

    found = known.tariff_for("ST-1", "anna-1", NOON)

    assert found is not None
    assert found.version.tariff.id == "timed"


def test_a_new_version_of_a_tariff_prices_only_what_begins_after_it() -> None:
    dearer = msgspec.structs.replace(TIMED, id="energy")
    known = declared((Kind.TARIFF, "energy", published(dearer), LATER))

    hashes = [
        found.version.sha256
        for at in (LATER - timedelta(seconds=1), LATER)
        if (found := known.tariff_for("ST-1", None, at))
    ]

    assert hashes == [published(ENERGY_ONLY).sha256, published(dearer).sha256]


def test_a_tariff_whose_validity_is_over_is_not_in_force() -> None:
    ended = msgspec.structs.replace(ENERGY_ONLY, end_date_time=NOON)
    known = declared((Kind.TARIFF, "energy", published(ended), BEGINNING))

    assert known.tariff_for("ST-1", None, NOON - timedelta(seconds=1)) is not None
    assert known.tariff_for("ST-1", None, NOON) is None


def test_an_assignment_names_one_driver_and_one_place_at_most() -> None:
    with pytest.raises(ValueError, match="at most one of token"):
        Assignment(tariff="energy", token="a", token_group="b")
    with pytest.raises(ValueError, match="at least one in all"):
        Assignment(tariff="energy")


def test_a_token_expires_at_its_moment_and_not_before() -> None:
    assert not Token(expires_at=NOON).has_expired(NOON - timedelta(microseconds=1))
    assert Token(expires_at=NOON).has_expired(NOON)
    assert not Token().has_expired(NOON)


def test_the_fold_learns_of_a_station_what_was_declared() -> None:
    station = Station(
        site="harbour",
        connectors=(DeclaredConnector(evse_id=1, connector_id=1, max_power_w=Decimal(22_000)),),
        commissioned_on=date(2024, 5, 1),
    )

    assert traits_of(station, SITE) == StationTraits(
        time_zone="Europe/Berlin",
        max_power_w=Decimal(22_000),
        connectors=(1,),
        commissioned_on=datetime(2024, 5, 1, tzinfo=UTC),
    )
    assert declared().traits("unheard-of", NOON) == StationTraits()


def test_what_held_of_a_station_before_is_among_its_traits() -> None:
    second = timedelta(seconds=1)
    kilo = Station(site="harbour", register_factor=Decimal(1000))
    moved = Station(site="quay", register_factor=Decimal(1000))
    known = declared(
        (Kind.SITE, "quay", msgspec.structs.replace(SITE, time_zone="Europe/London"), BEGINNING),
        (Kind.STATION, "ST-1", kilo, NOON),
        (Kind.STATION, "ST-1", msgspec.structs.replace(kilo, password_hash="x"), NOON + second),
        (Kind.STATION, "ST-1", moved, LATER),
        (Kind.STATION, "ST-1", None, LATER + second),
    )

    def held(at: datetime, known_at: datetime) -> tuple[str, Decimal | None]:
        traits = known.traits("ST-1", known_at).held_at(at)
        return traits.time_zone, traits.register_factor

    a_kilo = Decimal(1000)
    berlin, london = "Europe/Berlin", "Europe/London"
    assert held(NOON, NOON - second) == (berlin, None), "what is to come is not known yet"
    for known_at in (NOON, NOON + second, LATER - second, LATER):
        assert held(BEGINNING, known_at) == held(NOON - second, known_at) == (berlin, None)
        assert held(NOON, known_at) == (berlin, a_kilo)
    assert held(LATER - second, LATER) == (berlin, a_kilo)
    assert held(LATER, LATER) == (london, a_kilo)
    assert known.traits("ST-1", NOON + second) == known.traits("ST-1", NOON), "passwords are none"
    assert isinstance(declared().traits("ST-1", LATER), StationTraits)
    assert not isinstance(declared().traits("ST-1", LATER), ChangedTraits)


def test_a_site_that_changes_changes_its_stations() -> None:
    before = msgspec.structs.replace(SITE, time_zone="Europe/London")
    known = declared((Kind.SITE, "harbour", before, BEGINNING), (Kind.SITE, "harbour", SITE, NOON))

    zones = [known.traits("ST-1", LATER).held_at(at).time_zone for at in (BEGINNING, NOON, LATER)]

    assert zones == ["Europe/London", "Europe/Berlin", "Europe/Berlin"]


def test_the_policy_bounds_a_plug_of_which_no_power_is_declared() -> None:
    known = declared(
        (Kind.POLICY, POLICY_KEY, Policy(undeclared_power_w=50_000), BEGINNING),
        (Kind.STATION, "HB-BARE", Station(site="harbour"), BEGINNING),
        (Kind.STATION, "HB-AC", Station(site="harbour", max_power_w=Decimal(22_000)), BEGINNING),
    )

    powers = [known.traits(key, NOON).max_power_w for key in ("unheard-of", "HB-BARE", "HB-AC")]

    assert powers == [50_000, 50_000, 22_000]
