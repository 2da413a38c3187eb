"""Whatever a partner's address or answer is: nothing private is reached, nothing is unbounded."""

from __future__ import annotations

import asyncio
import gzip
import resource
import socket
import ssl
import zlib
from pathlib import Path

import pytest

from roaming_ocpi.client import http as client_http
from roaming_ocpi.client.answers import ForbiddenAddressError, PartnerUnreachableError
from roaming_ocpi.client.transport import BODY_MAX
from tests.certificates import Authority
from tests.roaming_ocpi.client.odd_partner import (
    Request,
    answer,
    client_of,
    enveloped,
    link_to,
    odd_partner,
    saying,
)

FINE = answer(enveloped([]))


def leads_to(monkeypatch: pytest.MonkeyPatch, *rounds: list[str]) -> list[str]:
    """Have names lead where the first of *rounds* says, then the next; say who was asked."""
    asked: list[str] = []

    def answers(host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        addresses = rounds[min(len(asked), len(rounds) - 1)]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", answers)
    return asked


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]"],
)
async def test_this_machine_is_not_asked_however_it_is_spelt(host: str) -> None:
    async with odd_partner(saying(FINE)) as partner, client_of(allow_private=False) as client:
        url = partner.url.replace("127.0.0.1", host)
        with pytest.raises((ForbiddenAddressError, PartnerUnreachableError)):
            await client.ask(link_to(url), "GET", f"{url}/x")

    assert partner.connections == 0


@pytest.mark.parametrize(
    "addresses",
    [
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["8.8.8.8", "127.0.0.1"],
        ["64:ff9b::a9fe:a9fe"],
        ["::ffff:10.0.0.1"],
        ["224.0.0.1"],
        ["0.0.0.0"],
    ],
)
async def test_a_name_with_any_address_that_is_not_public_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    leads_to(monkeypatch, addresses)
    async with client_of(allow_private=False) as client:
        with pytest.raises(ForbiddenAddressError, match="private network"):
            await client.ask(link_to("https://x.example"), "GET", "https://x.example/ocpi")


async def test_a_name_that_leads_elsewhere_by_now_moves_no_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with odd_partner(saying(FINE)) as partner, client_of() as client:
        # The second look-up, by whoever made it, would lead to a server that is not there.
        asked = leads_to(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
        url = partner.url.replace("127.0.0.1", "partner.example")
        for _ in range(3):
            await client.ask(link_to(url), "GET", f"{url}/x")

    assert asked == ["partner.example"]
    assert {each.headers["host"].split(":")[0] for each in partner.asked} == {"partner.example"}


async def test_a_name_of_other_letters_is_looked_up_as_it_was_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with odd_partner(saying(FINE)) as partner, client_of() as client:
        asked = leads_to(monkeypatch, ["127.0.0.1"])
        # Strasse with a sharp s: an older rule makes "strasse" of it, somebody else's name.
        url = partner.url.replace("127.0.0.1", "xn--strae-oqa.example")
        await client.ask(link_to(url), "GET", f"{url}/x")

    assert asked == ["xn--strae-oqa.example"]
    assert partner.asked[0].headers["host"].startswith("xn--strae-oqa.example:")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x.example/",
        "file:///etc/passwd",
        "http://user:word@x.example/",
        "http://x.example@127.0.0.1/",
        "http:///x",
        "http://x.example\\@127.0.0.1/",
        "http://x.example/a b",
        "http://x.example/\r\nX: 1",
        "http://x.example:99999/",
        "http://x.example:0/",
        "http://[::1",
        "//x.example/",
        "gopher://x",
        "http://" + "a" * 3_000,
        "http://\u2488.example/",
        "",
    ],
)
async def test_an_odd_address_is_none(url: str) -> None:
    async with client_of() as client:
        with pytest.raises(ForbiddenAddressError):
            await client.ask(link_to("http://x.example"), "GET", url)


async def test_a_token_of_who_speaks_tls_does_not_go_in_the_clear() -> None:
    async with odd_partner(saying(FINE)) as partner, client_of() as client:
        with pytest.raises(ForbiddenAddressError, match="in the clear"):
            await client.ask(link_to("https://x.example"), "GET", f"{partner.url}/x")

    assert partner.connections == 0


