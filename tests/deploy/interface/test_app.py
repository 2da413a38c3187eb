"""What holds for every route of the interface, whoever brings it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, cast

import httpx
import psycopg
import pytest
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.testing import TestClient

from deploy.interface.access import Bearer, Scope
from deploy.interface.app import BODY_MAX, FOR_ANYBODY, build_app


@get("/forgotten", sync_to_thread=False)
def forgotten() -> str:
    """Say nothing of a scope."""
    return "open"


@post("/wishes", sync_to_thread=False, opt=FOR_ANYBODY)
def wishes(data: JSONBody[dict[str, Any]]) -> int:
    """Count what was wished for."""
    return len(data)


@get("/sums", sync_to_thread=False, opt=FOR_ANYBODY)
def counting(first: NamedDependency[int], second: NamedDependency[int]) -> int:
    """Add two parts up."""
    return first + second


async def _everything(_digest: bytes) -> Bearer:
    return Bearer("ann", frozenset(Scope))


def test_a_route_that_says_no_scope_is_closed_to_every_token() -> None:
    app = build_app([forgotten], find=_everything, parts={})
    with TestClient(app) as client:
        answer = client.get("/forgotten", headers={"Authorization": "Bearer x"})

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_asking_what_may_be_done_opens_nothing() -> None:
    app = build_app([forgotten, wishes], find=_everything, parts={})
    with TestClient(app) as client:
        answers = [client.options(path) for path in ("/forgotten", "/wishes")]

    assert [each.status_code for each in answers] == [403, 403]


async def test_parts_are_given_one_after_the_other_without_a_task_for_each() -> None:
    app = build_app([counting], find=_everything, parts={"first": 1, "second": 2})
    started: list[object] = []

    def starting(
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        **options: Any,  # noqa: ANN401 - a loop's own
    ) -> asyncio.Task[Any]:
        started.append(work)
        return asyncio.Task(cast("Coroutine[Any, Any, Any]", work), loop=loop, **options)

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(cast("Any", app)), base_url="http://test"
    ) as client:
        asyncio.get_running_loop().set_task_factory(starting)
        answer = await client.get("/sums")
        asyncio.get_running_loop().set_task_factory(None)

    assert (answer.text, started) == ("3", [])


def test_what_no_route_says_no_to_says_what_to_do() -> None:
    app = build_app([wishes], find=_everything, parts={})
    with TestClient(app) as client:
        answers = [
            client.get("/nowhere"),
            client.get("/wishes"),
            client.post("/wishes", content=b" " * (BODY_MAX + 1)),
        ]
        details = [each.json()["detail"] for each in answers]

    assert [each.status_code for each in answers] == [404, 405, 413]
    assert "POST" in answers[1].headers["allow"]
    assert ["openapi" in details[0], "Allow" in details[1], "1 MiB" in details[2]] == [True] * 3


@pytest.mark.parametrize("kind", [psycopg.DataError, psycopg.errors.NumericValueOutOfRange])
def test_no_answer_quotes_what_the_database_was_asked(kind: type[Exception]) -> None:
    error = kind("LINE 1: SELECT secret FROM subject")

    @get("/sums", sync_to_thread=False, opt=FOR_ANYBODY)
    def failing() -> None:
        raise error

    with TestClient(build_app([failing], find=_everything, parts={})) as client:
        answer = client.get("/sums")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert "SELECT" not in answer.text


def test_a_body_that_is_too_deep_is_their_fault_and_fills_no_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = build_app([wishes], find=_everything, parts={})
    with TestClient(app) as client:
        answer = client.post("/wishes", content=b"[" * 100_000)

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert not caplog.records
