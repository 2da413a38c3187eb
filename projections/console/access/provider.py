"""Coming in by a provider (OpenID Connect): the way there, and the way back."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from litestar import Controller, Response, get
from litestar.exceptions import NotFoundException
from litestar.response import Redirect

from ledger.errors import LedgerError
from ledger.users.identities import come_by_identity
from projections.console.access.coming import let_in, next_of
from projections.console.access.turns import in_turn
from projections.console.access.typed import AnyRequest, is_secure
from projections.console.access.words_of_errors import in_words
from projections.console.entry import EVERYBODY
from projections.console.navigation import HOME
from projections.console.page import HEADERS, ConsolePage, ThisPage
from projections.console.side import IdentityProvider, NotProvenError
from projections.quiet_log import QuietLog

_QUIET_LOG: Final = QuietLog(logging.getLogger(__name__))
"""Anybody can come back with anything: who does it again and again fills no log."""
_PATH: Final = f"{HOME}/oidc"
_WAY: Final = "wattledger-way"
_NEXT: Final = "wattledger-next"
_TURNS: Final = "providers"
_SECONDS: Final = 600
_COOKIE_MAX: Final = 2000


class ProviderController(Controller):
    """The way to the provider, and back."""

    path = "/oidc"
    include_in_schema = False

    @get("/start", opt=EVERYBODY)
    async def start(self, page: ThisPage, request: AnyRequest) -> Response[Any]:
        """Send the browser to the provider; it keeps what proves that it was sent."""
        provider = _provider(page)
        try:
            way = await in_turn(request, lambda: provider.depart(_back(page)), _TURNS)
        except LedgerError as error:
            return _refused(page, error)
        # Not by a form: its policy lets forms go nowhere else.
        answer = Redirect(way.address, status_code=303, headers=HEADERS)
        for key, value in ((_WAY, way.kept), (_NEXT, _kept_next(page.address.query))):
            answer.set_cookie(
                key,
                value,
                path=_PATH,
                max_age=_SECONDS,
                httponly=True,
                samesite="lax",
                secure=is_secure(request),
            )
        return answer

    @get("/back", opt=EVERYBODY)
    async def back(self, page: ThisPage, request: AnyRequest) -> Response[Any]:
        """Let in who comes back, if they are somebody here."""
        provider = _provider(page)
        try:
            answer = await in_turn(request, lambda: _arrived(page, request, provider), _TURNS)
        except LedgerError as error:
            return _refused(page, error)
        for key in (_WAY, _NEXT):
            answer.delete_cookie(key, path=_PATH)
        return answer


def _provider(page: ConsolePage) -> IdentityProvider:
    if page.console.provider is None:
        raise NotFoundException
    return page.console.provider


def _back(page: ConsolePage) -> str:
    return f"{page.origin}{_PATH}/back"


def _kept_next(query: Mapping[str, str]) -> str:
    return next_of(query).encode().hex()


def _next_of(kept: str) -> str:
    try:
        return next_of({"next": bytes.fromhex(kept).decode()})
    except ValueError:
        return HOME


def _arrived(page: ConsolePage, request: AnyRequest, provider: IdentityProvider) -> Response[Any]:
    kept = request.cookies.get(_WAY, "")[:_COOKIE_MAX]
    try:
        query = request.scope["query_string"].decode("latin-1")
        proven = provider.arrive(_back(page), query, kept)
        with page.console.pool.connection() as connection:
            name = come_by_identity(
                connection, proven.issuer, proven.subject, proven.email, page.now
            )
    except LedgerError as error:
        return _refused(page, error)
    return let_in(page, request, name, _next_of(request.cookies.get(_NEXT, "")))


def _refused(page: ConsolePage, error: LedgerError) -> Response[Any]:
    if isinstance(error, NotProvenError):
        _QUIET_LOG.say(f"nobody came in by the provider: {error} ({error.__cause__})")
    return page.show(
        "access/login.html.j2",
        status=HTTPStatus.FORBIDDEN,
        next=HOME,
        name="",
        trouble=in_words(page, error),
        is_first=False,
        provider=page.console.provider,
    )
