"""Pages that a link leads to, once: the first account of all, and another password."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from litestar import Controller, Response, get, post
from litestar.params import FromPath

from ledger.errors import LedgerError
from ledger.users.own_account import FIRST, choose_password, make_first
from ledger.users.proving.links import DeadLinkError, linked_name
from ledger.users.store import user_standing
from ledger.users.user import User
from projections.console.access.coming import let_in
from projections.console.access.turns import in_turn
from projections.console.access.typed import AnyRequest, typed
from projections.console.access.words_of_errors import in_words
from projections.console.entry import EVERYBODY
from projections.console.navigation import HOME
from projections.console.page import ConsolePage, ThisPage


class LinkedController(Controller):
    """What a link leads to. Looking at it uses nothing up: mail programs look too."""

    include_in_schema = False

    @get("/first/{token:str}", opt=EVERYBODY)
    async def first(self, page: ThisPage, token: FromPath[str]) -> Response[Any]:
        """Ask who makes the first account."""
        return await asyncio.to_thread(_ask_first, page, token, {}, "")

    @post("/first/{token:str}", opt=EVERYBODY, status_code=HTTPStatus.OK)
    async def make(
        self, page: ThisPage, token: FromPath[str], request: AnyRequest
    ) -> Response[Any]:
        """Make the first account, an administrator's."""
        fields = await typed(request)
        return await in_turn(request, lambda: _make_first(page, token, request, fields))

    @get("/link/{token:str}", opt=EVERYBODY)
    async def link(self, page: ThisPage, token: FromPath[str]) -> Response[Any]:
        """Ask for a password."""
        return await asyncio.to_thread(_ask_password, page, token, "")

    @post("/link/{token:str}", opt=EVERYBODY, status_code=HTTPStatus.OK)
    async def choose(
        self, page: ThisPage, token: FromPath[str], request: AnyRequest
    ) -> Response[Any]:
        """Set the password, and let who did so in."""
        fields = await typed(request)
        return await in_turn(request, lambda: _choose(page, token, request, fields))


def _ask_first(
    page: ConsolePage, token: str, fields: Mapping[str, str], trouble: str
) -> Response[Any]:
    if _name_of(page, token) != FIRST:
        return _dead(page)
    return page.show(
        "access/first.html.j2",
        status=HTTPStatus.BAD_REQUEST if trouble else HTTPStatus.OK,
        name=fields.get("name", "")[:100],
        full_name=fields.get("full_name", "")[:200],
        trouble=trouble,
    )


def _make_first(
    page: ConsolePage, token: str, request: AnyRequest, fields: Mapping[str, str]
) -> Response[Any]:
    name, full_name = fields.get("name", "").strip(), fields.get("full_name", "").strip()
    if fields.get("password") != fields.get("again"):
        return _ask_first(page, token, fields, page.text("The two passwords are not the same."))
    try:
        with page.console.pool.connection() as connection:
            user = User(name=name, full_name=full_name)
            make_first(connection, token, user, fields.get("password", ""), page.now)
    except DeadLinkError:
        return _dead(page)
    except LedgerError as error:
        return _ask_first(page, token, fields, in_words(page, error))
    return let_in(page, request, name, HOME)


def _ask_password(page: ConsolePage, token: str, trouble: str) -> Response[Any]:
    name = _name_of(page, token)
    if not name:
        return _dead(page)
    return page.show(
        "access/link.html.j2",
        status=HTTPStatus.BAD_REQUEST if trouble else HTTPStatus.OK,
        name=name,
        trouble=trouble,
    )


def _choose(
    page: ConsolePage, token: str, request: AnyRequest, fields: Mapping[str, str]
) -> Response[Any]:
    if fields.get("password") != fields.get("again"):
        return _ask_password(page, token, page.text("The two passwords are not the same."))
    try:
        with page.console.pool.connection() as connection:
            name = choose_password(connection, token, fields.get("password", ""), page.now)
            must_set = user_standing(connection, name).factor_required
    except DeadLinkError:
        return _dead(page)
    except LedgerError as error:
        return _ask_password(page, token, in_words(page, error))
    # Whoever has to have a second factor comes in with it alone.
    return page.go(f"{HOME}/login") if must_set else let_in(page, request, name, HOME)


def _name_of(page: ConsolePage, token: str) -> str | None:
    """Return whose link it is, "" of the first, None of one that holds no more."""
    try:
        with page.console.reading() as connection:
            return linked_name(connection, token, page.now)
    except DeadLinkError:
        return None


def _dead(page: ConsolePage) -> Response[Any]:
    return page.show("access/dead_link.html.j2", status=HTTPStatus.GONE)
