"""A server that takes what is posted to it, as long as it likes to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """Takes what is posted, as long as `status` says so."""

    def __init__(self) -> None:
        self.status = 200
        self.told: list[tuple[dict[str, str], bytes]] = []
        self.url = ""
        self.came = threading.Condition()

    def until(self, count: int) -> None:
        """Wait until so much was told."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.told) >= count, timeout=60)

    @property
    def events(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.told]


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with receiver.came:
                receiver.told.append(({k.lower(): v for k, v in self.headers.items()}, body))
                receiver.came.notify_all()
            self.send_response(receiver.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/hooks"
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
