"""The way to a partner, as the rooms that use it see it; `roaming_ocpi.client` is it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from roaming_ocpi.client.answers import PartnerAnswer
from roaming_ocpi.registration.link import Link


class PartnerClient(Protocol):
    """Asks partners over HTTP, behind the guard of addresses; every call is audited."""

    async def ask(
        self,
        link: Link,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> PartnerAnswer:
        """Send one request and return its answer, the envelope taken off.

        Raises:
            PartnerUnreachableError: If there was no answer, or one that says to come again.
            PartnerRefusedError: If the partner refuses this very request.
            ForbiddenAddressError: If the address is none that may be asked.
        """

    def pages(
        self, link: Link, url: str, *, query: Mapping[str, str] | None = None
    ) -> AsyncIterator[Sequence[Any]]:
        """Yield the objects of a list page by page, by the links that the partner gives.

        Raises:
            As `ask`; and PartnerRefusedError where its links go round in a circle.
        """
