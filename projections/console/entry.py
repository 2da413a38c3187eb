"""Who gets to a page: by the browser's session, and only where the page's permission lets in.

A route says its permission (`needs(...)`). One that says nothing is closed. What changes something
comes from a form of this very browser: it brings the session's key along, from our own pages.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Any, Final

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.exceptions import (
    HTTPException,
    InternalServerException,
    NotFoundException,
    PermissionDeniedException,
)
from litestar.handlers import BaseRouteHandler

from ledger.users.browser_sessions import SignedIn, find_session
from ledger.users.roles import Permission
from projections.console.page import COOKIE, FORM_KEY
from projections.console.parts.reached import UnknownHostError, is_origin, origin_of
from projections.console.side import ConsoleSide

_PERMISSION: Final = "permission"
EVERYBODY: Final = {_PERMISSION: "everybody"}
"""Of a page where people come in, and of styles and scripts."""
ANY_USER: Final = {_PERMISSION: "any_user"}
"""Of a page that is for whoever is in."""
FIELDS_MAX: Final = 2_000
_FORM: Final = "application/x-www-form-urlencoded"
_SAFE: Final = {"GET", "HEAD"}
_OWN: Final = {"same-origin", "none"}


class NobodyInError(HTTPException):
    """A page was asked for by nobody who is in: let them come in first."""

    status_code = 401

    def __init__(self) -> None:
        super().__init__(detail="sign in first")


class RoleMissingError(PermissionDeniedException):
    """None of a person's roles has the permission of a page."""

    def __init__(self) -> None:
        super().__init__("your roles do not let you see or do this")


class ForeignFormError(PermissionDeniedException):
    """A form came that none of this browser's pages sent, or one from before it signed in."""

    def __init__(self) -> None:
        super().__init__("this form is of another session: load the page again, and send it anew")


class UnfinishedFormError(HTTPException):
    """Who sent a form left before its end: no fault of ours, and nobody is there to be told."""

    status_code = 400

    def __init__(self) -> None:
        super().__init__(detail="the form did not come to its end: send it again")


class LongFormError(HTTPException):
    """A form with more fields than any page has."""

    status_code = 400

    def __init__(self) -> None:
        super().__init__(detail=f"a form has at most {FIELDS_MAX} fields")


def needs(permission: Permission) -> dict[str, Any]:
    """Return what a route says of itself (`opt`) to be shown to who has a permission."""
    return {_PERMISSION: permission}


async def check_entry(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Let a request pass whose person has the permission of its page.

    Raises:
        UnknownHostError: If it came by a name that nobody said is ours.
        NobodyInError: If nobody is in.
        PermissionDeniedException: If this person has it not, or the form is another session's.
        LongFormError: If the form is none of ours.
        UnfinishedFormError: If not all of it came.
    """
    wanted = handler.opt.get(_PERMISSION)
    if wanted is None:
        raise NotFoundException
    if not origin_of(connection):
        raise UnknownHostError
    signed_in = await asyncio.to_thread(_who, connection)
    connection.scope["state"]["signed_in"] = signed_in
    assert isinstance(connection, Request)
    if wanted != EVERYBODY[_PERMISSION]:
        if signed_in is None:
            raise NobodyInError
        if wanted != ANY_USER[_PERMISSION] and not signed_in.user.may(Permission(wanted)):
            raise RoleMissingError
    if connection.method not in _SAFE:
        await _check_form(connection, signed_in)


def _who(connection: ASGIConnection[Any, Any, Any, Any]) -> SignedIn | None:
    cookie = connection.cookies.get(COOKIE)
    if not cookie:
        return None
    console: ConsoleSide = connection.app.state["console"]
    with console.pool.connection() as opened:
        return find_session(opened, cookie, console.now())


async def _check_form(request: Request[Any, Any, Any], signed_in: SignedIn | None) -> None:
    if request.headers.get("sec-fetch-site", "same-origin") not in _OWN:
        raise ForeignFormError
    origin = request.headers.get("origin")
    if origin is not None and not is_origin(request, origin):
        raise ForeignFormError
    # No form of ours brings files, which may claim any charset.
    if request.headers.get("content-type", _FORM).partition(";")[0].strip().lower() != _FORM:
        raise ForeignFormError
    try:
        body = await request.body()
    except InternalServerException as error:
        # So Litestar calls it; strangers would fill the log.
        raise UnfinishedFormError from error
    # To take a million fields apart would hold up everybody.
    if body.count(b"&") >= FIELDS_MAX:
        raise LongFormError
    if signed_in is None:
        return
    form = await request.form()
    given = str(form.get(FORM_KEY, ""))
    if not secrets.compare_digest(given.encode(), signed_in.form_key.encode()):
        raise ForeignFormError
