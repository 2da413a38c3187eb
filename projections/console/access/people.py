"""People who work here: what each may where, how they come in, and what was changed of that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC
from http import HTTPStatus
from itertools import chain, islice
from typing import Any, Final

from litestar import Controller, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from psycopg import Connection

from ledger.declared.declarations import Declarations, Kind
from ledger.errors import LedgerError
from ledger.four_eyes import is_same_person
from ledger.users.giving import (
    Giver,
    OutOfReachError,
    add_account,
    block_account,
    give_and_take,
    grant_text,
    grants_of,
    link_account,
    require_factor,
    unblock_account,
)
from ledger.users.identities import InvitedBy, invite
from ledger.users.roles import Grant, Permission, Role
from ledger.users.store import NEWEST, UserStanding, find_users, list_changes, list_users
from ledger.users.user import User
from projections.console.access.people_view import (
    ACCESS,
    CHANGES_SHOWN,
    PEOPLE_SHOWN,
    changes_listing,
    people_listing,
    person_address,
    roles_text,
    ways_cell,
)
from projections.console.access.typed import AnyRequest, typed
from projections.console.access.words_of_errors import UnknownPremisesError, in_words
from projections.console.addresses import AFTER, FORMAT
from projections.console.entry import needs
from projections.console.exports.listing_file import every_page, listing_file
from projections.console.listing import Cell, Listing
from projections.console.navigation import HOME
from projections.console.page import ConsolePage, ThisPage

PLACES_MAX: Final = 500
"""So many legal entities and sites are offered to choose; others are typed."""
_SEE: Final = needs(Permission.SEE_ACCESS)
_GIVE: Final = needs(Permission.GIVE_ACCESS)


class PeopleController(Controller):
    """People and their roles."""

    path = "/access"
    include_in_schema = False

    @get("/", opt=_SEE, sync_to_thread=True)
    def people(self, page: ThisPage) -> Response[Any]:
        """List the people whose roles reach where the reader's do, or return them as a file."""
        if form := page.address.of(FORMAT):
            return listing_file(form, "people", every_page(page, _people))
        return _show_people(page)

    @post("/people", opt=_GIVE, status_code=HTTPStatus.OK)
    async def add(self, page: ThisPage, request: AnyRequest) -> Response[Any]:
        """Make an account, and show its link once."""
        return await asyncio.to_thread(_added, page, await typed(request))

    @get("/person", opt=_SEE, sync_to_thread=True)
    def person(self, page: ThisPage) -> Response[Any]:
        """Show one person's account."""
        return _show_person(page, page.address.of("name"))

    @post("/person/{act:str}", opt=_GIVE, status_code=HTTPStatus.OK)
    async def change(
        self, page: ThisPage, act: FromPath[str], request: AnyRequest
    ) -> Response[Any]:
        """Change one person's account."""
        return await asyncio.to_thread(_changed, page, act, await typed(request))

    @get("/changes", opt=_SEE, sync_to_thread=True)
    def changes(self, page: ThisPage) -> Response[Any]:
        """List all changes of accounts, the newest first, or return them as a file."""
        if not page.user.reach(Permission.SEE_ACCESS).is_everywhere:
            raise NotFoundException
        if form := page.address.of(FORMAT):
            return listing_file(form, "changes", every_page(page, _changes))
        with page.console.reading() as connection:
            listing = _changes(page, connection)
        return page.show("access/changes.html.j2", listing=listing)


def _changes(page: ConsolePage, connection: Connection[Any]) -> Listing:
    after = page.address.of(AFTER)[:18]
    before = int(after) if after.isascii() and after.isdecimal() else NEWEST
    found = list_changes(connection, before=before, limit=CHANGES_SHOWN + 1)
    return changes_listing(page, found)._replace(exports=True)


