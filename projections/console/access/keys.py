"""Tokens for the HTTP interface: made and shown once, listed, revoked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC
from http import HTTPStatus
from typing import Any, Final

from litestar import Controller, Response, get, post
from litestar.exceptions import NotFoundException
from psycopg import Connection

from ledger.errors import LedgerError
from ledger.users.access_tokens import AccessToken, find_tokens, make_token, revoke_token
from ledger.users.roles import Permission
from projections.console.access.people_view import ACCESS, person_address
from projections.console.access.typed import AnyRequest, typed, typed_all
from projections.console.access.words_of_errors import in_words
from projections.console.addresses import AFTER, FORMAT
from projections.console.entry import needs
from projections.console.exports.listing_file import every_page, listing_file
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage, ThisPage

KEYS: Final = f"{ACCESS}/tokens"
SHOWN: Final = 50
_SEE: Final = needs(Permission.SEE_ACCESS)
_GIVE: Final = needs(Permission.GIVE_ACCESS)


class KeysController(Controller):
    """Tokens of machines, which reach everywhere: who reaches less does not see them."""

    path = "/access/tokens"
    include_in_schema = False

    @get("/", opt=_SEE, sync_to_thread=True)
    def listed(self, page: ThisPage) -> Response[Any]:
        """List the tokens, or return them as a file."""
        if form := page.address.of(FORMAT):
            _check_sight(page)
            return listing_file(form, "tokens", every_page(page, _tokens))
        return _show(page)

    @post("/", opt=_GIVE, status_code=HTTPStatus.OK)
    async def make(self, page: ThisPage, request: AnyRequest) -> Response[Any]:
        """Make a token, and show it this once."""
        name = (await typed(request)).get("name", "").strip()
        return await asyncio.to_thread(_make, page, name, await typed_all(request, "scope"))

    @post("/revoke", opt=_GIVE, status_code=HTTPStatus.OK)
    async def revoke(self, page: ThisPage, request: AnyRequest) -> Response[Any]:
        """Let a token hold no more, a person's own too."""
        return await asyncio.to_thread(_revoke, page, (await typed(request)).get("token", ""))


def _show(page: ConsolePage, *, trouble: str = "", token: str = "") -> Response[Any]:
    _check_sight(page)
    with page.console.reading() as connection:
        found = _found(page, connection)
    return page.show(
        "access/tokens.html.j2",
        status=HTTPStatus.BAD_REQUEST if trouble else HTTPStatus.OK,
        listing=_listing(page, found),
        asked=page.address.of("q"),
        in_force=[each for each in found[:SHOWN] if each.revoked_at is None],
        scopes=page.console.scopes,
        gives=page.user.reach(Permission.GIVE_ACCESS).is_everywhere,
        trouble=trouble,
        token=token,
    )


def _check_sight(page: ConsolePage) -> None:
    """Check that who sees tokens reaches as far as these do.

    Raises:
        NotFoundException: If not.
    """
    if not page.user.reach(Permission.SEE_ACCESS).is_everywhere:
        raise NotFoundException


def _found(page: ConsolePage, connection: Connection[Any]) -> Sequence[AccessToken]:
    return find_tokens(
        connection,
        begins=page.address.of("q"),
        after=page.address.of(AFTER),
        is_down=page.is_sorted_down("name"),
        limit=SHOWN + 1,
    )


def _tokens(page: ConsolePage, connection: Connection[Any]) -> Listing:
    return _listing(page, _found(page, connection))


def _listing(page: ConsolePage, found: Sequence[AccessToken]) -> Listing:
    shown = found[:SHOWN]
    return Listing(
        caption=page.text("Tokens for the HTTP interface"),
        columns=[
            Column("name", "Name", sorts=True),
            Column("may", "It may"),
            Column("made", "Made (UTC)"),
            Column("until", "Revoked (UTC)"),
        ],
        rows=[
            [
                Cell(each.name),
                Cell(
                    page.text("what {name} may", name=each.person)
                    if each.person
                    else ", ".join(each.scopes),
                    person_address(each.person) if each.person else "",
                ),
                Cell(at=each.made_at, zone=UTC, note=each.made_by),
                Cell(at=each.revoked_at, zone=UTC, tone="bad") if each.revoked_at else Cell(),
            ]
            for each in shown
        ],
        address=page.address._replace(path=KEYS),
        exports=True,
        empty=page.text("No token has a name that begins like that.")
        if page.address.of("q")
        else page.text("No token was made yet."),
        next_after=shown[-1].name if len(found) > SHOWN else "",
        by_itself="name",
    )


def _check(page: ConsolePage) -> None:
    """Check that who changes tokens reaches as far as these do.

    Raises:
        NotFoundException: If not.
    """
    if not page.user.reach(Permission.GIVE_ACCESS).is_everywhere:
        raise NotFoundException


def _make(page: ConsolePage, name: str, scopes: Sequence[str]) -> Response[Any]:
    _check(page)
    known = [each for each in scopes if each in page.console.scopes]
    if not known:
        return _show(page, trouble=page.text("Choose what the token may."))
    try:
        with page.console.pool.connection() as connection:
            token = make_token(connection, name, known, by=page.user.name, at=page.now)
    except LedgerError as error:
        return _show(page, trouble=in_words(page, error))
    return _show(page, token=token)


def _revoke(page: ConsolePage, name: str) -> Response[Any]:
    _check(page)
    try:
        with page.console.pool.connection() as connection:
            revoke_token(connection, name, by=page.user.name, at=page.now)
    except LedgerError as error:
        return _show(page, trouble=in_words(page, error))
    return page.go(KEYS, page.text("{name} holds no more.", name=name))
