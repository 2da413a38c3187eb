"""Webhooks over HTTP: made once with a secret that is shown once, told, looked at, ended."""

from __future__ import annotations

import asyncio

from deploy.interface.access import Scope
from deploy.settings import Settings
from ledger.database import connect
from tests.deploy.api.books_served import invoices_of_a_day
from tests.deploy.interface.served_interface import served
from tests.projections.webhooks.receiver import receiving


async def test_a_webhook_is_made_told_told_again_and_ended(database: str) -> None:
    issued = invoices_of_a_day(database)
    settings = Settings(webhook_networks="127.0.0.0/8")
    with receiving() as receiver:
        async with served(database, Scope.WEBHOOKS, settings=settings) as client:
            wish = {"url": receiver.url, "kinds": ["invoice.issued"], "since": "start"}
            key = {"Idempotency-Key": "one"}
            made, again = [await client.post("/webhooks", json=wish, headers=key) for _ in "12"]
            webhook = made.json()["id"]
            await asyncio.to_thread(receiver.until, len(issued))
            path = f"/webhooks/{webhook}/deliveries"
            for _ in range(600):
                if not (await client.get(path, params={"state": "waiting"})).json()["items"]:
                    break
                await asyncio.sleep(0.1)
            page = (await client.get(path, params={"limit": 3})).json()
            rest = (await client.get(path, params={"cursor": page["next"]})).json()
            first = rest["items"][-1]
            one = (await client.get(f"{path}/{first['number']}")).json()
            replayed = await client.post(
                f"/webhooks/{webhook}/replays", json={"event": first["event"]}
            )
            await asyncio.to_thread(receiver.until, len(issued) + 1)
            wrong = [
                (await client.post(f"/webhooks/{webhook}/replays", json=body)).status_code
                for body in ({}, {"event": "feed/9/9"}, {"partition": 7}, {"partition": -2})
            ]
            listed = await client.get("/webhooks")
            ended = await client.delete(f"/webhooks/{webhook}")
            gone = await client.delete(f"/webhooks/{webhook}")
            late = await client.post(f"/webhooks/{webhook}/replays", json={"partition": -1})
            unfit = await client.post("/webhooks", json={"url": receiver.url, "kinds": ["x"]})
    with connect(database) as connection:
        rows = connection.execute("SELECT * FROM webhook, idempotency_key").fetchall()

    secret = made.json()["secret"]
    assert (made.status_code, again.json()) == (201, made.json())
    assert len(page["items"] + rest["items"]) == len(issued)
    assert [each["status"] for each in one["log"]] == [200]
    assert (replayed.status_code, receiver.events[-1]) == (202, first["event"])
    assert wrong == [400, 404, 404, 400]
    assert secret not in listed.text
    assert len(listed.json()["items"]) == 1
    assert secret.removeprefix("whsec_") not in str(rows)
    assert (ended.status_code, gone.status_code, late.status_code) == (204, 404, 404)
    assert (unfit.status_code, unfit.json()["code"]) == (400, "unfit_webhook")
