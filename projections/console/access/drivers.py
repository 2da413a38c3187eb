"""Drivers' tokens: who may charge, in which group, at which sites, within which hours.

What is said here holds when the page answers, and every station is answered by it within a second.
Who reaches a part alone sees and lets the tokens that charge at sites of that part alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, LiteralString
from urllib.parse import quote

from litestar import Controller, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from psycopg import Connection

from ledger.declared.declarations import Declaration, Declarations, Kind
from ledger.desk.tokens import TokenChanges, TokenStanding, let_token, place_token
from ledger.errors import LedgerError
from ledger.master_data.tokens import Token, TokenStatus
from ledger.partners.tokens import LOOK_UP, asked_about, told_token
from ledger.persons.holders import token_holder
from ledger.persons.store import SPELT, find, spelt_names
from ledger.users.roles import Permission, Reach
from projections.console.access.people_view import ACCESS
from projections.console.access.typed import AnyRequest, typed, typed_all
from projections.console.access.typed_hours import read_hours, written_hours
from projections.console.access.words_of_errors import in_words
from projections.console.addresses import AFTER, FORMAT
from projections.console.entry import needs
from projections.console.exports.listing_file import every_page, listing_file
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage, ThisPage

DRIVERS: Final = f"{ACCESS}/drivers"
SHOWN: Final = 50
SITES_MAX: Final = 200
"""So many sites are offered to choose; `wattledger apply` names any."""
WINDOW: Final = 5000
"""Versions of declarations that a page looks through at most: a list costs no more than that."""
_SEE: Final = needs(Permission.SEE_ACCESS)
_LET: Final = needs(Permission.LET_TOKENS)
_CHANGED: LiteralString = """
SELECT version, key, declared_by, declared_at FROM declaration
WHERE kind = 'token' AND version < %(before)s AND version >= %(from)s
ORDER BY version DESC LIMIT %(limit)s
"""
_SAID_BY: LiteralString = """
SELECT version, declared_by, declared_at FROM declaration WHERE version = ANY (%s)
"""
_LAST: LiteralString = "SELECT coalesce(max(version), 0) FROM declaration"


class DriversController(Controller):
    """Drivers' tokens."""

    path = "/access/drivers"
    include_in_schema = False

    @get("/", opt=_SEE, sync_to_thread=True)
    def listed(self, page: ThisPage) -> Response[Any]:
        """List what was declared of tokens last, or lead to the one that is looked for.

        Or return the list as a file.
        """
        if form := page.address.of(FORMAT):
            return listing_file(form, "drivers-tokens", every_page(page, _tokens))
        uid = page.address.of("uid")[:255]
        return _found(page, uid) if uid else _show_list(page)

    @get("/{subject:str}", opt=_SEE, sync_to_thread=True)
    def one(self, page: ThisPage, subject: FromPath[str]) -> Response[Any]:
        """Show a token."""
        return _show(page, subject)

    @post("/let", opt=_LET, status_code=HTTPStatus.OK)
    async def let(self, page: ThisPage, request: AnyRequest) -> Response[Any]:
        """Let a token charge, or not."""
        return await asyncio.to_thread(_let, page, await typed(request))

    @post("/{subject:str}/places", opt=_LET, status_code=HTTPStatus.OK)
    async def place(
        self, page: ThisPage, subject: FromPath[str], request: AnyRequest
    ) -> Response[Any]:
        """Say at which sites and when a token charges."""
        fields, sites = await typed(request), await typed_all(request, "site")
        return await asyncio.to_thread(_place, page, subject, fields, sites)


def covers_token(reach: Reach, declared: Declarations, token: Token | None, at: datetime) -> bool:
    """Say whether a token is within *reach*: all sites are where it charges."""
    if reach.is_everywhere:
        return True
    if token is None or not token.sites:
        return False
    sites = [(each, declared.site(each, at)) for each in token.sites]
    return all(site is not None and reach.covers(site.legal_entity, name) for name, site in sites)


def _show_list(page: ConsolePage, *, unknown: str = "", trouble: str = "") -> Response[Any]:
    with page.console.reading() as connection:
        listing = _tokens(page, connection)
    return page.show(
        "access/drivers.html.j2",
        status=HTTPStatus.BAD_REQUEST if trouble else HTTPStatus.OK,
        listing=listing,
        unknown=unknown,
        trouble=trouble,
        lets=page.user.reach(Permission.LET_TOKENS).is_everywhere,
    )


