"""Asking partners over HTTP: the way out that `roaming_ocpi.client.asking` describes."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from secrets import token_hex
from typing import Any, Final

import httpx

from roaming_ocpi.client.addresses import check_secrecy, partner_url
from roaming_ocpi.client.answers import (
    ForbiddenAddressError,
    PartnerAnswer,
    PartnerRefusedError,
    PartnerUnreachableError,
)
from roaming_ocpi.client.audit import AskedModule, CallDirection, CallRecord, Heard, asked_module
from roaming_ocpi.client.envelope import answer_of
from roaming_ocpi.client.transport import BODY_MAX, GuardedTransport, WireCall, WireReply
from roaming_ocpi.registration.link import Link, LinkState
from roaming_ocpi.registration.spelling import spelt_token
from roaming_ocpi.wire.modules import ModuleId
from tariffs.ocpi.versions import OcpiVersion

SECONDS_MAX: Final = 30.0
"""Of one call, from the look-up of its name to the last byte of its answer."""
EMPTY_PAGES_MAX: Final = 3
"""In a row, each with a link to a next one."""
LIST_SECONDS_MAX: Final = 7_200.0
PAGES_MAX: Final = 200_000
BESIDE_BYTES: Final = 64 << 10
"""An answer of more is read beside everything else: it may take a second."""
"""Of one list: who links ever new pages with ever new objects has none that ends."""
_NOT_ROUTED: Final = frozenset({ModuleId.CREDENTIALS, ModuleId.HUB_CLIENT_INFO})
"""Configuration modules go to the platform itself. Source: OCPI 2.2.1, 4.2.4."""


class HttpPartnerClient:
    """Asks partners; one for a process, on one event loop.

    Args:
        allow_private: Whether partners may live on private addresses: in networks of tests.
        now: The product's clock.
        heard: Is told of every call.
        tls: By what certificates are checked; None: as the machine does.
        answer_bytes_max: How large an answer may be.
    """

    def __init__(
        self,
        *,
        allow_private: bool,
        now: Callable[[], datetime],
        heard: Heard,
        tls: ssl.SSLContext | None = None,
        answer_bytes_max: int = BODY_MAX,
    ) -> None:
        self._transport = GuardedTransport(
            allow_private=allow_private, tls=tls, body_max=answer_bytes_max
        )
        self._reading = asyncio.Lock()
        self._now, self._heard = now, heard

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
        call = _Call(link, method, url, self._now(), self._heard)
        try:
            target = partner_url(url)
            if query:
                target = target.copy_merge_params(dict(query))
            check_secrecy(link, target)
            headers = _headers(link, call, has_body=body is not None)
            wired = WireCall(method, target, headers, body or b"")
            async with asyncio.timeout(SECONDS_MAX if timeout_s is None else timeout_s):
                reply = await self._transport.send(wired)
            answer = await self._read(target, reply)
        except TimeoutError as error:
            call.ended("timeout")
            why = "the partner did not answer in time"
            raise PartnerUnreachableError(why) from error
        except ForbiddenAddressError:
            call.ended("forbidden address")
            raise
        except PartnerUnreachableError as error:
            call.ended("unreachable", error.answer)
            raise
        except PartnerRefusedError as error:
            call.ended("refused", error.answer)
            raise
        except asyncio.CancelledError:
            call.ended("cancelled")
            raise
        call.ended(None, answer)
        return answer

    async def pages(
        self, link: Link, url: str, *, query: Mapping[str, str] | None = None
    ) -> AsyncIterator[Sequence[Any]]:
        """Yield the objects of a list page by page, by the links that the partner gives.

        Raises:
            As `ask`; and PartnerRefusedError where its links go round in a circle or lead on for
            ever, or where what should be a list is none.
        """
        asked: set[int] = set()
        last: list[Any] = []
        given = dict(query or {})
        offset, empty, until = int(given.get("offset", 0)), 0, time.monotonic() + LIST_SECONDS_MAX
        has_links = False
        while True:
            asked.add(_asked(url, query))
            answer = await self.ask(link, "GET", url, query=query)
            objects = _objects(answer)
            is_again = bool(objects) and objects == last
            has_links = has_links or answer.next_url is not None
            if is_again and not has_links:
                return  # it knows no offset: that was all
            if objects:
                yield objects
            offset += len(objects)
            following, query = answer.next_url, None
            if not has_links and objects and (answer.total or 0) > offset:
                # It says that there are more, and never where: they begin behind these.
                following, query = url, {**given, "offset": str(offset)}
            if following is None:
                return
            empty = 0 if objects else empty + 1
            if _asked(following, query) in asked or is_again or empty >= EMPTY_PAGES_MAX:
                why = "the partner's links to a next page go round in a circle"
                raise PartnerRefusedError(why, answer=answer)
            if len(asked) >= PAGES_MAX or time.monotonic() > until:
                hours = LIST_SECONDS_MAX / 3_600
                why = f"the partner's list has no end in {PAGES_MAX:,} pages or {hours:.0f} hours"
                raise PartnerRefusedError(why, answer=answer)
            url, last = following, objects

    async def _read(self, target: httpx.URL, reply: WireReply) -> PartnerAnswer:
        """Return what was answered; a large one is read beside everything else."""
        if len(reply.body) <= BESIDE_BYTES:
            return answer_of(target, reply, self._now())
        async with self._reading:
            return await asyncio.to_thread(answer_of, target, reply, self._now())

    async def close(self) -> None:
        """End every connection."""
        await self._transport.close()


def _objects(answer: PartnerAnswer) -> list[Any]:
    """Return the objects of a page.

    Raises:
        PartnerUnreachableError: If nothing was answered: whether it is the end, nobody can say.
        PartnerRefusedError: If it is no list.
    """
    if not answer.text.strip():
        why = "the partner answers nothing where a list was asked for"
        raise PartnerUnreachableError(why, answer=answer)
    objects = [] if answer.data is None else answer.data
    if not isinstance(objects, list):
        why = "the partner answers something else where a list was asked for"
        raise PartnerRefusedError(why, answer=answer)
    return objects


def _asked(url: str, query: Mapping[str, str] | None = None) -> int:
    """Return what a page is known by, however its address is written; many are remembered."""
    target = partner_url(url)
    if query:
        target = target.copy_merge_params(dict(query))
    return hash((str(target.copy_with(query=None)), *sorted(target.params.multi_items())))


class _Call:
    """A call while it lasts, for the audit."""

    def __init__(self, link: Link, method: str, url: str, at: datetime, heard: Heard) -> None:
        self._link, self._method, self._url, self._at, self._heard = link, method, url, at, heard
        self._began = time.monotonic()
        self.request_id = new_id()
        try:
            self.asked = asked_module(link, url)
        except ValueError:  # no address at all
            self.asked = AskedModule(None, "")

    def ended(self, trouble: str | None, answer: PartnerAnswer | None = None) -> None:
        """Tell the audit what came of it."""
        link = self._link
        self._heard(
            CallRecord(
                direction=CallDirection.OUT,
                partner=link.partner,
                method=self._method,
                template=self.asked.template,
                target=self._url,
                version=link.version,
                module=self.asked.module,
                http=answer.http if answer else None,
                status_code=answer.status_code if answer else None,
                ms=round((time.monotonic() - self._began) * 1000),
                request_id=self.request_id,
                at=self._at,
                trouble=trouble,
            )
        )


def new_id() -> str:
    """Return a UUID of version 4 (RFC 9562, 5.4) as text, in a quarter of the time of `uuid4`."""
    digits = token_hex(16)
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _headers(link: Link, call: _Call, *, has_body: bool) -> dict[str, str]:
    """Return the headers of a request. Source: OCPI 2.2.1, 4.1.1, 4.1.8 and 4.2.5."""
    headers = {
        "Authorization": f"Token {spelt_token(link.token, is_plain=link.is_plain)}",
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
        "User-Agent": "wattledger",
    }
    if has_body:
        headers["Content-Type"] = "application/json"
    if link.version is OcpiVersion.V2_1_1:
        return headers
    headers |= {"X-Request-ID": call.request_id, "X-Correlation-ID": new_id()}
    if link.state is not LinkState.INVITED and call.asked.module not in _NOT_ROUTED:
        ours, theirs = link.our_party.partition("-"), link.partner.partition("-")
        headers |= {
            "OCPI-from-country-code": ours[0],
            "OCPI-from-party-id": ours[2],
            "OCPI-to-country-code": theirs[0],
            "OCPI-to-party-id": theirs[2],
        }
    return headers
