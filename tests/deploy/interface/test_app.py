"""What holds for every route of the interface, whoever brings it."""

from __future__ import annotations

from typing import Any

import pytest
from litestar import get, post
from litestar.params import JSONBody
from litestar.testing import TestClient

from deploy.interface.access import Bearer, Scope
from deploy.interface.app import FOR_ANYBODY, build_app


@get("/forgotten", sync_to_thread=False)
def forgotten() -> str:
    """Say nothing of a scope."""
    return "open"


@post("/wishes", sync_to_thread=False, opt=FOR_ANYBODY)
def wishes(data: JSONBody[dict[str, Any]]) -> int:
    """Count what was wished for."""
    return len(data)


async def _everything(_digest: bytes) -> Bearer:
    return Bearer("ann", frozenset(Scope))


def test_a_route_that_says_no_scope_is_closed_to_every_token() -> None:
    app = build_app([forgotten], find=_everything, parts={})
    with TestClient(app) as client:
        answer = client.get("/forgotten", headers={"Authorization": "Bearer x"})

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_a_body_that_is_too_deep_is_their_fault_and_fills_no_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = build_app([wishes], find=_everything, parts={})
    with TestClient(app) as client:
        answer = client.post("/wishes", content=b"[" * 100_000)

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert not caplog.records
