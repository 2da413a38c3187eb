"""Partners by `extrawest-ocpi`: what we tell one it takes, and what another tells we judge.

What the library does wrong and we bear, and what is mended in it, stands in `extrawest_process.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.declared.store import declare
from ledger.master_data.sites import Site
from ledger.master_data.stations import DeclaredConnector, Station
from ledger.partners.asking import AskedAnswer, ShownToken
from roaming_ocpi.client.answers import PartnerAnswer
from roaming_ocpi.tokens.permissions import WhereShown, permission_in
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from tariffs.ocpi.documents import decode_json
from tests.charging_day import (
    STATIONS,
    at,
    choose,
    everywhere,
    meter16,
    start16,
    stop16,
    tick,
)
from tests.projections.books_of_a_day import go_on
from tests.roaming_ocpi.foreign.foreign_partner import (
    VERSION,
    ForeignPartner,
    foreign_partner,
    lost,
)
from tests.roaming_ocpi.incoming.partner_stories import CDR, GONE, SESSION, TARIFF, changed
from tests.roaming_ocpi.pair.two_instances import (
    CPO,
    RoamingInstance,
    declare_cpo,
    declare_emsp,
    energy_of,
    free_port,
    heard_lines,
    linked,
    net_of,
    now,
    register_with,
    rows,
    taken_cdrs,
)
from tests.roaming_ocpi.places.declared_places import PLUG, SITE
from tests.roaming_ocpi.relay.taking_partner import until
from tests.roaming_ocpi.sessions.partners_drivers import PARTNERS_TOKEN, TNM

ONE, TWO = "CS-OLD-1", "CS-OLD-2"
LOST = "CS-OLD-2/9/20260302T081000Z"
MODULES = ("locations", "tariffs", "sessions", "cdrs")
WAIT_SECONDS = 60
MOMENT_CHARACTERS_MAX = 25
"""Source: OCPI 2.2.1, types, DateTime."""
SAID = {"id": "A", "at": "2026-03-02T07:00:00.5Z", "kwh": Decimal("0.30"), "of": [True]}
NOT_IN_ITS_SCHEMA = ".cdr_location.evse_uid:"
"""The library drops it, both ways. It must be there: OCPI 2.2.1, mod_cdrs, CdrLocation."""


@pytest.mark.parametrize(
    ("kept", "wrong"),
    [
        ({"id": "a", "at": "2026-03-02T07:00:00Z", "kwh": Decimal("0.3"), "none": None}, []),
        ({"kwh": Decimal("0.3000001")}, [".kwh"]),
        ({"kwh": "0.30"}, [".kwh"]),
        ({"at": "2026-03-02T07:00:01Z"}, [".at"]),
        ({"of": [1]}, [".of[0]"]),
        ({"of": []}, [".of"]),
        ({"id": None}, [".id"]),
    ],
)
def test_what_is_not_kept_to_the_last_digit_is_found(
    kept: dict[str, Any], wrong: list[str]
) -> None:
    assert [each.partition(":")[0] for each in lost(SAID, {**SAID, **kept})] == wrong


@pytest.mark.timeout(300)
async def test_an_emsp_of_others_takes_places_prices_sessions_and_cdrs_to_the_last_digit(
    database: str, tmp_path: Path
) -> None:
    declare_cpo(database)
    version = declare_places(database)
    go_on(database, list(everywhere(version, -1)))
    token = {
        **OURS, "uid": PARTNERS_TOKEN, "type": "RFID", "contract_id": "NL-TNM-C1", "issuer": "TNM",
        "valid": True, "whitelist": "ALWAYS", "last_updated": "2026-03-01T00:00:00Z",
    }  # fmt: skip
    ours = instance(CPO, database, tmp_path / "ours")
    async with foreign_partner("emsp", tmp_path, {"tokens": [token]}) as partner:
        try:
            await ours.start()
            came = await register_with(ours, TNM, partner.token_a, partner.versions_url)
            # One driver charges; another's stop is lost, and comes late after a release.
            begun = [start16(ONE, 0, 7, PARTNERS_TOKEN, 0), start16(TWO, 70, 9, PARTNERS_TOKEN, 0)]
            ended = [meter16(TWO, 95, 9, 4_321), stop16(ONE, 60, 7, 7_777), *tick(2000)]
            released = [*everywhere(version, 2001), choose(LOST, "release", 2002)]
            for lines in ([*begun, *ended], released, [stop16(TWO, 150, 9, 9_013, received=2100)]):
                await asyncio.to_thread(go_on, database, lines)
            await until_held(partner, database, locations=1, tariffs=1, sessions=2, cdrs=4)
            # A session that is over costs what its CDR says, which is told before it.
            await until(lambda: rows(database, ON_THEIR_WAY) == [(0,)], WAIT_SECONDS)
            held = await partner.held()
            shown = {module: await partner.shown(module) for module in MODULES}
            tokens = rows(database, "SELECT count(*) FROM roaming_token")
            permission = permission_in(
                await asked(ours, TNM, PERMISSION_OF),
                PARTNERS_TOKEN,
                WhereShown(CPO, ShownToken("", "", "")),
            )
        finally:
            await ours.end()

    assert (came.version, came.is_checked) == (VERSION, True)
    assert tokens == [(1,)]
    assert permission == (AskedAnswer.ALLOWED, "of-extrawest", "nl-tnm-c1")
    for module in MODULES:
        assert same_ids(shown[module], held[module]), module
        assert differences(shown[module], held[module]) == [], module
    assert {len(each["connectors"]) for each in held["locations"][0]["evses"]} == {1}
    [sums] = rows(database, SUMS)
    kwh = sum((energy_of(each) for each in held["cdrs"]), Decimal(0))
    net = sum((net_of(each) for each in held["cdrs"]), Decimal(0))
    assert (kwh, net) == (Decimal("16.790"), Decimal("6.72")) == sums
    assert [each["credit"] for each in held["cdrs"]].count(True) == 1
    moments = [each for each in texts(shown) if each[:5] == "2026-"]
    assert max(map(len, moments)) <= MOMENT_CHARACTERS_MAX
    # It says that a CDR is at an https address that nobody serves: noted, and no reason to doubt.
    noted = rows(database, "SELECT DISTINCT came_of_it, notes FROM outgoing_attempt")
    assert noted == [("delivered", []), ("delivered", ["adjustment", "location_elsewhere"])]


@pytest.mark.timeout(300)
async def test_a_cpo_of_others_is_read_page_by_page_and_judged_to_the_last_digit(
    database: str, tmp_path: Path
) -> None:
    declare_emsp(database, ())
    ours = instance(TNM, database, tmp_path / "ours")
    async with foreign_partner("cpo", tmp_path, THEIRS) as partner:
        try:
            await ours.start()
            came = await register_with(ours, CPO, partner.token_a, partner.versions_url)
            pushed = [await partner.push(module, THEIRS[module][0]["id"]) for module in MODULES]
            heard_first = [what for what, _ in heard_lines(database)]
            # It reads lists when it starts, and then every so often.
            await ours.end()
            await ours.start()
            await until(lambda: len(rows(database, JUDGED)) == 3, WAIT_SECONDS)
            await until(lambda: len(rows(database, PULLED)) == 4, WAIT_SECONDS)
        finally:
            await ours.end()
        served = await partner.held()

    assert (came.version, came.is_checked) == (VERSION, True)
    assert [each // 100 for [each] in pushed] == [2, 2, 2, 2]
    assert heard_first == ["sessions", "cdrs"]
    assert rows(database, JUDGED) == [
        ("fast-1", "accepted", [], Decimal("8.10")),
        ("fast-2", "disputed", ["cdr_total_differs"], Decimal("4.10")),
        ("fast-3", "accepted", [], Decimal("0.03")),
    ]
    assert rows(database, PULLED) == [
        ("cdrs", 0, None), ("locations", 0, None), ("sessions", 0, None), ("tariffs", 0, None),
    ]  # fmt: skip
    heard = heard_lines(database)
    kept = {
        "locations": [decode_json(each) for (each,) in rows(database, LOCATIONS)],
        "tariffs": [decode_json(each) for (each,) in rows(database, TARIFFS)],
        "sessions": [each for what, each in heard if what == "sessions"],
        "cdrs": [each for what, each in heard if what == "cdrs"],
    }
    for module in MODULES:
        assert same_ids(THEIRS[module], kept[module]), f"{module}: each once, pushed and listed"
        assert differences(served[module], kept[module]) == [], module
    taken = taken_cdrs(database)
    kwh, net = sum(map(energy_of, taken), Decimal(0)), sum(map(net_of, taken), Decimal(0))
    assert (kwh, net) == (Decimal("48.51"), Decimal("12.23"))


OURS = {"country_code": "NL", "party_id": "TNM"}
PARTY = {"country_code": "DE", "party_id": "HBC"}
BEARER = {**OURS, "uid": PARTNERS_TOKEN, "type": "RFID", "contract_id": "NL-TNM-C1"}
OF_PARTY = {**PARTY, "cdr_token": BEARER}
FIRST = changed(
    CDR, **OF_PARTY, id="FAST-1", session_id="S1", tariffs__0__country_code="DE",
    tariffs__0__party_id="HBC", charging_periods__0__dimensions__0__volume=20.12,
    charging_periods__1__dimensions__0__volume=12.28, total_energy=32.4,
    total_cost={"excl_vat": 8.1, "incl_vat": 9.72}, cdr_location__time_zone=GONE,
)  # fmt: skip
"""32.4 kWh at 0.25, with 20 % of VAT."""


def morning_cdr(name: str, hour: str, kwh: float, net: float, gross: float) -> dict[str, Any]:
    """Return a CDR of half an hour and one period."""
    starts_at, ends_at = f"2026-03-02T{hour}:00:00Z", f"2026-03-02T{hour}:30:00Z"
    energy = {"type": "ENERGY", "volume": kwh}
    period = {"start_date_time": starts_at, "dimensions": [energy], "tariff_id": "T1"}
    return changed(
        FIRST, id=name, session_id=f"S-{name}", start_date_time=starts_at, end_date_time=ends_at,
        charging_periods=[period], total_energy=kwh, total_time=0.5,
        total_cost={"excl_vat": net, "incl_vat": gross}, last_updated=ends_at,
    )  # fmt: skip


LOCATION = {
    **PARTY, "id": "LOC1", "publish": True, "name": "Kade", "address": "Kade 1", "city": "Utrecht",
    "country": "NLD", "coordinates": {"latitude": "52.090000", "longitude": "5.120000"},
    "time_zone": "Europe/Amsterdam", "last_updated": "2026-03-01T00:00:00Z",
}  # fmt: skip
THEIRS: dict[str, list[dict[str, Any]]] = {
    "locations": [changed(LOCATION, id=f"LOC{number}") for number in (1, 2, 3)],
    "tariffs": [changed(TARIFF, **PARTY, id=f"T{number}") for number in (1, 2, 3)],
    "sessions": [
        changed(
            SESSION, **OF_PARTY, id=name, kwh=32.4, total_cost={"excl_vat": 8.1, "incl_vat": 9.72}
        )
        for name in ("S1", "S2", "S3")
    ],
    "cdrs": [
        FIRST,
        # It should be 4.00, and 4.80 with taxes.
        morning_cdr("FAST-2", "09", 15.99, 4.1, 4.92),
        morning_cdr("FAST-3", "10", 0.12, 0.03, 0.04),
    ],
}
PERMISSION_OF = f"{PARTNERS_TOKEN}/authorize"
ON_THEIR_WAY = "SELECT count(*) FROM outgoing"
SUMS = "SELECT sum(energy_wh) / 1000, sum(net_minor) / 100.0 FROM roaming_cdr"
ATTEMPTS = "SELECT kind, came_of_it, http, reason FROM outgoing_attempt ORDER BY number, attempt"
JUDGED = """
SELECT cdr_id, verdict, jsonb_path_query_array(codes, '$[*].code'), net
FROM partner_cdr ORDER BY cdr_id
"""
PULLED = """
SELECT module, refused, problem FROM partner_pull
UNION ALL SELECT module, refused, trouble FROM place_pulled ORDER BY 1
"""
LOCATIONS = "SELECT body FROM partner_location ORDER BY location_id"
TARIFFS = "SELECT body FROM partner_tariff ORDER BY tariff_id, number"


def declare_places(dsn: str) -> int:
    """Say where the yard is and what its stations have, so that it is told; return the version."""
    site: Site = replace(SITE, legal_entity="watt", opening=())
    plugs = (DeclaredConnector(evse_id=1, connector_id=1),)
    station = Station(site="yard", plug=PLUG, connectors=plugs)
    changes = [Change(kind=Kind.SITE, key="yard", entity=site)]
    changes += [Change(kind=Kind.STATION, key=key, entity=station) for key in STATIONS]
    with connect(dsn) as connection:
        return declare(connection, changes, by="test", at=at(-30))


def instance(party: str, dsn: str, data: Path, *, skew_s: int | None = None) -> RoamingInstance:
    """Return our side, on the day of the sessions: months later they would be disputed."""
    data.mkdir()
    back_s = round((at(600) - now()).total_seconds())
    return RoamingInstance(party, dsn, data, free_port(), back_s if skew_s is None else skew_s)


async def asked(side: RoamingInstance, party: str, path: str) -> PartnerAnswer:
    """Return what a partner answers to what our side posts to its module of tokens."""
    async with linked(side.dsn, party) as (client, link):
        url = link.endpoints[ModuleId.TOKENS, InterfaceRole.SENDER]
        return await client.ask(link, "POST", f"{url}{path}", query={"type": "RFID"})


async def until_held(partner: ForeignPartner, dsn: str, **counts: int) -> None:
    """Wait until the partner has so many objects of each module."""
    for _ in range(WAIT_SECONDS * 5):
        found = {each: len(kept) for each, kept in (await partner.held()).items()}
        if found | counts == found:
            return
        await asyncio.sleep(0.2)
    pytest.fail(f"{found}; attempts: {rows(dsn, ATTEMPTS)}")


Objects = Sequence[Mapping[str, Any]]


def same_ids(said: Objects, kept: Objects) -> bool:
    ids = [sorted(each["id"].lower() for each in objects) for objects in (said, kept)]
    return ids[0] == ids[1]


def differences(said: Objects, kept: Objects) -> list[str]:
    """Return where what is *kept* is not what was *said*."""
    by_id = {each["id"].lower(): each for each in kept}
    every = [where for each in said for where in lost(each, by_id[each["id"].lower()], "")]
    return [where for where in every if not where.startswith(NOT_IN_ITS_SCHEMA)]


def texts(tree: object) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, Mapping):
        yield from texts(list(tree.values()))
    elif isinstance(tree, Iterable):
        for each in tree:
            yield from texts(each)
