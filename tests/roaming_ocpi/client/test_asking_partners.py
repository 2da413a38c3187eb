"""A partner is asked with the right headers; what it says is an answer or the right error."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from decimal import Decimal

import pytest

from roaming_ocpi.client.answers import (
    ForbiddenAddressError,
    PartnerRefusedError,
    PartnerUnreachableError,
)
from roaming_ocpi.client.audit import CallRecord
from roaming_ocpi.client.transport import IDLE_MAX
from tariffs.ocpi.versions import OcpiVersion
from tests.roaming_ocpi.client.odd_partner import (
    TOKEN,
    answer,
    client_of,
    enveloped,
    link_to,
    odd_partner,
    saying,
)

HTML = b"<html>welcome to the proxy</html>"


async def test_a_push_has_a_token_ids_and_a_route_and_its_answer_comes_without_envelope() -> None:
    said = answer(
        enveloped({"big": "NUMBER"}).replace(b'"NUMBER"', b"123456789012345678.123456789"),
        status="201 Created",
        headers=["Location: /emsp/cdrs/17"],
    )
    async with odd_partner(saying(said)) as partner, client_of() as client:
        link = link_to(partner.url)
        came = await client.ask(link, "POST", f"{partner.url}/emsp/cdrs", body=b'{"id":"1"}')

    [asked] = partner.asked
    assert (asked.method, asked.target, asked.body) == ("POST", "/emsp/cdrs", b'{"id":"1"}')
    assert asked.headers["authorization"] == f"Token {base64.b64encode(TOKEN.encode()).decode()}"
    assert asked.headers["content-type"] == "application/json"
    assert len({asked.headers["x-request-id"], asked.headers["x-correlation-id"]}) == 2
    route = {k: v for k, v in asked.headers.items() if k.startswith("ocpi-")}
    assert route == {
        "ocpi-from-country-code": "DE",
        "ocpi-from-party-id": "HBC",
        "ocpi-to-country-code": "NL",
        "ocpi-to-party-id": "TNM",
    }
    assert came.data["big"] == Decimal("123456789012345678.123456789")
    assert (came.http, came.status_code) == (201, 1000)
    assert came.location == f"{partner.url}/emsp/cdrs/17"


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("version", list(OcpiVersion))
async def test_the_old_version_has_no_ids_and_the_flag_alone_says_how_a_token_is_spelt(
    version: OcpiVersion, *, plain: bool
) -> None:
    async with odd_partner(saying(answer(enveloped([])))) as partner, client_of() as client:
        link = link_to(partner.url, version=version, plain=plain)
        await client.ask(link, "GET", f"{partner.url}/emsp/cdrs")
        await client.ask(link, "GET", f"{partner.url}/credentials")

    first, second = (each.headers for each in partner.asked)
    spelt = first["authorization"].removeprefix("Token ")
    assert (spelt == TOKEN) is plain
    assert ("x-request-id" in first) is (version is not OcpiVersion.V2_1_1)
    # The handshake is with the platform itself, not with a party behind it.
    assert not [name for name in second if name.startswith("ocpi-")]


@pytest.mark.parametrize(
    ("raw", "status_code"),
    [
        pytest.param(answer(enveloped(None, code=1001)), 1001, id="any success is one"),
        pytest.param(answer(enveloped(code="1000")), 1000, id="a code as text"),
        pytest.param(answer(b"", status="204 No Content"), 1000, id="nothing is said"),
        pytest.param(answer(b"\xef\xbb\xbf" + enveloped()), 1000, id="a byte order mark"),
    ],
)
async def test_what_is_a_success(raw: bytes, status_code: int) -> None:
    async with odd_partner(saying(raw)) as partner, client_of() as client:
        came = await client.ask(link_to(partner.url), "PUT", f"{partner.url}/x", body=b"{}")

    assert came.status_code == status_code


@pytest.mark.parametrize(
    ("raw", "http", "status_code"),
    [
        (answer(enveloped(code=2001), status="400 Bad Request"), 400, 2001),
        (answer(enveloped(code=2003)), 200, 2003),
        (answer(enveloped(code=4001)), 200, 4001),
        (answer(HTML, status="404 Not Found"), 404, 2000),
        (answer(b"", status="401 Unauthorized"), 401, 2000),
    ],
)
async def test_what_is_refused_for_good(raw: bytes, http: int, status_code: int) -> None:
    async with odd_partner(saying(raw)) as partner, client_of() as client:
        with pytest.raises(PartnerRefusedError) as caught:
            await client.ask(link_to(partner.url), "PUT", f"{partner.url}/x", body=b"{}")

    assert (caught.value.answer.http, caught.value.answer.status_code) == (http, status_code)


@pytest.mark.parametrize(
    ("raw", "retry_after"),
    [
        (answer(enveloped(code=3000)), None),
        (answer(enveloped(code=4002)), None),
        (answer(enveloped(code=200)), None),
        (answer(HTML), None),
        (answer(b'{"data": []}'), None),
        (answer(b"[" * 100_000), None),
        (answer(b'{"status_code": true}'), None),
        (answer(HTML, status="502 Bad Gateway"), None),
        (answer(status="429 Slow", headers=["Retry-After: 17"]), 17.0),
        (answer(status="503 Away", headers=["Retry-After: 999999999"]), 86_400.0),
        (
            answer(status="503 Away", headers=["Retry-After: Mon, 02 Mar 2026 12:01:00 GMT"]),
            60.0,
        ),
        (answer(status="503 Away", headers=["Retry-After: soon"]), None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", None),
        (b"\x16\x03\x01 this is no HTTP\r\n\r\n", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n", None),
    ],
)
async def test_what_may_come_again(raw: bytes, retry_after: float | None) -> None:
    async def say(_request: object, writer: object) -> None:
        await saying(raw)(_request, writer)  # type: ignore[arg-type]
        writer.close()  # type: ignore[attr-defined]

    heard: list[CallRecord] = []
    async with odd_partner(say) as partner, client_of(heard) as client:
        with pytest.raises(PartnerUnreachableError) as caught:
            await client.ask(link_to(partner.url), "PUT", f"{partner.url}/x", body=b"{}")

    assert caught.value.retry_after_s == retry_after
    assert [each.trouble for each in heard] == ["unreachable"]


@pytest.mark.parametrize("status", ["301 Moved", "307 Temporary", "308 Permanent"])
async def test_nobody_follows_a_redirect(status: str) -> None:
    async with odd_partner(saying(answer(enveloped()))) as elsewhere:
        raw = answer(b"", status=status, headers=[f"Location: {elsewhere.url}/x"])
        async with odd_partner(saying(raw)) as partner, client_of() as client:
            with pytest.raises(ForbiddenAddressError, match="redirects"):
                await client.ask(link_to(partner.url), "GET", f"{partner.url}/x")

    assert (len(partner.asked), elsewhere.asked) == (1, [])


async def test_a_connection_is_used_again_and_no_answer_belongs_to_another_request() -> None:
    async def say(request: object, writer: object) -> None:
        await saying(answer(enveloped(request.target)))(request, writer)  # type: ignore[attr-defined,arg-type]

    async with odd_partner(say) as partner, client_of() as client:
        link = link_to(partner.url)
        targets = [f"/x/{number}" for number in range(IDLE_MAX * 2)]
        came = [(await client.ask(link, "GET", partner.url + each)).data for each in targets]

    assert came == targets
    assert partner.connections == 1


async def test_every_call_is_heard_of_without_a_token_or_a_drivers_name() -> None:
    heard: list[CallRecord] = []
    said = saying(answer(enveloped(code=2000)))
    async with odd_partner(said) as partner, client_of(heard) as client:
        link = link_to(partner.url)
        with pytest.raises(PartnerRefusedError) as caught:
            await client.ask(link, "PUT", f"{partner.url}/emsp/cdrs/04AABB", body=b"{}")
        with pytest.raises(ForbiddenAddressError):
            await client.ask(link, "GET", "http://[::1")

    [asked] = partner.asked
    assert [(each.module, each.http, each.status_code) for each in heard] == [
        ("cdrs", 200, 2000),
        (None, None, None),
    ]
    assert heard[0].template == f"{partner.url}/emsp/cdrs/..."
    assert heard[0].request_id == asked.headers["x-request-id"]
    spelt = base64.b64encode(TOKEN.encode()).decode()
    told: Sequence[object] = [*heard, caught.value, caught.value.answer, link]
    assert not [each for each in told if TOKEN in repr(each) or spelt in repr(each)]