def _tokens(page: ConsolePage, connection: Connection[Any]) -> Listing:
    reach, after = page.user.reach(Permission.SEE_ACCESS), page.address.of(AFTER)[:18]
    declared = page.console.newest.of(connection)
    [(last,)] = connection.execute(_LAST).fetchall()
    before = int(after) if after.isascii() and after.isdecimal() else last + 1
    before = min(before, last + 1)
    asked = {"before": before, "from": before - WINDOW, "limit": SHOWN}
    rows = connection.execute(_CHANGED, asked).fetchall()
    names = spelt_names(connection, [row[1] for row in rows])
    seen = [
        (key, names[key], declared.token(key, page.now), by, at)
        for version, key, by, at in rows
        if key in names and _is_newest(declared, key, version)
    ]
    fit = [each for each in seen if covers_token(reach, declared, each[2], page.now)]
    following = rows[-1][0] if len(rows) == SHOWN else before - WINDOW
    return Listing(
        caption=page.text("Declared or changed last"),
        columns=[
            Column("token", "Token"),
            Column("may", "May charge"),
            Column("group", "Group"),
            Column("where", "Sites and hours"),
            Column("since", "Said (UTC)"),
        ],
        rows=[_row(page, *each) for each in fit],
        address=page.address._replace(path=DRIVERS),
        empty=page.text("No token was declared or changed lately."),
        next_after=str(following) if following > 1 else "",
        exports=True,
    )


def _is_newest(declared: Declarations, subject: str, version: int) -> bool:
    return max(each.version for each in declared.history(Kind.TOKEN, subject)) == version


def _row(
    page: ConsolePage, subject: str, name: str, token: Token | None, by: str, at: datetime
) -> list[Cell]:
    return [
        Cell(name, f"{DRIVERS}/{quote(subject)}"),
        _may(page, token),
        Cell((token.group or "") if token else ""),
        Cell(", ".join(token.sites) if token else "", note=_hours(token)),
        Cell(at=at, zone=UTC, note=by),
    ]


def _hours(token: Token | None) -> str:
    return written_hours(token.hours).replace("\n", "; ") if token else ""


def _may(page: ConsolePage, token: Token | None) -> Cell:
    if token is None:
        return Cell(page.text("Withdrawn"), tone="warn")
    if token.status is TokenStatus.BLOCKED:
        return Cell(page.text("Blocked"), tone="bad")
    if token.has_expired(page.now):
        return Cell(page.text("Expired"), tone="warn")
    return Cell(page.text("May charge"), tone="good")


def _found(page: ConsolePage, uid: str) -> Response[Any]:
    """Lead to a token by how stations write it, or say that nobody knows it."""
    holder = token_holder(uid)
    with page.console.reading() as connection:
        found = {} if holder is None else find(connection, [holder])
        declared = page.console.newest.of(connection)
    for subject in found.values():
        token = declared.token(subject.id, page.now)
        if covers_token(page.user.reach(Permission.SEE_ACCESS), declared, token, page.now):
            return page.go(f"{DRIVERS}/{subject.id}")
    return _show_list(page, unknown=uid)


class _Seen:
    """A token as a reader may see it.

    Raises:
        NotFoundException: If there is none, or none within reach.
    """

    def __init__(
        self, page: ConsolePage, connection: Connection[Any], subject: str, permission: Permission
    ) -> None:
        self.declared = page.console.newest.of(connection)
        row = connection.execute(SPELT, (subject,)).fetchone()
        self.token = self.declared.token(subject, page.now)
        reach = page.user.reach(permission)
        if row is None or not covers_token(reach, self.declared, self.token, page.now):
            raise NotFoundException
        self.name = str(row[0])
        known = token_holder(self.name)
        # The schema holds customers and drivers too: those are no tokens.
        if known is None or subject not in {each.id for each in find(connection, [known]).values()}:
            raise NotFoundException


def _show(page: ConsolePage, subject: str, trouble: str = "") -> Response[Any]:
    with page.console.reading() as connection:
        seen = _Seen(page, connection, subject, Permission.SEE_ACCESS)
        token, declared = seen.token, seen.declared
        history = declared.history(Kind.TOKEN, subject)[-SHOWN:]
        told = told_token(connection.execute(LOOK_UP, asked_about(subject)).fetchall(), page.now)
        parent, customer = (token.parent, token.customer) if token else (None, None)
        names = spelt_names(connection, filter(None, (parent, customer)))
        said = _said_by(connection, history)
    lets = covers_token(page.user.reach(Permission.LET_TOKENS), declared, token, page.now)
    return page.show(
        "access/driver.html.j2",
        status=HTTPStatus.BAD_REQUEST if trouble else HTTPStatus.OK,
        subject=subject,
        name=seen.name,
        token=token,
        trouble=trouble,
        lets=lets and page.user.may(Permission.LET_TOKENS),
        parent=names.get(parent or "", ""),
        hours=written_hours(token.hours) if token else "",
        sites=_sites(page, declared, token),
        standing=_standing(page, token),
        facts=[
            ("Token", Cell(seen.name)),
            ("May charge", _may(page, token) if token or not told else Cell()),
            ("Customer", Cell(names.get(customer or "", "") or "–")),
            ("Tariff group", Cell((token.group if token else None) or "–")),
            ("Roaming partner", Cell(told.party if told else "–")),
        ],
        changes=_changes(page, history, said),
    )


