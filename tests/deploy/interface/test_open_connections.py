"""Who holds a connection to the interface and does nothing with it keeps nobody else out."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from litestar import Litestar, get, post
from litestar.params import JSONBody
from litestar.response.streaming import ASGIStreamingResponse

from deploy.interface import serving
from deploy.interface.serving import open_http, serve_app, served
from deploy.settings import Settings

LONG = bytes(30_000_000)
PIECE, PIECES = bytes(300_000), 100
HEAD = b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n"
ANSWERED = b"HTTP/1.1 201 "


@get("/long", sync_to_thread=False)
def long() -> bytes:
    """Answer more than any socket holds."""
    return LONG


class Held:
    """What the app waits for: by default for nothing but a while."""

    let_go: asyncio.Event | None = None
    threads_let_go = threading.Event()


@get("/told")
async def told() -> ASGIStreamingResponse:
    """Tell what does not come to its end."""

    async def ever() -> AsyncIterator[bytes]:
        while True:
            yield b"more"
            await asyncio.sleep(0.01)

    return ASGIStreamingResponse(iterator=ever(), media_type="text/event-stream")


@get("/pieces")
async def pieces() -> ASGIStreamingResponse:
    """Answer as much as `long`, piece by piece, as exports are."""

    async def each() -> AsyncIterator[bytes]:
        for _ in range(PIECES):
            yield PIECE

    return ASGIStreamingResponse(iterator=each(), media_type="text/csv")


@post("/count")
async def count(data: JSONBody[list[int]]) -> int:
    """Take a while, or until the test lets it go."""
    await asyncio.sleep(1)
    if Held.let_go is not None:
        await Held.let_go.wait()
    return len(data)


@get("/slow", sync_to_thread=True)
def slow() -> int:
    """Hold a thread until the test lets it go."""
    return int(Held.threads_let_go.wait(60))


@get("/quick", sync_to_thread=True)
def quick() -> int:
    """Want a thread for a moment."""
    return 1


def asking(body: bytes, length: int) -> bytes:
    head = f"POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n"
    return head.encode() + b"Content-Type: application/json\r\n\r\n" + body


@asynccontextmanager
async def port_of_an_app() -> AsyncIterator[int]:
    listener, stopping, ready = open_http("127.0.0.1", 0), asyncio.Event(), asyncio.Event()
    app = Litestar([long, told, pieces, count, slow, quick], logging_config=None)
    config = served(app, Settings())
    task = asyncio.create_task(serve_app(config, listener, stopping=stopping, ready=ready.set))
    async with asyncio.timeout(30):
        await ready.wait()
    try:
        yield listener.getsockname()[1]
    finally:
        stopping.set()
        await task


async def test_who_says_nothing_or_half_of_it_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(serving, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(serving, "BODY_SECONDS", 0.6)
    caplog.set_level(logging.WARNING)
    async with port_of_an_app() as port:
        opened = []
        for said in (b"", HEAD[:-2], asking(b"[1,", 900)):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(said)
            opened.append((reader, writer))
        whole, writing = await asyncio.open_connection("127.0.0.1", port)
        writing.write(asking(b"[1,2]", 5))
        async with asyncio.timeout(60):
            ends = [await reader.read() for reader, _ in opened]
            answer = await whole.readuntil(b"\r\n")
        for _, writer in opened:
            writer.close()
        writing.close()

    assert ends == [b"", b"", b""]
    assert answer.startswith(ANSWERED)
    assert caplog.messages == []


async def test_where_too_many_are_there_the_one_that_waits_longest_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "OPEN_MAX", 3)
    let_go = asyncio.Event()
    monkeypatch.setattr(Held, "let_go", let_go)
    async with port_of_an_app() as port:
        asked, asks = await asyncio.open_connection("127.0.0.1", port)
        asks.write(asking(b"[1,2]", 5))
        half, halves = await asyncio.open_connection("127.0.0.1", port)
        halves.write(asking(b"[1,", 900))
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(6)]
        last, speaks = await asyncio.open_connection("127.0.0.1", port)
        speaks.write(asking(b"[1,2]", 5))
        async with asyncio.timeout(60):
            cut = [await reader.read() for reader in (half, *(each for each, _ in silent[:5]))]
            let_go.set()
            answers = [await each.readuntil(b"\r\n") for each in (asked, last)]
        for writer in (asks, halves, speaks, *(each for _, each in silent)):
            writer.close()

    assert cut == [b""] * 6
    assert all(each.startswith(ANSWERED) for each in answers)


async def test_many_who_wait_hold_up_nobody_who_does_not() -> None:
    async with port_of_an_app() as port:
        opened = []
        for name in ["slow"] * 24 + ["quick"]:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET /{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            opened.append((reader, writer))
        reading = [asyncio.create_task(reader.readline()) for reader, _ in opened]
        async with asyncio.timeout(60):
            await reading[-1]
            waited = [not each.done() for each in reading[:-1]]
            Held.threads_let_go.set()
            lines = await asyncio.gather(*reading)
        for _, writer in opened:
            writer.close()

    assert all(waited)
    assert set(lines) == {b"HTTP/1.1 200 OK\r\n"}


async def test_who_takes_an_answer_slowly_gets_all_of_it_and_who_takes_none_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "HEAD_SECONDS", 0.1)
    monkeypatch.setattr(serving, "STALLED_SECONDS", 0.5)
    async with port_of_an_app() as port:
        slow, asks = await asyncio.open_connection("127.0.0.1", port)
        asks.write(HEAD)
        stalled = socket.create_connection(("127.0.0.1", port))
        stalled.sendall(HEAD)
        taken = len(await slow.readuntil(b"\r\n\r\n")) * 0
        async with asyncio.timeout(60):
            while taken < len(LONG):
                taken += len(await slow.readexactly(min(3_000_000, len(LONG) - taken)))
                await asyncio.sleep(0.2)
        asks.close()
        assert await asyncio.to_thread(_left_of, stalled) < len(LONG)

    assert taken == len(LONG)


async def test_who_takes_none_of_an_answer_that_is_still_being_made_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "STALLED_SECONDS", 2.0)
    asked = HEAD.replace(b"/long", b"/pieces")
    async with port_of_an_app() as port:
        slow, asks = await asyncio.open_connection("127.0.0.1", port)
        asks.write(asked)
        stalled = socket.create_connection(("127.0.0.1", port))
        stalled.sendall(asked)
        taken = 0
        async with asyncio.timeout(60):
            while taken < PIECES * len(PIECE):
                taken += len(await slow.readexactly(3_000_000))
                await asyncio.sleep(0.2)
            end = await slow.readuntil(b"\r\n0\r\n\r\n")
        asks.close()
        left = await asyncio.to_thread(_left_of, stalled)

    assert taken + len(end) > PIECES * len(PIECE)
    assert left < PIECES * len(PIECE)


def _left_of(stalled: socket.socket) -> int:
    """Return how much there is to be had of an answer that nobody took for a while."""
    taken = 0
    stalled.settimeout(10)
    with stalled:
        try:
            while piece := stalled.recv(1 << 20):
                taken += len(piece)
        except ConnectionResetError:
            pass
    return taken


async def test_who_asks_for_heads_alone_gets_one_after_the_other() -> None:
    async with port_of_an_app() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        said = ""
        for path in ("/long", "/told", "/quick", "/nowhere", "/count"):
            writer.write(f"HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            async with asyncio.timeout(60):
                said += (await reader.readuntil(b"\r\n\r\n")).decode()
        writer.close()

    assert re.findall("HTTP/1.1 ([0-9]+)", said) == ["200", "200", "200", "404", "405"]
    assert f"content-length: {len(LONG)}" in said
    assert "text/event-stream" in said
