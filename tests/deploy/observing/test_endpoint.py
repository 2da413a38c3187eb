"""The endpoint answers in time, whatever is sent to it and however slowly."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from deploy.errors import DeployError
from deploy.observing import endpoint as endpoint_module
from deploy.observing.endpoint import CONNECTIONS_MAX, HEAD_BYTES_MAX, Endpoint, open_listeners
from deploy.observing.metrics import RESTARTS, report
from deploy.observing.watch import Condition, Unready, Watch
from deploy.settings import Settings
from tests.deploy.observing.free_ports import free_base

HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


class Target:
    """An endpoint on a free port and the watch behind it."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.watch = Watch("worker", now=lambda: self.seconds)
        self.unready: list[Unready] = []
        self.made = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()

    def condition(self) -> Condition:
        self.made += 1
        return Condition(self.unready, [report(RESTARTS, {"worker": self.made})])

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=20)

    def sent(self, request: bytes) -> tuple[int, str, bytes]:
        """Send *request* and read to the end; return status, head and body."""
        with self.connect() as connection:
            connection.sendall(request)
            return answer(connection)

    def get(self, path: str) -> tuple[int, str, bytes]:
        return self.sent(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())


def answer(connection: socket.socket) -> tuple[int, str, bytes]:
    received = b""
    while piece := connection.recv(65536):
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode(), body


@pytest.fixture
def target() -> Iterator[Target]:
    target = Target()
    target.watch.begin(target.condition)
    with Endpoint(target.watch, target.listener):
        yield target


def test_a_part_lives_while_its_loop_turns(target: Target) -> None:
    assert target.get("/healthz")[::2] == (200, b"ok\n")

    target.seconds += 300
    assert target.get("/healthz")[0] == 200
    target.seconds += 1
    status, _, body = target.get("/healthz")
    assert (status, body) == (503, b"the loop of worker has not turned for 301 s\n")
    _, _, readiness = target.get("/readyz")
    assert json.loads(readiness)["reasons"][0]["code"] == "standing_still"

    target.watch.beat()
    assert target.get("/healthz")[0] == 200


def test_before_it_begins_a_part_is_starting() -> None:
    target = Target()
    with Endpoint(target.watch, target.listener):
        status, head, body = target.get("/readyz")

    assert status == 503
    assert "Content-Type: application/json" in head
    assert json.loads(body) == {
        "ready": False,
        "part": "worker",
        "reasons": [{"code": "starting", "why": "it is starting"}],
    }


def test_ready_and_not_ready_with_reasons(target: Target) -> None:
    assert target.get("/readyz")[::2] == (200, b'{"ready":true,"part":"worker","reasons":[]}\n')

    target.unready.append(Unready("lagging", "partition 3 is 412 s behind"))
    time.sleep(1.1)  # a page is made once a second
    status, _, body = target.get("/readyz")
    assert status == 503
    assert json.loads(body)["reasons"] == [
        {"code": "lagging", "why": "partition 3 is 412 s behind"}
    ]


def test_metrics_come_as_prometheus_reads_them(target: Target) -> None:
    status, head, body = target.get("/metrics?name=x")

    assert status == 200
    assert "Content-Type: text/plain; version=0.0.4; charset=utf-8" in head
    assert f"Content-Length: {len(body)}" in head
    assert b'wattledger_restarts_total{part="worker"} 1.0\n' in body
    assert b"wattledger_ready 1.0\n" in body
    assert b'wattledger_build_info{part="worker",version="' in body


def test_a_page_is_made_once_a_second_however_many_ask(target: Target) -> None:
    began = time.monotonic()
    for _ in range(50):
        target.get("/metrics")
    seconds = time.monotonic() - began

    assert target.made <= 1 + seconds


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        pytest.param(b"POST /metrics HTTP/1.1", 405, id="another method"),
        pytest.param(b"GET /etc/passwd HTTP/1.1", 404, id="another path"),
        pytest.param(b"GET /metrics/ HTTP/1.1", 404, id="a path below"),
        pytest.param(b"GET /metrics", 400, id="no version"),
        pytest.param(b"\x16\x03\x01\x00\xff", 400, id="TLS"),
        pytest.param(b"", 400, id="nothing"),
    ],
)
def test_what_is_no_question_gets_its_answer(
    target: Target, request_head: bytes, status: int
) -> None:
    assert target.sent(request_head + b"\r\n\r\n")[0] == status


