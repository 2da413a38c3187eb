"""A post has its time, all of it together: whoever holds a lease meanwhile holds it long enough."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_network
from socket import create_server, socket

import pytest

from projections.posting import guarded
from projections.posting.guarded import NotPostedError, post_guarded
from projections.webhooks.deliverer import LEASE_SECONDS

HERE = (ip_network("127.0.0.0/8"),)
RECORD = b"\x16\x03\x03\x40\x00"
"""The head of a TLS record (a handshake, 16 KiB), which a side may send byte by byte."""

DRIPPED: list[str] = []
"""Says whether a whole answer was dripped."""


@contextmanager
def answering(answer: Callable[[socket], None]) -> Iterator[int]:
    """Serve one connection."""
    with create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                taken, _ = server.accept()
                with taken:
                    answer(taken)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            thread.join(30)


def drip(taken: socket) -> None:
    """Send a byte long before anybody loses patience with one, until the other side ends it."""
    DRIPPED.clear()
    for byte in RECORD + bytes(200):
        taken.send(bytes([byte]))
        time.sleep(0.05)
    DRIPPED.append("all")


def seconds_of(url: str) -> float:
    began = time.monotonic()
    with pytest.raises(NotPostedError):
        post_guarded(url, b"{}", {}, HERE)
    return time.monotonic() - began


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_who_answers_byte_by_byte_is_left_in_time(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded, "SECONDS_MAX", 0.5)
    with answering(drip) as port:
        took = seconds_of(f"{scheme}://127.0.0.1:{port}/")
        all_of_it = list(DRIPPED)

    assert took > 0.4
    assert all_of_it == []


def test_after_a_resolver_that_took_all_the_time_nothing_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    came = []
    monkeypatch.setattr(guarded, "SECONDS_MAX", 0.2)

    def resolved(*_: object) -> str:
        time.sleep(0.3)
        return "127.0.0.1"

    monkeypatch.setattr(guarded, "allowed_address", resolved)
    with create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        seconds_of(f"http://127.0.0.1:{server.getsockname()[1]}/")
        with suppress(TimeoutError):
            came.append(server.accept())

    assert came == []


def test_a_lease_outlasts_a_post() -> None:
    assert guarded.SECONDS_MAX * 2 <= LEASE_SECONDS
