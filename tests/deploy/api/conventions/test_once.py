"""A request under a key is done once, however often it is sent, and by however many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import httpx
import psycopg
import pytest
from litestar import Response, post
from litestar.middleware import DefineMiddleware
from litestar.params import JSONBody
from psycopg_pool import ConnectionPool

from deploy.api.conventions.once import OnceMiddleware
from deploy.clock import SystemClock
from deploy.interface.access import Bearer, Scope
from deploy.interface.app import build_app
from ledger.database import connect, connect_options

done: list[int] = []


@post("/acts", opt={"scope": "declare", "is_cut": True}, status_code=HTTPStatus.OK)
async def act(data: JSONBody[dict[str, Any]]) -> Response[dict[str, Any]]:
    """Do something that is not to be done twice."""
    await asyncio.sleep(data.get("seconds", 0))
    done.append(data["number"])
    if data.get("fails"):
        message = "a fault of ours"
        raise RuntimeError(message)
    content = {"number": data["number"], "time": len(done), "secret": "04A1B2C3"}
    return Response(content, status_code=data.get("status", 200))


async def _find(digest: bytes) -> Bearer | None:
    return Bearer(digest.hex()[:8], frozenset(Scope))


@pytest.fixture
def app(database: str) -> Iterator[httpx.ASGITransport]:
    done.clear()
    options = {"options": connect_options(database), "autocommit": True}
    pool: ConnectionPool[Any]
    with ConnectionPool(database, kwargs=options, open=True) as pool:
        around = DefineMiddleware(OnceMiddleware, pool=pool, now=SystemClock().now, body_max=1_000)
        served: Any = build_app([act], find=_find, parts={}, around=[around])
        yield httpx.ASGITransport(served)


def asking(app: httpx.ASGITransport, token: str = "wl_1") -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(transport=app, base_url="http://test", headers=headers)


async def ask(client: httpx.AsyncClient, key: str, **body: object) -> httpx.Response:
    return await client.post("/acts", json={"number": 1, **body}, headers={"Idempotency-Key": key})


async def test_the_same_request_is_answered_the_same_and_another_one_refused(
    app: httpx.ASGITransport,
) -> None:
    async with asking(app) as client, asking(app, "wl_2") as other:
        first = await ask(client, "a")
        again = await ask(client, "a")
        another = await ask(client, "a", number=2)
        under_another = await ask(client, "b")
        of_another = await ask(other, "a")
        without = await client.post("/acts", json={"number": 9})

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()
    assert (first.headers.get("idempotency-replayed"), again.headers["idempotency-replayed"]) == (
        None,
        "true",
    )
    assert (another.status_code, another.json()["code"]) == (422, "idempotency_key_reused")
    assert [each.json()["time"] for each in (under_another, of_another, without)] == [2, 3, 4]
    assert done == [1, 1, 1, 9]


async def test_two_at_once_are_done_once(app: httpx.ASGITransport) -> None:
    async with asking(app) as client:
        answers = await asyncio.gather(*(ask(client, "a", seconds=0.3) for _ in range(5)))

    assert done == [1]
    assert {each.text for each in answers} == {answers[0].text}
    assert {each.status_code for each in answers} == {200}


@pytest.mark.parametrize(
    ("body", "again", "times"),
    [
        ({"status": 409}, (409, None), 1),
        ({"status": 403}, (403, None), 2),
        ({"fails": True}, (409, "outcome_unknown"), 1),
    ],
)
async def test_a_refusal_is_kept_and_a_fault_of_ours_leaves_a_doubt(
    app: httpx.ASGITransport, body: dict[str, Any], again: tuple[int, str | None], times: int
) -> None:
    async with asking(app) as client:
        await ask(client, "a", **body)
        second = await ask(client, "a", **body)

    assert (second.status_code, second.json().get("code")) == again
    assert len(done) == times


async def test_who_was_cut_off_leaves_a_doubt(app: httpx.ASGITransport, database: str) -> None:
    async with asking(app) as client:
        await ask(client, "a", fails=True)
        with connect(database) as connection:
            query = "UPDATE idempotency_key SET is_unclear = false, begun_at = %s"
            connection.execute(query, (SystemClock().now() - timedelta(minutes=3),))
        second = await ask(client, "a", fails=True)

    assert (second.status_code, second.json()["code"], done) == (409, "outcome_unknown", [1])


async def test_what_was_answered_stays_and_is_no_clear_text(
    app: httpx.ASGITransport, database: str
) -> None:
    async with asking(app) as client:
        await ask(client, "kept")
        refused = [await ask(client, key) for key in ("", "x" * 201, "a b")]
    with connect(database) as connection:
        [row] = connection.execute("SELECT * FROM idempotency_key").fetchall()
        for change in ("DELETE FROM idempotency_key", "UPDATE idempotency_key SET status = 1"):
            with pytest.raises(psycopg.Error, match="what was answered stays"):
                connection.execute(change.encode())

    assert not [each for each in row if b"04A1B2C3" in str(each).encode()]
    assert "wl_1" not in str(row)
    assert {each.json()["code"] for each in refused} == {"bad_idempotency_key"}


async def test_a_body_that_is_too_long_is_not_read_to_its_end(app: httpx.ASGITransport) -> None:
    async with asking(app) as client:
        answer = await ask(client, "a", text="x" * 2_000)

    assert (answer.status_code, done) == (413, [])