def test_head_has_no_body(target: Target) -> None:
    status, head, body = target.sent(b"HEAD /healthz HTTP/1.1\r\n\r\n")

    assert (status, body) == (200, b"")
    assert "Content-Length: 3" in head


def test_a_request_is_read_up_to_its_size(target: Target) -> None:
    end = b"\r\n\r\n"
    fits = HEAD + b"x: " + b"a" * (HEAD_BYTES_MAX - len(HEAD) - 3)

    assert target.sent(fits + end)[0] == 200
    with suppress(ConnectionResetError):  # what is not read any more
        assert target.sent(fits + b"a" + end)[0] == 431
    with suppress(OSError, IndexError):
        target.sent(b"GET /" + b"a" * 50_000_000)
    assert target.get("/healthz")[0] == 200


def test_a_slow_client_is_left_after_a_while(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint_module, "REQUEST_SECONDS_MAX", 0.5)
    began = time.monotonic()
    with target.connect() as connection:
        connection.sendall(HEAD)
        connection.settimeout(0.1)
        received: bytes | None = None
        while received is None:
            assert time.monotonic() - began < 10, "it was waited for"
            with suppress(TimeoutError, ConnectionResetError, BrokenPipeError):
                connection.sendall(b"x")
                received = connection.recv(1)
            if time.monotonic() - began > 3:
                break
    assert received in (b"", None)
    assert target.get("/healthz")[0] == 200


def test_a_thousand_connections_keep_nobody_out(target: Target) -> None:
    with ExitStack() as exits:
        for _ in range(1_000):
            exits.enter_context(target.connect())
        assert target.get("/healthz")[0] == 200
        assert target.get("/readyz")[0] == 200

        # Those that lasted longest made room.
        idle = [target.connect() for _ in range(CONNECTIONS_MAX)]
        for each in idle:
            exits.enter_context(each)
        idle[-1].sendall(HEAD + b"\r\n")
        assert answer(idle[-1])[0] == 200


def test_a_page_that_fails_is_an_answer_too() -> None:
    target = Target()

    def fail() -> Condition:
        message = "boom"
        raise RuntimeError(message)

    target.watch.begin(fail)
    with Endpoint(target.watch, target.listener):
        assert target.get("/metrics")[::2] == (500, b"boom\n")
        assert target.get("/readyz")[0] == 500
        assert target.get("/healthz")[0] == 200


def test_the_port_is_free_at_the_end() -> None:
    target = Target()
    with Endpoint(target.watch, target.listener):
        assert target.get("/healthz")[0] == 200

    with pytest.raises(ConnectionRefusedError):
        target.connect()
    socket.create_server(target.address).close()


def test_each_part_has_the_next_port() -> None:
    base = free_base()
    listeners = open_listeners(Settings(metrics_port=base))

    ports = {name: each.getsockname() for name, each in listeners.items()}
    for each in listeners.values():
        each.close()
    assert ports == {
        "up": ("127.0.0.1", base),
        "stations": ("127.0.0.1", base + 1),
        "worker": ("127.0.0.1", base + 2),
        "invoicing": ("127.0.0.1", base + 3),
        "publishing": ("127.0.0.1", base + 4),
        "interface": ("127.0.0.1", base + 5),
        "documents": ("127.0.0.1", base + 6),
        "roaming": ("127.0.0.1", base + 7),
        "payments": ("127.0.0.1", base + 8),
        "console": ("127.0.0.1", base + 9),
    }


def test_no_port_where_they_are_closed() -> None:
    assert open_listeners(Settings(metrics_port=-1)) == {}


def test_a_taken_port_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_module, "PORT_SECONDS_MAX", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DeployError, match=rf"port {port}.*in use.*WATTLEDGER_METRICS_PORT"):
            open_listeners(Settings(metrics_port=port))


def test_where_nobody_chose_and_the_default_is_taken_a_free_port_serves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(endpoint_module, "PORT_SECONDS_MAX", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(endpoint_module, "METRICS_PORT", port)

        listeners = open_listeners(Settings(metrics_port=port), ["up"])

    [listener] = listeners.values()
    found = listener.getsockname()[1]
    listener.close()
    assert found not in (0, port)


def test_an_address_of_another_machine_is_an_error() -> None:
    with pytest.raises(DeployError, match=r"cannot listen on 192\.0\.2\.1"):
        open_listeners(Settings(metrics_host="192.0.2.1", metrics_port=0))
