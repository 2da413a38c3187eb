"""Addresses that partners give us: which are fit to be asked at all, before anybody resolves them.

Where they lead is looked at when a connection is made (`roaming_ocpi.client.transport`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import httpx

from roaming_ocpi.client.answers import ForbiddenAddressError
from roaming_ocpi.registration.link import Link

_HTTP_PORT: Final = 80
_PORT_MAX: Final = 65_535
URL_MAX: Final = 2_000
"""Characters; OCPI's own URLs have at most 255, links to a next page carry filters besides."""
_URL: Final = re.compile(r"https?://[!-~]+", re.ASCII | re.IGNORECASE)
_KEPT_MAX: Final = 256
_FORBIDDEN: Final = frozenset('\\<>"`{}|^')


@lru_cache(maxsize=_KEPT_MAX)
def partner_url(text: str) -> httpx.URL:
    """Return the address that *text* is; most requests go to one of few.

    Raises:
        ForbiddenAddressError: If it is no address of HTTP that a partner may give.
    """
    if len(text) > URL_MAX or not _URL.fullmatch(text) or _FORBIDDEN & set(text):
        why = f"is no http or https address of at most {URL_MAX} characters"
        raise ForbiddenAddressError(_about(why))
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError, UnicodeError) as error:
        why = "cannot be read"
        raise ForbiddenAddressError(_about(why)) from error
    if url.userinfo:
        why = "carries a user's name or password"
        raise ForbiddenAddressError(_about(why))
    if not url.host or not (url.port is None or 0 < url.port <= _PORT_MAX):
        why = "names no host, or a port that none is"
        raise ForbiddenAddressError(_about(why))
    return url.copy_with(fragment=None)


def joined_url(base: httpx.URL, text: str) -> httpx.URL:
    """Return the address that *text*, given in an answer from *base*, is; it may be relative.

    Servers behind one that ends TLS say http of themselves: on the same host that is https.

    Raises:
        ForbiddenAddressError: As `partner_url`.
    """
    try:
        joined = base.join(text.strip())
    except (httpx.InvalidURL, ValueError, UnicodeError) as error:
        why = "cannot be read"
        raise ForbiddenAddressError(_about(why)) from error
    found = partner_url(str(joined))
    if (base.scheme, found.scheme, found.host) == ("https", "http", base.host):
        port = None if found.port == _HTTP_PORT else found.port
        found = found.copy_with(scheme="https", port=base.port if port is None else port)
    return found


def joined_address(base: str, text: str) -> str:
    """Return the address that *text* is, told by who was asked at *base*; as `joined_url`.

    Raises:
        ForbiddenAddressError: If either is none that a partner may give.
    """
    return str(joined_url(partner_url(base), text))


def check_secrecy(link: Link, url: httpx.URL) -> None:
    """Refuse to send the token of a partner that speaks TLS over a line without.

    Raises:
        ForbiddenAddressError: If *url* is such a line.
    """
    if url.scheme == "http" and any(
        each.lower().startswith("https:") for each in link.endpoints.values()
    ):
        why = "is http, and this partner is known by https: its token does not go in the clear"
        raise ForbiddenAddressError(_about(why))


def _about(why: str) -> str:
    return f"the partner's address {why}"