def chunked(content: bytes, times: int) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = f"{len(content):x}\r\n".encode() + content + b"\r\n"
    return head + chunk * times + b"0\r\n\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(answer(b" " * 10_000_000), id="large, and says so"),
        pytest.param(chunked(b" " * 100_000, 100), id="large, in pieces"),
        pytest.param(
            answer(gzip.compress(b" " * (200 << 20)), headers=["Content-Encoding: gzip"]),
            id="a bomb",
        ),
        pytest.param(
            answer(zlib.compress(b" " * (200 << 20)), headers=["Content-Encoding: deflate"]),
            id="a bomb of another kind",
        ),
        pytest.param(
            answer(
                gzip.compress(gzip.compress(b" " * (64 << 20))),
                headers=["Content-Encoding: gzip, gzip"],
            ),
            id="packed twice",
        ),
        pytest.param(answer(b"{}", headers=["Content-Encoding: br"]), id="packed unasked"),
        pytest.param(answer(b"\x1f\x8bno", headers=["Content-Encoding: gzip"]), id="not packed"),
        pytest.param(
            answer(gzip.compress(enveloped())[:-9], headers=["Content-Encoding: gzip"]),
            id="cut off",
        ),
        pytest.param(
            answer(headers=[f"X-{number}: {'x' * 900}" for number in range(200)]),
            id="headers without end",
        ),
    ],
)
async def test_an_answer_is_bounded_also_when_it_is_unpacked(raw: bytes) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with odd_partner(saying(raw)) as partner, client_of() as client:
        with pytest.raises(PartnerUnreachableError):
            await client.ask(link_to(partner.url), "GET", f"{partner.url}/x")

    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kb < 6 * BODY_MAX // 1024


async def test_what_is_packed_and_of_sane_size_is_read() -> None:
    raw = answer(gzip.compress(enveloped([1, 2])), headers=["Content-Encoding: gzip"])
    async with odd_partner(saying(raw)) as partner, client_of() as client:
        came = await client.ask(link_to(partner.url), "GET", f"{partner.url}/x")

    assert came.data == [1, 2]


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000 + answer(enveloped()), id="notices"),
        pytest.param(chunked(b"x", 100_000), id="pieces of a byte"),
    ],
)
async def test_what_is_around_an_answer_is_bounded_too(raw: bytes) -> None:
    async with odd_partner(saying(raw)) as partner, client_of(answer_bytes_max=50_000) as client:
        with pytest.raises(PartnerUnreachableError, match="larger than 50,000 bytes"):
            await client.ask(link_to(partner.url), "GET", f"{partner.url}/x")


@pytest.mark.parametrize("dripped", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b""])
async def test_who_drips_holds_nobody_longer_than_a_call_may_take(
    monkeypatch: pytest.MonkeyPatch, dripped: bytes
) -> None:
    monkeypatch.setattr(client_http, "SECONDS_MAX", 0.4)
    dripped_all = False

    async def say(_request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal dripped_all
        writer.write(dripped)
        for _ in range(100):
            writer.write(dripped if dripped.endswith(b"\r\n\r\n") else b"X: 1\r\n"[: len(dripped)])
            await asyncio.sleep(0.05)
        dripped_all = True

    async with odd_partner(say) as partner, client_of() as client:
        with pytest.raises(PartnerUnreachableError, match="in time"):
            await client.ask(link_to(partner.url), "GET", f"{partner.url}/x")
        assert not dripped_all
        # A time-out of its own is shorter.
        with pytest.raises(PartnerUnreachableError, match="in time"):
            await client.ask(link_to(partner.url), "GET", f"{partner.url}/x", timeout_s=0.05)


async def test_a_certificate_is_checked_for_the_name_that_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    issued = authority.issue("partner")
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(issued.certificate, issued.key)
    trusted = ssl.create_default_context(cafile=str(authority.ca))
    async with odd_partner(saying(FINE), served) as partner:
        link = link_to(partner.url)
        async with client_of(tls=trusted) as client:
            await client.ask(link, "GET", f"{partner.url}/x")
            leads_to(monkeypatch, ["127.0.0.1"])
            other = partner.url.replace("127.0.0.1", "other.example")
            with pytest.raises(PartnerUnreachableError, match="SSLCertVerificationError"):
                await client.ask(link_to(other), "GET", f"{other}/x")
        async with client_of() as stranger:
            with pytest.raises(PartnerUnreachableError, match="SSLCertVerificationError"):
                await stranger.ask(link, "GET", f"{partner.url}/x")

    assert len(partner.asked) == 1