def _people(page: ConsolePage, connection: Connection[Any]) -> Listing:
    found = find_users(
        connection,
        page.user.reach(Permission.SEE_ACCESS),
        own=page.user.name,
        begins=page.address.of("q"),
        after=page.address.of(AFTER),
        is_down=page.is_sorted_down("name"),
        limit=PEOPLE_SHOWN + 1,
    )
    address = page.address._replace(path=ACCESS)
    return people_listing(page, found)._replace(address=address, exports=True)


def _show_people(page: ConsolePage, *, trouble: str = "", link: str = "") -> Response[Any]:
    with page.console.reading() as connection:
        listing = _people(page, connection)
        places = _places(page, connection)
    return page.show(
        "access/people.html.j2",
        status=HTTPStatus.BAD_REQUEST if trouble else HTTPStatus.OK,
        listing=listing,
        asked=page.address.of("q"),
        gives=page.user.may(Permission.GIVE_ACCESS),
        roles=list(Role),
        places=places,
        trouble=trouble,
        link=link,
    )


def _show_person(
    page: ConsolePage, name: str, *, trouble: str = "", link: str = ""
) -> Response[Any]:
    with page.console.reading() as connection:
        standing = _seen(page, connection, name)
        changes = list_changes(connection, name=name, limit=CHANGES_SHOWN)
        places = _places(page, connection)
    user = standing.user
    gives = page.user.may(Permission.GIVE_ACCESS)
    return page.show(
        "access/person.html.j2",
        status=HTTPStatus.BAD_REQUEST if trouble else HTTPStatus.OK,
        standing=standing,
        grants=[(each, grant_text(each), roles_text(page, [each])) for each in user.grants],
        facts=[
            ("Name", Cell(user.name)),
            ("Full name", Cell(user.full_name)),
            ("Signs in with", ways_cell(page, standing)),
            ("Made by", Cell(standing.made_by)),
            ("Since (UTC)", Cell(at=standing.made_at, zone=UTC)),
        ],
        gives=gives and not is_same_person(name, page.user.name),
        roles=list(Role),
        places=places,
        changes=changes_listing(page, changes),
        trouble=trouble,
        link=link,
    )


def _places(page: ConsolePage, connection: Connection[Any]) -> list[str]:
    """Return where who asks may give a role, as it is typed: "entity", "entity/site"."""
    declared = page.console.newest.of(connection)
    reach = page.user.reach(Permission.GIVE_ACCESS)
    entities = [each for each in declared.keys(Kind.LEGAL_ENTITY) if reach.covers(each)]
    sites = (
        f"{newest.legal_entity}/{site}"
        for site in sorted(declared.keys(Kind.SITE))
        if (newest := _newest_site(declared, site)) and reach.covers(newest.legal_entity, site)
    )
    return [*islice(chain(entities, sites), PLACES_MAX)]


def _newest_site(declared: Declarations, site: str) -> Any:  # noqa: ANN401 - a Site
    return declared.history(Kind.SITE, site)[-1].entity


def _sees(page: ConsolePage, standing: UserStanding) -> bool:
    """Say whether the reader's reach lets them see an account: their own they always may."""
    reach = page.user.reach(Permission.SEE_ACCESS)
    if reach.is_everywhere or standing.user.name == page.user.name:
        return True
    return any(
        each.legal_entity and reach.covers(each.legal_entity, each.site)
        for each in standing.user.grants
    )


def _seen(page: ConsolePage, connection: Connection[Any], name: str) -> UserStanding:
    """Return an account within the reader's reach.

    Raises:
        NotFoundException: If there is none.
    """
    found = list_users(connection, name)
    if not found or not _sees(page, found[0]):
        raise NotFoundException
    return found[0]


def _giver(page: ConsolePage) -> Giver:
    return Giver(page.user.name, page.user.reach(Permission.GIVE_ACCESS))


def _typed_grants(fields: Mapping[str, str]) -> tuple[Grant, ...]:
    role, where = fields.get("role", ""), fields.get("where", "").strip()
    return grants_of([f"{role}@{where}" if where else role]) if role else ()


