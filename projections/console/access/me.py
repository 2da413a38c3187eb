"""One's own account: language and theme, password, second factor, tokens of one's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC
from http import HTTPStatus
from typing import Any, Final

from litestar import Controller, Response, get, post

from ledger.errors import LedgerError
from ledger.users.access_tokens import make_personal_token, revoke_token, tokens_in_force
from ledger.users.own_account import (
    begin_factor,
    change_password,
    confirm_factor,
    drop_factor,
    prove_password,
)
from ledger.users.proving.second_factor import offered_address
from ledger.users.store import set_looks, user_standing
from projections.console.access.coming import factor_picture
from projections.console.access.turns import in_turn
from projections.console.access.typed import AnyRequest, comer_of, typed
from projections.console.access.words_of_errors import in_words
from projections.console.addresses import AFTER
from projections.console.console_words import SPOKEN
from projections.console.entry import ANY_USER
from projections.console.navigation import HOME
from projections.console.page import COOKIE, ConsolePage, ThisPage

ME: Final = f"{HOME}/me"
TOKENS_SHOWN: Final = 50
THEMES: Final = ("", "light", "dark")
Fields = Mapping[str, str]
Act = Callable[[ConsolePage, AnyRequest, Fields], str]
"""Does something, and returns what is said of it."""


class MeController(Controller):
    """One's own account."""

    include_in_schema = False
    path = "/me"
    opt = ANY_USER

    @get("/", opt=ANY_USER)
    async def me(self, page: ThisPage) -> Response[Any]:
        """Show one's own account."""
        return await asyncio.to_thread(_show, page)

    @post("/looks", opt=ANY_USER, status_code=HTTPStatus.OK)
    async def looks(self, page: ThisPage, request: AnyRequest) -> Response[Any]:
        """Keep the language and the theme."""
        return await _done(page, request, _keep_looks)

    @post("/password", opt=ANY_USER, status_code=HTTPStatus.OK)
    async def password(self, page: ThisPage, request: AnyRequest) -> Response[Any]:
        """Set another password; other browsers are out by that."""
        return await _done(page, request, _change_password)

    @post("/factor", opt=ANY_USER, status_code=HTTPStatus.OK)
    async def factor(self, page: ThisPage, request: AnyRequest) -> Response[Any]:
        """Offer a key for a second factor."""
        return await _done(page, request, _offer, f"{ME}/factor")

    @get("/factor", opt=ANY_USER)
    async def offered(self, page: ThisPage) -> Response[Any]:
        """Show the key that is offered, until a code of it comes."""
        return await asyncio.to_thread(_show_factor, page, "")

    @post("/factor/code", opt=ANY_USER, status_code=HTTPStatus.OK)
    async def confirm(self, page: ThisPage, request: AnyRequest) -> Response[Any]:
        """Set the second factor by a code of it."""
        return await asyncio.to_thread(_confirm, page, request, await typed(request))

    @post("/factor/drop", opt=ANY_USER, status_code=HTTPStatus.OK)
    async def drop(self, page: ThisPage, request: AnyRequest) -> Response[Any]:
        """Come in without a second factor from now on."""
        return await _done(page, request, _drop)

    @post("/tokens", opt=ANY_USER, status_code=HTTPStatus.OK)
    async def make(self, page: ThisPage, request: AnyRequest) -> Response[Any]:
        """Make a token with which the command line, or a script, acts as oneself; show it once."""
        fields = await typed(request)
        return await in_turn(request, lambda: _make_token(page, request, fields))

    @post("/tokens/revoke", opt=ANY_USER, status_code=HTTPStatus.OK)
    async def revoke(self, page: ThisPage, request: AnyRequest) -> Response[Any]:
        """Let a token of one's own hold no more."""
        return await _done(page, request, _revoke)


async def _done(page: ConsolePage, request: AnyRequest, act: Act, where: str = ME) -> Response[Any]:
    """Do something and go on, or say on the page why not."""
    fields = await typed(request)

    def work() -> Response[Any]:
        try:
            return page.go(where, act(page, request, fields))
        except LedgerError as error:
            return _show(page, trouble=in_words(page, error))

    return await in_turn(request, work)


