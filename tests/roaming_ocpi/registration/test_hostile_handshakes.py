"""Whoever registers with odd credentials, or an odd side, is told why, and nothing is kept."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import httpx

from roaming_ocpi.registration.link import LinkState
from roaming_ocpi.registration.store import revoke
from tests.fakes import NOON
from tests.roaming_ocpi.client.odd_partner import (
    Request,
    Say,
    answer,
    enveloped,
    odd_partner,
    saying,
)
from tests.roaming_ocpi.registration.linking_instance import (
    OURS,
    THEIRS,
    LinkingInstance,
    emsp,
    linking_instance,
)

ROLE = {"role": "EMSP", "party_id": "TNM", "country_code": "NL", "business_details": {"name": "T"}}


async def posted(ours: LinkingInstance, token: str, body: bytes) -> tuple[int, int, str]:
    """Return HTTP's status, OCPI's and its message."""
    spelt = base64.b64encode(token.encode()).decode()
    headers = {"Authorization": f"Token {spelt}", "Content-Type": "application/json"}
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        url = f"{ours.address}/2.2.1/credentials"
        came = await client.post(url, content=body, headers=headers)
    said = came.json()
    return came.status_code, said["status_code"], said["status_message"]


def credentials(url: str = "http://127.0.0.1:9/versions", **more: object) -> bytes:
    return json.dumps({"token": "secret-B", "url": url, "roles": [ROLE], **more}).encode()


async def test_odd_credentials_are_refused_and_nothing_of_them_is_kept(database: str) -> None:
    bodies = [
        b"",
        b"{",
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"[" * 5_000,
        b'{"token": NaN, "url": Infinity, "roles": -Infinity}',
        credentials(token="\0" * 10),
        credentials(token="\ud800"),
        credentials(token=10**400),
        credentials(roles=[{**ROLE, "party_id": "\0\0\0"}]),
        credentials(roles=[[ROLE]]),
        credentials(roles={"0": ROLE}),
        credentials(roles=[ROLE] * 2_000),
        credentials("http://127.0.0.1:0/"),
        credentials("javascript:alert(1)"),
        credentials("http://a@b/"),
        b'{"token": "a", "token": "b", "url": "x", "roles": []}',
        b"\xff\xfe{}",
    ]
    async with linking_instance(database, OURS, (THEIRS, emsp("2.2.1"))) as ours:
        token = await ours.invited(THEIRS)
        for body in bodies:
            http, status, message = await posted(ours, token, body)
            assert (http, status) == (400, 2001), (body[:80], message)
            assert "secret" not in message
        assert ours.rows("SELECT state, sealed FROM roaming_link") == [("invited", None)]
        assert ours.rows("SELECT kind FROM roaming_token") == [("invitation",)]


def offering(version: str = "2.2.1", endpoints: object = ()) -> Say:
    """A partner's side that offers a version with *endpoints*."""

    async def say(request: Request, writer: Any) -> None:  # noqa: ANN401 - a socket's
        host = request.headers["host"]
        versions = [{"version": version, "url": f"http://{host}/details"}]
        details = {"version": version, "endpoints": endpoints}
        data = details if request.target == "/details" else versions
        await saying(answer(enveloped(data)))(request, writer)

    return say


ODD_SIDES: Mapping[str, tuple[Say, int]] = {
    "a page": (saying(answer(b"<html>")), 3001),
    "too much": (saying(answer(b" " * (9 << 20))), 3001),
    "no": (saying(answer(enveloped(code=2001))), 3001),
    "it does not know its own token": (saying(answer(status="401 No")), 3001),
    "elsewhere": (
        saying(answer(status="302 There", headers=["Location: http://127.0.0.1:9/"])),
        3001,
    ),
    "no versions": (saying(answer(enveloped({"odd": []}))), 3002),
    "another version": (offering("2.1.1"), 3002),
    "nothing known": (offering(endpoints=[{"identifier": "x", "url": "y"}]), 3003),
    "no list": (offering(endpoints="all"), 3003),
}


async def test_an_odd_side_is_told_by_its_status(database: str) -> None:
    spelt = base64.b64encode(b"secret-B").decode()
    async with linking_instance(database, OURS, (THEIRS, emsp("2.2.1"))) as ours:
        token = await ours.invited(THEIRS)
        for name, (say, status) in ODD_SIDES.items():
            async with odd_partner(say) as partner:
                came = await posted(ours, token, credentials(f"{partner.url}/versions"))
            assert came[:2] == (200, status), name
            assert "secret" not in came[2]
            # It was asked by the token that it gave, and by nothing else of ours.
            assert {each.headers["authorization"] for each in partner.asked} == {f"Token {spelt}"}
        assert ours.rows("SELECT state, sealed FROM roaming_link") == [("invited", None)]


async def test_a_link_that_is_ended_while_a_partner_registers_stays_ended(database: str) -> None:
    endpoints = [{"identifier": "cdrs", "role": "RECEIVER", "url": "http://127.0.0.1:9/cdrs"}]
    async with linking_instance(database, OURS, (THEIRS, emsp("2.2.1"))) as ours:
        fine = offering(endpoints=endpoints)

        async def say(request: Request, writer: Any) -> None:  # noqa: ANN401 - a socket's
            async with ours.pool.connection() as connection:
                await revoke(connection, THEIRS, at=NOON, by="anna", why="no")
            await fine(request, writer)

        async with odd_partner(say) as partner:
            token = await ours.invited(THEIRS)
            came = await posted(ours, token, credentials(f"{partner.url}/versions"))

        assert came[0] == 405
        assert ours.rows("SELECT state, sealed FROM roaming_link") == [(LinkState.REVOKED, None)]
        assert ours.rows("SELECT * FROM roaming_token") == []
