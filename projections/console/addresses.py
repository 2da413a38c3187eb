"""The address of a page: filters, sort, and from where on, so that each view is a permalink."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from litestar.connection import ASGIConnection

AFTER: Final = "after"
"""The key of the last row of the page before."""
SORT: Final = "sort"
"""A column's key; with "-" before it from the highest."""
FORMAT: Final = "format"
LIST: Final = "list"
"""Which of a page's lists is wanted as a file."""


def path_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Return the path of a request as it came: of its host, which may be anything, nothing.

    Two slashes at its beginning would be a host where it stands in a link.
    """
    return "/" + connection.scope["raw_path"].decode("latin-1").lstrip("/")


class PageAddress(NamedTuple):
    """A path and its parameters; what is "" is left out."""

    path: str
    query: Mapping[str, str]

    def of(self, name: str) -> str:
        """Return a parameter, "" where it is not there."""
        return self.query.get(name, "")

    def with_(self, **changes: str) -> str:
        """Return this address with some parameters otherwise; "" leaves one out.

        Whatever changes, the list is begun anew, unless `after` is among it.
        """
        query = {**self.query, AFTER: "", FORMAT: "", LIST: "", **changes}
        text = urlencode([(key, value) for key, value in query.items() if value])
        return f"{self.path}?{text}" if text else self.path

    @property
    def sort(self) -> tuple[str, bool]:
        """Return by which column, and whether from the highest; "" as the page does by itself."""
        said = self.of(SORT)
        return said.removeprefix("-"), said.startswith("-")
