"""Sockets that listen, and how it is written where they do: at addresses of IPv6, too."""

from __future__ import annotations

import socket


def listen(host: str, port: int, *, backlog: int) -> socket.socket:
    """Return a socket that listens at *host*, of IPv6 where it has a colon; port 0: a free one.

    Raises:
        OSError: If the port is taken, or the address is none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=backlog)


def place_of(listener: socket.socket) -> str:
    """Return where *listener* listens, as it stands in an address."""
    host, port = listener.getsockname()[:2]
    return written_place(host, port)


def written_place(host: str, port: int) -> str:
    """Return a host and its port as they stand in an address: "127.0.0.1:80", "[::1]:80"."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
