"""Master data over HTTP: declared as a file would declare it, and never over what nobody saw."""

from __future__ import annotations

import asyncio
from pathlib import Path

from msgspec.structs import replace

from deploy.clock import SystemClock
from deploy.interface.access import Scope
from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.declared.store import LOCK, declare, load_declarations
from ledger.master_data.documents.logos import data_uri
from ledger.master_data.sites import Site
from tests.deploy.interface.served_interface import served
from tests.deploy.interface.site_of_stations import HERE, site_of_stations
from tests.ledger.held_up import held_up
from tests.projections.console.crowded.asked_statements import statements_logged

SHOP = {"time_zone": "Europe/Berlin", "country": "DE", "legal_entity": "watt", "currency": "EUR"}


async def test_what_is_declared_is_told_with_its_tag_and_no_hash(database: str) -> None:
    site_of_stations(database)
    async with served(database, Scope.MASTER_DATA) as client:
        station = await client.get(f"/master-data/stations/{HERE}")
        known = await client.get(
            f"/master-data/stations/{HERE}", headers={"If-None-Match": station.headers["etag"]}
        )
        tokens = (await client.get("/master-data/tokens", params={"limit": 2})).json()
        rest = (await client.get("/master-data/tokens", params={"cursor": tokens["next"]})).json()
        none = [
            (await client.get(f"/master-data/{each}")).status_code
            for each in ("stations/CS-9", "tokens/NOBODY", "sites/moon", "planets/mars")
        ]

    assert station.json()["entity"]["site"] == "yard"
    assert "password" not in station.text
    assert (known.status_code, known.content) == (304, b"")
    assert known.headers["etag"] == station.headers["etag"]
    keys = {each["key"] for each in tokens["items"] + rest["items"]}
    assert "FLEET1" in {each.upper() for each in keys}
    assert len(keys) == len(tokens["items"]) + len(rest["items"])
    assert (rest["next"], none) == (None, [404, 404, 404, 400])


async def test_nothing_that_is_sent_has_a_file_of_this_machine_read(
    database: str, tmp_path: Path
) -> None:
    site_of_stations(database)
    picture = tmp_path / "ours.svg"
    picture.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    seller = {"name": "Kiosk", "country": "DE", "time_zone": "Europe/Berlin", "invoice_prefix": "K"}
    async with served(database, Scope.DECLARE) as client:
        answers = [
            await client.put("/master-data/legal_entities/kiosk", json=seller | {"logo": each})
            for each in (str(picture), str(tmp_path / "none"), "/dev/tty", f"file://{picture}")
        ]
        sent = seller | {"logo": data_uri(picture.read_bytes())}
        done = await client.put("/master-data/legal_entities/kiosk", json=sent)

    assert {each.status_code for each in answers} == {400}
    # The same of one that is there as of one that is not: nobody learns which files we have.
    said = {each.json()["detail"].partition(": ")[2].partition(": ")[2] for each in answers}
    assert len(said) == 1
    assert "send the picture itself" in said.pop()
    assert done.status_code == 200, done.text


async def test_who_changes_something_says_which_version_he_saw(database: str) -> None:
    site_of_stations(database)
    async with served(database, Scope.MASTER_DATA, Scope.DECLARE) as client:
        made = await client.put("/master-data/sites/shop", json=SHOP)
        unseen = await client.put("/master-data/sites/shop", json=SHOP | {"name": "A"})
        tag = made.headers["etag"]
        two = await asyncio.gather(
            *(
                client.put(
                    "/master-data/sites/shop",
                    json=SHOP | {"name": name},
                    headers={"If-Match": tag},
                )
                for name in ("B", "C")
            )
        )
        wrong = await client.put("/master-data/sites/club", json=SHOP | {"currency": "XXX", "y": 1})
        nothing = await client.put(
            "/master-data/sites/club", json=SHOP, headers={"If-Match": '"v1"'}
        )
        policy = await client.put("/master-data/policy/other", json={})
    with connect(database) as connection:
        history = load_declarations(connection).history(Kind.SITE, "shop")
        by = connection.execute(
            "SELECT DISTINCT declared_by FROM declaration WHERE key = 'shop'"
        ).fetchall()

    assert (made.status_code, made.json()["entity"]["currency"]) == (200, "EUR")
    assert (unseen.status_code, unseen.json()["code"]) == (428, "precondition_required")
    assert sorted(each.status_code for each in two) == [200, 412]
    assert len(history) == 2
    assert by == [("tests",)]
    assert (wrong.status_code, wrong.json()["code"]) == (400, "not_declared")
    assert "y" in wrong.json()["detail"]
    assert (nothing.status_code, policy.status_code) == (412, 404)


async def test_who_declares_one_thing_has_no_other_read(database: str) -> None:
    site_of_stations(database)
    with statements_logged(database) as asked:
        async with served(database, Scope.MASTER_DATA, Scope.DECLARE) as client:
            for key in ("first", "second"):
                made = await client.put(f"/master-data/sites/{key}", json=SHOP)
                assert made.status_code == 200, made.text
                asked.new()
            made = await client.put("/master-data/sites/third", json=SHOP)
            rows = [each.rows for each in asked.new() if "FROM declaration" in each.text]

    assert made.json()["version"] > 0
    # What is newest, now and then; and the site itself as it came.
    assert sum(rows) <= 8
    assert max(rows) <= 1


async def test_a_tag_is_that_of_what_is_changed_whoever_declares_meanwhile(database: str) -> None:
    site_of_stations(database)
    async with served(database, Scope.MASTER_DATA, Scope.DECLARE) as client:
        made = await client.put("/master-data/sites/shop", json=SHOP)
        with held_up(database, LOCK) as (other, held):
            asking = asyncio.create_task(
                client.put(
                    "/master-data/sites/shop",
                    json=SHOP | {"name": "B"},
                    headers={"If-Match": made.headers["etag"]},
                )
            )
            await asyncio.to_thread(held, 1)
            before = load_declarations(other).history(Kind.SITE, "shop")[-1].entity
            assert isinstance(before, Site)
            named = Change(kind=Kind.SITE, key="shop", entity=replace(before, name="C"))
            declare(other, [named], by="a file", at=SystemClock().now())
        late = await asking
    with connect(database) as connection:
        kept = load_declarations(connection).history(Kind.SITE, "shop")[-1].entity

    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    assert isinstance(kept, Site)
    assert kept.name == "C"
