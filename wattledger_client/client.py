"""The client: every operation of the interface, and lists to their end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, Self, TypeVar

import httpx

from wattledger_client.calling import Calling
from wattledger_client.operations import Operations

T_co = TypeVar("T_co", covariant=True)


class Page(Protocol[T_co]):
    """Some of a list, and where the rest begins."""

    @property
    def items(self) -> Sequence[T_co]:
        """Return what is on the page."""

    @property
    def next(self) -> str | None:
        """Return where the next page begins; None: this one is the last."""


class Client(Operations):
    """Every operation of one interface, with one token. Close it after use."""

    def __init__(
        self, address: str, token: str, *, http: httpx.Client | None = None, seconds: float = 30
    ) -> None:
        super().__init__(Calling(address, token, http=http, seconds=seconds))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._calling.close()

    def every(self, listed: Callable[..., Page[T_co]], **filters: Any) -> Iterator[T_co]:  # noqa: ANN401 - as the list has them
        """Yield all items of a list, such as `client.list_sessions`, page by page."""
        cursor: str | None = None
        while True:
            page = listed(**filters, cursor=cursor)
            yield from page.items
            cursor = page.next
            if cursor is None:
                return
