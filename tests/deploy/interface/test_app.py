"""What holds for every route of the interface, whoever brings it."""

from __future__ import annotations

from litestar import get
from litestar.testing import TestClient

from deploy.interface.access import Bearer, Scope
from deploy.interface.app import build_app


@get("/forgotten", sync_to_thread=False)
def forgotten() -> str:
    """Say nothing of a scope."""
    return "open"


async def _everything(_digest: bytes) -> Bearer:
    return Bearer("ann", frozenset(Scope))


def test_a_route_that_says_no_scope_is_closed_to_every_token() -> None:
    app = build_app([forgotten], find=_everything, parts={})
    with TestClient(app) as client:
        answer = client.get("/forgotten", headers={"Authorization": "Bearer x"})

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
