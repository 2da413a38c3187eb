"""A partner pages through a list of ours while the tokens change: no page is lost."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from ledger.database import connect_async
from ledger.declared.declarations import Kind
from roaming_ocpi.registration.store import new_token, promise
from roaming_ocpi.server.front.callers import FRESH_SECONDS
from tests.roaming_ocpi.places.declared_places import SITE, STATION, change, declared_in
from tests.roaming_ocpi.server.linked_partner import THEIRS, linked_partner
from tests.roaming_ocpi.server.offered_to_all import offered_to_all

SITES = [f"quay-{number}" for number in range(5)]


async def test_no_page_is_lost_and_the_older_token_holds_until_the_new_one_is_used(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with offered_to_all(database, tmp_path, monkeypatch) as address:
        old = await linked_partner(database)
        for site in SITES:
            declared_in(
                database,
                change(Kind.SITE, site, replace(SITE, legal_entity="harbour")),
                change(Kind.STATION, f"HB-{site[-1]}", replace(STATION, site=site)),
            )
        async with httpx.AsyncClient(trust_env=False) as client:

            async def page(url: str, token: str) -> httpx.Response:
                return await client.get(url, headers={"Authorization": f"Token {token}"})

            pages = [await page(f"{address}/ocpi/cpo/2.2.1/locations?limit=1", old)]
            token = new_token()
            async with await connect_async(database) as connection:
                await promise(connection, THEIRS, token, ends=0, at=datetime.now(UTC), by="ann")
            new = base64.b64encode(token.encode()).decode()
            # Our versions are looked at by it before it is kept: the older one holds on.
            assert (await page(f"{address}/ocpi/versions", new)).status_code == 200
            for spelt in (old, old, new, new):
                pages.append(await page(pages[-1].links["next"]["url"], spelt))
            await asyncio.sleep(FRESH_SECONDS)
            again = await page(str(pages[-1].url), old)

    assert [each.status_code for each in pages] == [200] * 5
    assert [[place["id"] for place in each.json()["data"]] for each in pages] == [
        [site] for site in SITES
    ]
    assert "next" not in pages[-1].links
    assert (again.status_code, again.json()["status_code"]) == (401, 2000)
