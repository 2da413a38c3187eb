"""Pages where people come in and go out: a password, then a code where a second factor is set."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from litestar import Controller, Response, get, post

from ledger.errors import LedgerError
from ledger.users.browser_sessions import LONGEST, begin_session, end_session
from ledger.users.proving.coming_in import Halfway, offered_in, try_code, try_password
from ledger.users.proving.refusals import BROWSER_KNOWN, TooManyGuessesError, know_browser
from ledger.users.proving.second_factor import typed_key
from ledger.users.store import is_anybody
from projections.console.access.turns import in_turn
from projections.console.access.typed import (
    BROWSER_COOKIE,
    AnyRequest,
    comer_of,
    is_secure,
    typed,
)
from projections.console.access.words_of_errors import in_words
from projections.console.entry import ANY_USER, EVERYBODY
from projections.console.navigation import HOME
from projections.console.page import COOKIE, ConsolePage, ThisPage
from projections.documents.content.transfer import code_svg

_OURS: Final = re.compile(r"/console(?:[/?][!-\[\]-~]*)?", re.ASCII)
_NEXT_MAX: Final = 2000


class ComingController(Controller):
    """Coming in, and going out."""

    include_in_schema = False

    @get("/login", opt=EVERYBODY)
    async def ask(self, page: ThisPage) -> Response[Any]:
        """Ask for a name and a password; who is in already is sent on."""
        if page.signed_in is not None:
            return page.go(next_of(page.address.query))
        return await asyncio.to_thread(_ask, page, page.address.query)

    @post("/login", opt=EVERYBODY, status_code=HTTPStatus.OK)
    async def come(self, page: ThisPage, request: AnyRequest) -> Response[Any]:
        """Let somebody in, or ask for the code of the second factor."""
        fields = await typed(request)
        return await in_turn(request, lambda: _come(page, request, fields))

    @post("/login/code", opt=EVERYBODY, status_code=HTTPStatus.OK)
    async def come_by_code(self, page: ThisPage, request: AnyRequest) -> Response[Any]:
        """Let somebody in by a code."""
        return await asyncio.to_thread(_come_by_code, page, request, await typed(request))

    @post("/logout", opt=ANY_USER)
    async def leave(self, page: ThisPage, request: AnyRequest) -> Response[Any]:
        """End this browser's session."""
        await asyncio.to_thread(_end, page, request.cookies.get(COOKIE, ""))
        answer = page.go(f"{HOME}/login", page.text("You are signed out."))
        answer.delete_cookie(COOKIE, path=HOME)
        return answer


def next_of(fields: Mapping[str, str]) -> str:
    """Return where to go on: a page of the console, never another host's, whatever was said."""
    wanted = fields.get("next", "")
    return wanted if len(wanted) <= _NEXT_MAX and _OURS.fullmatch(wanted) else HOME


def let_in(page: ConsolePage, request: AnyRequest, name: str, where: str) -> Response[Any]:
    """Begin a session for *name* in this browser; one that there was before ends.

    The browser is known from now on: guesses elsewhere do not hold it up.
    """
    comer = comer_of(request)
    with page.console.pool.connection() as connection:
        if before := request.cookies.get(COOKIE):
            end_session(connection, before)
        cookie = begin_session(connection, name, page.now)
        browser = know_browser(connection, name, comer, page.now)
    answer = page.go(where)
    for key, value, seconds in (
        (COOKIE, cookie, LONGEST.total_seconds()),
        (BROWSER_COOKIE, browser, BROWSER_KNOWN.total_seconds()),
    ):
        answer.set_cookie(
            key,
            value,
            path=HOME,
            max_age=int(seconds),
            httponly=True,
            samesite="lax",
            secure=is_secure(request),
        )
    return answer


def factor_picture(address: str) -> dict[str, object]:
    """Return what a page shows of a key that is offered: a code to scan, and the key to type."""
    picture = base64.b64encode(code_svg(address).encode()).decode()
    return {"qr": f"data:image/svg+xml;base64,{picture}", "key": typed_key(address)}


def _ask(
    page: ConsolePage, fields: Mapping[str, str], trouble: str = "", status: int = HTTPStatus.OK
) -> Response[Any]:
    with page.console.reading() as connection:
        is_first = not is_anybody(connection)
    return page.show(
        "access/login.html.j2",
        status=status,
        next=next_of(fields),
        name=fields.get("name", "")[:100],
        trouble=trouble,
        is_first=is_first,
        provider=page.console.provider,
    )


def _come(page: ConsolePage, request: AnyRequest, fields: Mapping[str, str]) -> Response[Any]:
    name, password = fields.get("name", ""), fields.get("password", "")
    comer = comer_of(request)
    try:
        # No transaction: what is counted stays so.
        with page.console.pool.connection() as connection:
            came = try_password(connection, name, password, comer, page.now)
    except LedgerError as error:
        return _ask(page, fields, in_words(page, error), _status(error))
    if isinstance(came, Halfway):
        return _ask_code(page, fields, came)
    return let_in(page, request, came, next_of(fields))


def _come_by_code(
    page: ConsolePage, request: AnyRequest, fields: Mapping[str, str]
) -> Response[Any]:
    halfway = Halfway(fields.get("step", ""), fields.get("is_new", "") == "yes")
    try:
        with page.console.pool.connection() as connection:
            came = try_code(
                connection, halfway, fields.get("code", ""), comer_of(request), page.now
            )
    except LedgerError as error:
        return _ask_code(page, fields, halfway, error)
    return let_in(page, request, came, next_of(fields))


def _ask_code(
    page: ConsolePage, fields: Mapping[str, str], halfway: Halfway, error: LedgerError | None = None
) -> Response[Any]:
    shown: dict[str, object] = {}
    if halfway.is_new:
        try:
            with page.console.pool.connection() as connection:
                shown = factor_picture(offered_in(connection, halfway.step, page.now))
        except LedgerError as gone:
            return _ask(page, {**fields, "name": ""}, in_words(page, gone), _status(gone))
    return page.show(
        "access/code.html.j2",
        status=HTTPStatus.OK if error is None else _status(error),
        next=next_of(fields),
        halfway=halfway,
        trouble="" if error is None else in_words(page, error),
        **shown,
    )


def _status(error: LedgerError) -> HTTPStatus:
    is_slowed = isinstance(error, TooManyGuessesError)
    return HTTPStatus.TOO_MANY_REQUESTS if is_slowed else HTTPStatus.FORBIDDEN


def _end(page: ConsolePage, cookie: str) -> None:
    with page.console.pool.connection() as connection:
        end_session(connection, cookie)
