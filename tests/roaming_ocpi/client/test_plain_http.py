"""The quick way over HTTP says and reads what h11 does, and leaves to it whatever is odd."""

from __future__ import annotations

import asyncio

import h11
import httpx
import pytest

from roaming_ocpi.client.answers import PartnerUnreachableError
from roaming_ocpi.client.plain_http import PlainHead, plain_head, request_head
from roaming_ocpi.client.transport import WireCall
from tests.roaming_ocpi.client.odd_partner import (
    Request,
    answer,
    client_of,
    enveloped,
    link_to,
    odd_partner,
    saying,
)

FINE = answer(b"{}", headers=["Content-Type: application/json", "X-Total-Count: 7"])
HEADERS = {"Authorization": "Token c2VjcmV0", "X-Request-ID": "r 1"}


def read_by_h11(came: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Return status, headers and body of an answer to a POST, as h11 reads it."""
    http = h11.Connection(h11.CLIENT)
    http.send(h11.Request(method="POST", target="/x", headers=[("Host", "x")]))
    http.send(h11.EndOfMessage())
    http.receive_data(came)
    head, body = http.next_event(), b""
    assert isinstance(head, h11.Response)
    while isinstance(event := http.next_event(), h11.Data):
        body += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage)
    return head.status_code, list(head.headers), body


@pytest.mark.parametrize(
    "came",
    [
        FINE,
        answer(enveloped([]), status="404 Not Found"),
        answer(b"", status="500 "),
        answer(b"x" * 70_000, headers=["Connection: keep-alive", "Date: Mon, 02 Mar 2026"]),
        answer(b"x", headers=["Link: <https://x.example/?a=1>; rel=next", "link: <y>"]),
    ],
)
def test_a_plain_answer_is_read_as_h11_reads_it(came: bytes) -> None:
    found = plain_head(came, size_max=1 << 20)

    assert found is not None
    assert found.ends_at == len(came)
    status, headers, body = read_by_h11(came)
    assert (found.http, found.headers, came[found.body_at :]) == (status, headers, body)


@pytest.mark.parametrize(
    "came",
    [
        b"",
        FINE[:20],
        FINE + b"H",
        FINE.replace(b"HTTP/1.1", b"HTTP/1.0"),
        FINE.replace(b"200 OK", b"100 Continue"),
        FINE.replace(b"200 OK", b"204 No Content"),
        FINE.replace(b"200 OK", b"304 Not Modified"),
        FINE.replace(b"200 OK\r\n", b"200 OK\r\nContent-Length: 2\r\n"),
        FINE.replace(b"Content-Length: 2", b"Content-Length: +2"),
        FINE.replace(b"Content-Length: 2", b"Content-Length: 2, 2"),
        FINE.replace(b"Content-Length: 2", b"Content-Length: 1048577"),
        FINE.replace(b"Content-Length: 2\r\n", b""),
        FINE.replace(b"X-Total-Count: 7", b"Transfer-Encoding: chunked"),
        FINE.replace(b"X-Total-Count: 7", b"transfer-encoding: identity"),
        FINE.replace(b"X-Total-Count: 7", b"Connection: close"),
        FINE.replace(b"X-Total-Count: 7", b"Connection: keep-alive, close"),
        FINE.replace(b"X-Total-Count: 7", b"Upgrade: h2c"),
        FINE.replace(b"X-Total-Count: 7", b"X-Total-Count:7"),
        FINE.replace(b"X-Total-Count: 7", b"X-Total-Count : 7"),
        FINE.replace(b"X-Total-Count: 7", b"X-Total-Count: 7\r\n folded"),
        FINE.replace(b"X-Total-Count: 7", b"X-Total-Count: \x007"),
        FINE.replace(b"X-Total-Count: 7", b"X-Total-Count: 7\nX: 8"),
        FINE.replace(b"\r\n", b"\n"),
    ],
)
def test_what_could_be_read_in_two_ways_is_not_plain(came: bytes) -> None:
    assert plain_head(came, size_max=1 << 20) is None


def test_an_answer_as_long_as_allowed_is_plain_and_a_byte_more_is_not() -> None:
    came = answer(b"12345")

    assert isinstance(plain_head(came, size_max=5), PlainHead)
    assert plain_head(came, size_max=4) is None


@pytest.mark.parametrize(("method", "body"), [("GET", b""), ("POST", b"{}"), ("PUT", b"")])
def test_a_request_goes_out_as_h11_writes_it(method: str, body: bytes) -> None:
    call = WireCall(method, httpx.URL("https://x.example:8443/a%20b?c=d"), HEADERS, body)

    assert call.plain_head() == h11.Connection(h11.CLIENT).send(call.head())


@pytest.mark.parametrize(
    "value", ["a\r\nX: y", "a\n", "a\0", " a", "a ", "", "\u00e9", "a\tb", "a\r"]
)
def test_no_value_of_a_header_makes_another_header(value: str) -> None:
    assert request_head("GET", "/x", [("Host", "x"), ("Authorization", value)]) is None
    assert request_head("GET", f"/x{value} y", [("Host", "x")]) is None
    assert request_head("GET", "/x", [("Host", "x"), (f"A{value}:", "b")]) is None


async def test_a_token_that_no_header_can_have_is_sent_to_nobody() -> None:
    async with odd_partner(saying(FINE)) as partner, client_of() as client:
        link = link_to(partner.url)._replace(token="a\r\nX: y", is_plain=True)
        with pytest.raises(PartnerUnreachableError, match="LocalProtocolError"):
            await client.ask(link, "GET", f"{partner.url}/x")

    assert partner.asked == []


@pytest.mark.parametrize("at", [1, 30, 90, -40, -1])
async def test_an_answer_that_comes_in_two_pieces_is_one(at: int) -> None:
    whole = answer(enveloped([1, 2, 3]), headers=["Content-Type: application/json"])

    async def say(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(whole[:at])
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(whole[at:])

    async with odd_partner(say) as partner, client_of() as client:
        first, second = [
            await client.ask(link_to(partner.url), "GET", f"{partner.url}/x") for _ in range(2)
        ]

    assert first.data == second.data == [1, 2, 3]
    assert partner.connections == 1


async def test_what_comes_behind_an_answer_is_no_answer_to_what_is_asked_next() -> None:
    behind = answer(enveloped(["another"]))
    said = iter([answer(enveloped(["first"])) + behind, answer(enveloped(["second"]))])

    async def say(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(next(said))

    async with odd_partner(say) as partner, client_of() as client:
        found = [await client.ask(link_to(partner.url), "GET", f"{partner.url}/x") for _ in "ab"]

    assert [each.data for each in found] == [["first"], ["second"]]
    assert partner.connections == len(found)


@pytest.mark.parametrize("pause", [0.0, 0.05])
@pytest.mark.parametrize(
    "unasked",
    [
        answer(enveloped(["another"])),
        answer(status="408 Request Timeout", headers=["Connection: close"]),
        b"x",
    ],
)
@pytest.mark.parametrize("headers", [[], ["Odd:"]], ids=["plain", "by h11"])
async def test_what_a_partner_says_unasked_is_no_answer_to_what_is_asked_next(
    unasked: bytes, headers: list[str], pause: float
) -> None:
    said = iter("abc")

    async def say(_request: Request, writer: asyncio.StreamWriter) -> None:
        whole = answer(enveloped([next(said)]), headers=headers)
        # Its end in a piece of its own, with what is unasked in the same one or after a while.
        writer.write(whole[:-1])
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(whole[-1:] + (b"" if pause else unasked))
        await asyncio.sleep(pause)
        if pause:
            writer.write(unasked)

    async with odd_partner(say) as partner, client_of() as client:
        found = []
        for _ in range(3):
            found.append(await client.ask(link_to(partner.url), "GET", f"{partner.url}/x"))
            await asyncio.sleep(2 * pause)

    assert [each.data for each in found] == [["a"], ["b"], ["c"]]
    assert partner.connections == len(found)


async def test_an_answer_that_is_cut_off_is_none() -> None:
    async def say(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(enveloped([]))[:-1])
        await writer.drain()
        writer.close()

    async with odd_partner(say) as partner, client_of() as client:
        with pytest.raises(PartnerUnreachableError, match="cut off"):
            await client.ask(link_to(partner.url), "GET", f"{partner.url}/x")