def _changes(
    page: ConsolePage, history: Sequence[Declaration], said: Mapping[int, tuple[str, datetime]]
) -> Listing:
    return Listing(
        caption=page.text("What was declared"),
        columns=[
            Column("at", "Said (UTC)"),
            Column("from", "Holds from (UTC)"),
            Column("may", "May charge"),
            Column("by", "By"),
        ],
        rows=[
            [
                Cell(at=said[each.version][1], zone=UTC),
                Cell(at=each.valid_from, zone=UTC),
                _may(page, each.entity if isinstance(each.entity, Token) else None),
                Cell(said[each.version][0]),
            ]
            for each in reversed(history)
        ],
        address=page.address,
        empty=page.text("Nobody declared this token: a station showed it, or a partner told it."),
    )


def _said_by(
    connection: Connection[Any], history: Sequence[Declaration]
) -> dict[int, tuple[str, datetime]]:
    """Return who declared each version, and when."""
    rows = connection.execute(_SAID_BY, ([each.version for each in history],))
    return {version: (by, at) for version, by, at in rows}


def _standing(page: ConsolePage, token: Token | None) -> TokenStanding:
    if token is not None and token.status is TokenStatus.BLOCKED:
        return TokenStanding.BLOCKED
    if token is not None and token.has_expired(page.now):
        return TokenStanding.EXPIRED
    return TokenStanding.ACCEPTED


def _sites(
    page: ConsolePage, declared: Declarations, token: Token | None
) -> list[tuple[str, bool]]:
    """Return the sites that whoever lets tokens reaches, and whether the token charges there."""
    reach = page.user.reach(Permission.LET_TOKENS)
    chosen = set(token.sites) if token else set()
    sites = ((each, declared.site(each, page.now)) for each in declared.keys(Kind.SITE))
    within = [
        name for name, site in sites if site is not None and reach.covers(site.legal_entity, name)
    ]
    # Where there are thousands, the first ones are offered, and whichever are chosen.
    offered = dict.fromkeys([*(name for name in within if name in chosen), *within[:SITES_MAX]])
    return [(name, name in chosen) for name in sorted(offered)]


def _let(page: ConsolePage, fields: Mapping[str, str]) -> Response[Any]:
    uid, group = fields.get("uid", "")[:255], fields.get("group", "").strip()[:255]
    try:
        standing = TokenStanding(fields.get("standing", ""))
    except ValueError as error:
        raise NotFoundException from error
    holder = token_holder(uid)
    if holder is None:
        return _show_list(page, trouble=page.text("Stations send this where there is no token."))
    with page.console.reading() as connection:
        declared = page.console.newest.of(connection)
        found = find(connection, [holder])
        token = next((declared.token(each.id, page.now) for each in found.values()), None)
        if not covers_token(page.user.reach(Permission.LET_TOKENS), declared, token, page.now):
            raise NotFoundException
    try:
        with page.console.desk.opened() as (connection, log):
            let_token(
                connection,
                uid,
                TokenChanges(standing, group or None),
                log=log,
                by=page.user.name,
                at=page.now,
                known=page.console.newest.of(connection),
            )
            [subject] = find(connection, [holder]).values()
    except LedgerError as error:
        if found:
            return _show(page, next(iter(found.values())).id, in_words(page, error))
        return _show_list(page, unknown=uid, trouble=in_words(page, error))
    said = page.text("It is said; stations are answered so within a second.")
    return page.go(f"{DRIVERS}/{subject.id}", said)


def _place(
    page: ConsolePage, subject: str, fields: Mapping[str, str], sites: Sequence[str]
) -> Response[Any]:
    reach = page.user.reach(Permission.LET_TOKENS)
    with page.console.reading() as connection:
        seen = _Seen(page, connection, subject, Permission.LET_TOKENS)
    # Who reaches a part alone lets nothing charge beyond it.
    named = Token(sites=tuple(dict.fromkeys(sites)))
    if not covers_token(reach, seen.declared, named, page.now):
        return _show(page, subject, page.text("Choose at least one of the sites that you reach."))
    try:
        hours = read_hours(fields.get("hours", "")[:5000])
        with page.console.desk.opened() as (connection, log):
            place_token(
                connection,
                subject,
                named.sites,
                hours,
                log=log,
                by=page.user.name,
                at=page.now,
                known=page.console.newest.of(connection),
            )
    except LedgerError as error:
        return _show(page, subject, in_words(page, error))
    said = page.text("It is said; stations are answered so within a second.")
    return page.go(f"{DRIVERS}/{subject}", said)