def _check_place(declared: Declarations, grant: Grant) -> None:
    """Check that a role is given where there is something.

    Raises:
        UnknownPremisesError: If there is no such legal entity, or no such site of it.
    """
    if grant.legal_entity and grant.legal_entity not in declared.keys(Kind.LEGAL_ENTITY):
        raise UnknownPremisesError
    if grant.site:
        known = grant.site in declared.keys(Kind.SITE)
        site = _newest_site(declared, grant.site) if known else None
        if site is None or site.legal_entity != grant.legal_entity:
            raise UnknownPremisesError


def _added(page: ConsolePage, fields: Mapping[str, str]) -> Response[Any]:
    name, full_name = fields.get("name", "").strip(), fields.get("full_name", "").strip()
    try:
        grants = _typed_grants(fields)
        if not grants and not _giver(page).reach.is_everywhere:
            # Whom nobody of a part could see would be nobody's to govern.
            raise OutOfReachError
        with page.console.pool.connection() as connection:
            for each in grants:
                _check_place(page.console.newest.of(connection), each)
            user = User(name=name, full_name=full_name, grants=grants)
            link = add_account(connection, user, _giver(page), page.now)
    except LedgerError as error:
        return _show_people(page, trouble=in_words(page, error))
    return _show_person(page, name, link=f"{HOME}/link/{link}")


Act = Callable[[ConsolePage, Connection[Any], UserStanding, Mapping[str, str]], str]


def _changed(page: ConsolePage, act: str, fields: Mapping[str, str]) -> Response[Any]:
    name, link = fields.get("name", ""), ""
    work = _ACTS.get(act)
    if work is None:
        raise NotFoundException
    try:
        with page.console.pool.connection() as connection:
            link = work(page, connection, _seen(page, connection, name), fields)
    except LedgerError as error:
        return _show_person(page, name, trouble=in_words(page, error))
    if link:
        return _show_person(page, name, link=f"{HOME}/link/{link}")
    return page.go(person_address(name), page.text("It is done, and holds from now on."))


def _give(
    page: ConsolePage, connection: Connection[Any], of: UserStanding, fields: Mapping[str, str]
) -> str:
    more = _typed_grants(fields)
    for each in more:
        _check_place(page.console.newest.of(connection), each)
    give_and_take(connection, of.user.name, _giver(page), page.now, given=more)
    return ""


def _take(
    page: ConsolePage, connection: Connection[Any], of: UserStanding, fields: Mapping[str, str]
) -> str:
    less = [each for each in of.user.grants if grant_text(each) == fields.get("grant")]
    give_and_take(connection, of.user.name, _giver(page), page.now, taken=less)
    return ""


def _link(
    page: ConsolePage, connection: Connection[Any], of: UserStanding, _fields: Mapping[str, str]
) -> str:
    return link_account(connection, of.user.name, _giver(page), page.now)


def _block(
    page: ConsolePage, connection: Connection[Any], of: UserStanding, _fields: Mapping[str, str]
) -> str:
    block_account(connection, of.user.name, _giver(page), page.now)
    return ""


def _unblock(
    page: ConsolePage, connection: Connection[Any], of: UserStanding, _fields: Mapping[str, str]
) -> str:
    unblock_account(connection, of.user.name, _giver(page), page.now)
    return ""


def _require(
    page: ConsolePage, connection: Connection[Any], of: UserStanding, _fields: Mapping[str, str]
) -> str:
    is_required = not of.factor_required
    require_factor(connection, of.user.name, _giver(page), page.now, is_required=is_required)
    return ""


def _invite(
    page: ConsolePage, connection: Connection[Any], of: UserStanding, fields: Mapping[str, str]
) -> str:
    what = fields.get("invited", "")
    invite(connection, of.user.name, what, InvitedBy.EMAIL, _giver(page), page.now)
    return ""


_ACTS: Final[Mapping[str, Act]] = {
    "give": _give,
    "take": _take,
    "link": _link,
    "block": _block,
    "unblock": _unblock,
    "factor": _require,
    "invite": _invite,
}