def _show(page: ConsolePage, *, trouble: str = "", token: str = "") -> Response[Any]:
    with page.console.reading() as connection:
        standing = user_standing(connection, page.user.name)
        after = page.address.of(AFTER)
        tokens = tokens_in_force(connection, page.user.name, after=after, limit=TOKENS_SHOWN + 1)
    return page.show(
        "access/me.html.j2",
        status=HTTPStatus.BAD_REQUEST if trouble else HTTPStatus.OK,
        standing=standing,
        tokens=tokens[:TOKENS_SHOWN],
        more=page.address.with_(**{AFTER: tokens[TOKENS_SHOWN - 1].name})
        if len(tokens) > TOKENS_SHOWN
        else "",
        trouble=trouble,
        token=token,
        utc=UTC,
    )


def _show_factor(page: ConsolePage, trouble: str) -> Response[Any]:
    with page.console.pool.connection() as connection:
        address = offered_address(connection, page.user.name)
    if address is None:
        return page.go(ME)
    return page.show(
        "access/factor.html.j2",
        status=HTTPStatus.BAD_REQUEST if trouble else HTTPStatus.OK,
        trouble=trouble,
        **factor_picture(address),
    )


def _confirm(page: ConsolePage, request: AnyRequest, fields: Fields) -> Response[Any]:
    code, cookie = fields.get("code", ""), request.cookies.get(COOKIE, "")
    with page.console.pool.connection() as connection:
        is_set = confirm_factor(connection, page.user.name, code, page.now, cookie=cookie)
    if is_set:
        return page.go(ME, page.text("The second factor is set; other browsers are signed out."))
    return _show_factor(page, page.text("This is not a code of this key at this moment."))


def _keep_looks(page: ConsolePage, _request: AnyRequest, fields: Fields) -> str:
    language, theme = fields.get("language", ""), fields.get("theme", "")
    with page.console.pool.connection() as connection:
        set_looks(
            connection,
            page.user.name,
            language=language if language in SPOKEN else "",
            theme=theme if theme in THEMES else "",
        )
    return ""


def _change_password(page: ConsolePage, request: AnyRequest, fields: Fields) -> str:
    new = fields.get("password", "")
    if new != fields.get("again"):
        raise _TwoPasswordsError(page.text("The two passwords are not the same."))
    passwords = fields.get("present", ""), new
    comer, cookie = comer_of(request), request.cookies.get(COOKIE, "")
    with page.console.pool.connection() as connection:
        change_password(connection, page.user.name, passwords, comer, page.now, cookie=cookie)
    return page.text("The password is another one; other browsers are signed out.")


class _TwoPasswordsError(LedgerError):
    """A new password that was not typed twice the same."""


def _offer(page: ConsolePage, request: AnyRequest, fields: Fields) -> str:
    with page.console.pool.connection() as connection:
        begin_factor(
            connection, page.user.name, fields.get("present", ""), comer_of(request), page.now
        )
    return ""


def _drop(page: ConsolePage, request: AnyRequest, fields: Fields) -> str:
    with page.console.pool.connection() as connection:
        drop_factor(
            connection, page.user.name, fields.get("present", ""), comer_of(request), page.now
        )
    return page.text("You sign in without a second factor now.")


def _make_token(page: ConsolePage, request: AnyRequest, fields: Fields) -> Response[Any]:
    try:
        with page.console.pool.connection() as connection:
            present = fields.get("present", "")
            prove_password(connection, page.user.name, present, comer_of(request), page.now)
            what_for = fields.get("what_for", "")
            token = make_personal_token(connection, page.user.name, what_for, page.now)
    except LedgerError as error:
        return _show(page, trouble=in_words(page, error))
    return _show(page, token=token)


def _revoke(page: ConsolePage, _request: AnyRequest, fields: Fields) -> str:
    name = fields.get("token", "")
    with page.console.pool.connection() as connection:
        user = page.user.name
        revoke_token(connection, name, by=user, at=page.now, person=user)
    return page.text("{name} holds no more.", name=name)
