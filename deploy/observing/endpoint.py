"""A process's HTTP endpoint: `/healthz`, `/readyz` and `/metrics`, in a thread of its own.

Whoever asks must not hold up the part's work, whatever it sends and however slowly. So a request is
read up to a size and within a time, connections are bounded (the one that has lasted longest makes
room), a page is made once a second at most, and every connection ends with its answer.

    GET /healthz -> 200, or 503 with why: the loop stands still (restart it)
    GET /readyz  -> 200, or 503: {"ready":false,"reasons":[{"code":"log_away","why":"..."}]}
    GET /metrics -> the text that Prometheus reads
    a line of 9 kB, half a request, silence -> 431, or the end of the connection after 5 s

What must stay true: tests/deploy/observing/test_endpoint.py.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Final, NamedTuple, Self

import msgspec

from deploy.errors import DeployError
from deploy.listening import listen, place_of
from deploy.observing.sample import Sample
from deploy.observing.watch import Watch
from deploy.settings import METRICS_PORT, Settings

HEAD_BYTES_MAX: Final = 8 << 10
CONNECTIONS_MAX: Final = 64
REQUEST_SECONDS_MAX: Final = 5.0
ANSWER_SECONDS_MAX: Final = 10.0
PAGE_SECONDS: Final = 1.0
BACKLOG: Final = 1024
"""Connections that may wait to be accepted: a little of the kernel's memory, no file of ours."""
ACCEPTED_AT_ONCE: Final = 16
PORT_SECONDS_MAX: Final = 3.0
"""How long a port is waited for: the parts of a system that was killed let theirs go."""
PORT_LOOK_SECONDS: Final = 0.1
PARTS: Final = (
    *("up", "stations", "worker", "invoicing"),
    *("publishing", "interface", "documents", "roaming", "payments", "console"),
)
"""In the order of their ports from `metrics_port` on."""
_TEXT: Final = "text/plain; charset=utf-8"
_METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"
_JSON: Final = "application/json"
_LOGGER: Final = logging.getLogger(__name__)


class MetricsPortError(DeployError):
    """A port for health and metrics is taken, or the address is none of this machine's."""

    def __init__(self, host: str, port: int, error: OSError) -> None:
        super().__init__(
            f"cannot listen on {host}, port {port} for health and metrics: "
            f"{error.strerror or error}; choose ten other ones (WATTLEDGER_METRICS_PORT=9110), "
            "any free ones (0) or none (-1)"
        )


class Page(NamedTuple):
    """An answer."""

    status: HTTPStatus
    kind: str
    body: bytes


def open_listeners(settings: Settings, parts: Sequence[str] = PARTS) -> dict[str, socket.socket]:
    """Return a listening socket for each of *parts*, none where the settings close them.

    They are opened once and handed to each new process of a part, so a restart keeps the port.

    Raises:
        MetricsPortError: If one cannot be opened.
    """
    listeners: dict[str, socket.socket] = {}
    try:
        for part in parts:
            if (listener := open_listener(settings, part)) is not None:
                listeners[part] = listener
    except MetricsPortError:
        for each in listeners.values():
            each.close()
        raise
    return listeners


def open_listener(settings: Settings, part: str) -> socket.socket | None:
    """Return the listening socket of *part*, None where the settings close it.

    Where nobody chose a port and the default is taken, by another system on this machine, a free
    one does: a system must not fail to start for that.

    Raises:
        MetricsPortError: If it cannot be opened.
    """
    host, base = settings.metrics_host, settings.metrics_port
    if base < 0:
        return None
    port = base and base + PARTS.index(part)
    try:
        return _listener(host, port)
    except OSError as error:
        if base != METRICS_PORT or error.errno != errno.EADDRINUSE:
            raise MetricsPortError(host, port, error) from error
    _LOGGER.warning("port %s is taken: a free one tells health and metrics of %s", port, part)
    return _listener(host, 0)


def address_of(listener: socket.socket) -> str:
    """Return where *listener* is asked."""
    return f"http://{place_of(listener)}"


def _listener(host: str, port: int) -> socket.socket:
    limit = time.monotonic() + PORT_SECONDS_MAX
    while True:
        try:
            return listen(host, port, backlog=BACKLOG)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > limit:
                raise
        time.sleep(PORT_LOOK_SECONDS)


