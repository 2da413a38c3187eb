"""Where browsers reach the console: where a setting says, else by an address of the machine.

A browser says by which name it came, and whoever leads it there by a name of their own says theirs:
a link that is handed over, and the way back from a provider, would lead to them.
"""

from __future__ import annotations

import re
from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException

# Names that nobody can give out.
_ADDRESS: Final = re.compile(r"(localhost|[0-9.]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.IGNORECASE)


class UnknownHostError(HTTPException):
    """A browser came by a name that nobody said is the console's."""

    status_code = 421

    def __init__(self) -> None:
        super().__init__(
            detail="the console is not known by this name: whoever runs it sets console_url"
        )


def origin_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Return scheme and host that links to the console begin with, "" where it has no such name."""
    said = str(connection.app.state["console"].reached_at)
    hosts = connection.headers.getall("host", [])
    if said or len(hosts) != 1 or not _ADDRESS.fullmatch(hosts[0]):
        return said
    return f"{connection.scope['scheme']}://{hosts[0]}"


def is_origin(connection: ASGIConnection[Any, Any, Any, Any], origin: str) -> bool:
    """Say whether pages of ours are at *origin*, which a browser says that a form is of.

    A proxy may take TLS off on the way here: that its scheme is another one says nothing. By an
    address of the machine people come to it beside any name.
    """
    place = origin.partition("://")[2]
    hosts = [each for each in connection.headers.getall("host", []) if _ADDRESS.fullmatch(each)]
    return place in {origin_of(connection).partition("://")[2], *hosts} - {""}
