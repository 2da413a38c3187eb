"""Whose role holds at some legal entities or sites sees theirs, and no trace of the rest."""

from __future__ import annotations

from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.declared.passwords import hash_password
from ledger.declared.store import declare
from ledger.master_data.sites import Site
from ledger.master_data.stations import Station
from ledger.users.roles import Grant, Role
from tests.charging_day import MORNING, at
from tests.deploy.api.books_served import invoices_of_a_day
from tests.deploy.api.people import bearing, token_of_person
from tests.deploy.interface.served_interface import served
from tests.deploy.interface.site_of_stations import HERE, site_of_stations
from tests.edge import PASSWORD


async def test_lists_and_objects_are_cut_to_the_reach(database: str) -> None:
    number = invoices_of_a_day(database)[0].number
    everywhere, here, there, shop = (
        token_of_person(database, f"person {index}", grant)
        for index, grant in enumerate(
            [
                Grant(Role.FINANCE),
                Grant(Role.FINANCE, "watt"),
                Grant(Role.FINANCE, "other"),
                Grant(Role.FINANCE, "watt", "yard"),
            ]
        )
    )
    paths = ["/sessions?limit=100", "/invoices", "/tariffs", "/transactions?limit=100"]
    paths += ["/transactions?open=true", "/stations"]
    async with served(database) as client:
        [ref] = [
            each["ref"]
            for each in (await client.get("/sessions?limit=1", headers=bearing(everywhere))).json()[
                "items"
            ]
        ]
        seen = {}
        for name, token in (("all", everywhere), ("here", here), ("there", there), ("shop", shop)):
            lists = [await client.get(path, headers=bearing(token)) for path in paths]
            ones = [
                (await client.get(path, headers=bearing(token))).status_code
                for path in (
                    f"/sessions/{ref}",
                    f"/invoices/{number}",
                    "/tariffs/DAY",
                    f"/transactions/{ref}",
                    "/stations/CS-OLD-1",
                )
            ]
            seen[name] = ([len(each.json()["items"]) for each in lists], ones)
        # What is not cut is nobody's whose role does not hold everywhere.
        uncut = await client.get("/charging-profiles", headers=bearing(here))

    sessions, *_, stations = seen["all"][0]
    assert sessions > 3
    assert stations > 1
    assert seen == {
        "all": ([sessions, 4, 1, sessions, 0, stations], [200, 200, 200, 200, 200]),
        "here": ([sessions, 4, 1, sessions, 0, stations], [200, 200, 200, 200, 200]),
        "there": ([0, 0, 0, 0, 0, 0], [404, 404, 404, 404, 404]),
        "shop": ([sessions, 0, 1, sessions, 0, stations], [200, 404, 200, 200, 200]),
    }
    assert (uncut.status_code, uncut.json()["code"]) == (403, "forbidden")


async def test_a_station_that_moved_is_seen_by_each_for_its_own_time(database: str) -> None:
    invoices_of_a_day(database)
    moved = at(70)
    shop = Site(time_zone="Europe/Berlin", country="DE", legal_entity="watt", currency="EUR")
    changes = [
        Change(kind=Kind.SITE, key="shop", entity=shop),
        Change(kind=Kind.STATION, key="CS-OLD-2", entity=Station(site="shop"), valid_from=moved),
    ]
    with connect(database) as connection:
        declare(connection, changes, by="ann", at=MORNING)
    token = token_of_person(database, "bo", Grant(Role.AUDITOR, "watt", "shop"))
    async with served(database) as client:
        mine = (await client.get("/sessions?limit=100", headers=bearing(token))).json()["items"]
        by_site = await client.get("/sessions?site=yard", headers=bearing(token))

    assert {each["station"] for each in mine} == {"CS-OLD-2"}
    assert all(each["started_at"] >= moved.isoformat()[:19] for each in mine)
    assert by_site.json() == {"items": [], "next": None}


async def test_stations_and_calls_are_those_of_ones_own_sites(database: str) -> None:
    site_of_stations(database)
    pier = Site(time_zone="Europe/Berlin", country="DE", legal_entity="watt", currency="EUR")
    changes = [
        Change(kind=Kind.SITE, key="pier", entity=pier),
        Change(
            kind=Kind.STATION,
            key="CS-PIER",
            entity=Station(site="pier", password_hash=hash_password(PASSWORD)),
        ),
    ]
    with connect(database) as connection:
        declare(connection, changes, by="ann", at=MORNING)
    yard, pier_only, reader = (
        token_of_person(database, name, grant)
        for name, grant in (
            ("yann", Grant(Role.OPERATIONS, "watt", "yard")),
            ("pia", Grant(Role.OPERATIONS, "watt", "pier")),
            ("rea", Grant(Role.PRICING, "watt", "yard")),
        )
    )
    call = {"action": "Reset", "payload": {"type": "Soft"}, "wait_s": 0, "queue": True}
    async with served(database) as client:

        async def asked(token: str, method: str, path: str, body: object = None) -> int:
            return (
                await client.request(method, path, json=body, headers=bearing(token))
            ).status_code

        made = await client.post(f"/stations/{HERE}/calls", json=call, headers=bearing(yard))
        outcome = f"/calls/{made.json()['id']}"
        seen = {
            (path, method): [await asked(each, method, path, body) for each in (yard, pier_only)]
            for method, path, body in (
                ("GET", f"/stations/{HERE}", None),
                ("GET", f"/stations/{HERE.lower()}", None),
                ("GET", f"/stations/{HERE}/files", None),
                ("PATCH", f"/stations/{HERE}", {}),
                ("GET", outcome, None),
                ("GET", "/stations/CS-PIER", None),
                ("POST", "/stations/CS-PIER/calls", call),
            )
        }
        refused = await client.post("/stations/NOBODY/calls", json=call, headers=bearing(yard))
        beyond = await client.post("/stations/CS-PIER/calls", json=call, headers=bearing(yard))
        may_not = await asked(reader, "POST", f"/stations/{HERE}/calls", call)
        listed = [
            [
                each["id"]
                for each in (await client.get(path, headers=bearing(pier_only))).json()["items"]
            ]
            for path in ("/stations", "/stations?site=yard", "/reservations")
        ]

    *of_yard, one, other = seen.values()
    assert of_yard == [[200, 404]] * 5
    assert [(first, second == 404) for first, second in (one, other)] == [(404, False)] * 2
    assert listed == [["CS-PIER"], [], []]
    assert may_not == 403
    # What lies beyond is answered in the very words of what does not exist.
    assert refused.status_code == beyond.status_code == 404
    assert beyond.text == refused.text.replace("NOBODY", "CS-PIER")