class Endpoint:
    """Answers for *watch* on *listener*, which is closed at the end."""

    def __init__(self, watch: Watch, listener: socket.socket) -> None:
        self._watch, self._listener = watch, listener
        self._pages: dict[str, Callable[[], Page]] = {
            "/readyz": _seldom(self._readiness),
            "/metrics": _seldom(self._metrics),
        }
        self._open: dict[asyncio.Task[None], None] = {}
        self._ending = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="endpoint", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._thread.join(ANSWER_SECONDS_MAX)

    def end(self) -> None:
        """Let the port go; any thread may call it, more than once."""
        with suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._ending.set)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        except Exception:
            _LOGGER.exception("no health and metrics any more")

    async def _serve(self) -> None:
        server = await asyncio.start_server(
            self._take, sock=self._listener, limit=HEAD_BYTES_MAX, backlog=ACCEPTED_AT_ONCE
        )
        self._listener.listen(BACKLOG)
        async with server:
            await self._ending.wait()
            for each in self._open:
                each.cancel()
            # A turn each for the handlers' ends and for the sockets'.
            await asyncio.gather(*self._open, return_exceptions=True)
            await asyncio.sleep(0)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = None
        if len(self._open) > CONNECTIONS_MAX:
            next(iter(self._open)).cancel()
        try:
            await self._answer(reader, writer)
        except (OSError, EOFError, TimeoutError, asyncio.CancelledError):
            pass  # it went, or took too long
        finally:
            self._open.pop(task, None)
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method = ""
        try:
            async with asyncio.timeout(REQUEST_SECONDS_MAX):
                head = await reader.readuntil(b"\r\n\r\n")
            method, path = _asked(head)
            page = await self._page(method, path)
        except asyncio.LimitOverrunError:
            page = _text(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            writer.write(_head(page))
            if method != "HEAD":
                writer.write(page.body)
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    async def _page(self, method: str, path: str) -> Page:
        if method not in ("GET", "HEAD"):
            return _text(HTTPStatus.METHOD_NOT_ALLOWED if method else HTTPStatus.BAD_REQUEST)
        if path == "/healthz":
            return self._health()  # it waits for nothing
        make = self._pages.get(path)
        if make is None:
            return _text(HTTPStatus.NOT_FOUND, f"there is /healthz, {', '.join(self._pages)}")
        return await asyncio.to_thread(make)

    def _health(self) -> Page:
        still = self._watch.standing_still()
        return _text(HTTPStatus.SERVICE_UNAVAILABLE if still else HTTPStatus.OK, still)

    def _readiness(self) -> Page:
        reasons = self._watch.unready()
        status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
        content = {
            "ready": not reasons,
            "part": self._watch.part,
            "reasons": [each._asdict() for each in reasons],
        }
        return Page(status, _JSON, msgspec.json.encode(content) + b"\n")

    def _metrics(self) -> Page:
        # A third of a second to load, which no start has to wait for.
        from deploy.observing.exposition import exposition  # noqa: PLC0415

        return Page(HTTPStatus.OK, _METRICS, exposition(self._watch.metrics()))


def _seldom(make: Callable[[], Page]) -> Callable[[], Page]:
    """Return what makes that page at most once a second, however many ask."""
    sample = Sample(make, fresh_seconds=PAGE_SECONDS, patience_seconds=ANSWER_SECONDS_MAX)

    def page() -> Page:
        found, trouble = sample.look()
        if found is None:
            _LOGGER.error("a page of health and metrics failed: %s", trouble)
            return _text(HTTPStatus.INTERNAL_SERVER_ERROR, trouble)
        return found

    return page


def _asked(head: bytes) -> tuple[str, str]:
    """Return method and path of a request; empty where it is none."""
    words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):  # noqa: PLR2004 - method, path, version
        return "", ""
    return words[0], words[1].partition("?")[0]


def _text(status: HTTPStatus, words: str = "") -> Page:
    shown = words or ("ok" if status is HTTPStatus.OK else status.phrase)
    return Page(status, _TEXT, f"{shown}\n".encode())


def _head(page: Page) -> bytes:
    lines = (
        f"HTTP/1.1 {page.status} {page.status.phrase}",
        f"Content-Type: {page.kind}",
        f"Content-Length: {len(page.body)}",
        "Cache-Control: no-store",
        "Connection: close",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()
