"""Tokens that partners push to us, and what they may see of them again.

A push that is older than what is kept changes nothing, for pushes overtake each other. A uid is
one token here, whatever its `type`: a station shows no type.

Source: OCPI 2.1.1, mod_tokens, 12.2.1; OCPI 2.2.1 and 2.3.0, mod_tokens, 12.2.1 (receiver).
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from psycopg import Connection

from ledger.partners.token_lists import note_pushed
from ledger.partners.tokens import BY_DEFAULT, add_partner_tokens, lock_tokens
from ledger.partners.told_counts import ToldCounts
from ledger.partners.told_objects import ToldObject, told_object
from ledger.persons.holders import token_holder
from ledger.persons.store import find
from roaming_ocpi.server.calls import Module, OcpiRefusedError, PartnerCall, Reply, Route
from roaming_ocpi.server.ownership import own
from roaming_ocpi.tokens.book import TokenBook
from roaming_ocpi.tokens.reading import RFID, ReadToken, kept_object, merged, read_token
from roaming_ocpi.wire.merging import is_late
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId, OurSide
from roaming_ocpi.wire.status import Status
from tariffs.ocpi.documents import OcpiError

_PATH = "/{country_code}/{party_id}/{token_uid}"
_OLDER = "an older version than the one that is kept: nothing was changed"


class PushedToken(NamedTuple):
    """What a call is about: whose token, under which uid."""

    call: PartnerCall
    party: str
    uid: str


class TokensReceiver:
    """The module, over a *book*; *told* counts what comes."""

    def __init__(self, book: TokenBook, told: ToldCounts = BY_DEFAULT) -> None:
        self._book, self._told = book, told

    def module(self) -> Module:
        """Return what partners' eMSPs call."""
        return Module(
            identifier=ModuleId.TOKENS,
            role=InterfaceRole.RECEIVER,
            side=OurSide.CPO,
            routes=(
                Route("GET", _PATH, self.get, "Return a token of yours as it is kept here."),
                Route("PUT", _PATH, self.put, "Tell a token of yours.", has_body=True),
                Route("PATCH", _PATH, self.patch, "Change a token of yours.", has_body=True),
            ),
        )

    async def get(self, call: PartnerCall) -> Reply:
        """Return a token as it is kept."""
        about = _about(call)
        told = await self._book.do(partial(_find, about))
        if told is None or told.object is None:
            raise _unknown()
        kept = kept_object(told.object, call.version, about.party)
        if "type" in call.query and kept.get("type") != call.query["type"]:
            raise _unknown()
        return Reply(data=kept)

    async def put(self, call: PartnerCall) -> Reply:
        """Keep a token."""
        about = _about(call)
        read = _read(call.body, about)
        if not await self._book.do(partial(_keep, about, read, self._told)):
            return Reply(message=_OLDER)
        return Reply()

    async def patch(self, call: PartnerCall) -> Reply:
        """Change a token."""
        about = _about(call)
        try:
            is_newer = await self._book.do(partial(_change, about, self._told))
        except OcpiError as error:
            raise OcpiRefusedError.invalid(str(error)) from None
        return Reply() if is_newer else Reply(message=_OLDER)


def _about(call: PartnerCall) -> PushedToken:
    """Return what a call is about.

    Raises:
        OcpiRefusedError: If it is another party's, or no party's.
    """
    party = own(call, call.path["country_code"], call.path["party_id"])
    return PushedToken(call, party, call.path["token_uid"])


def _read(body: object, about: PushedToken) -> ReadToken:
    try:
        return read_token(body, about.call.version, about.party, uid=about.uid)
    except OcpiError as error:
        raise OcpiRefusedError.invalid(str(error)) from None


def _find(about: PushedToken, connection: Connection[Any]) -> ToldObject | None:
    holder = token_holder(about.uid)
    found = find(connection, [holder]) if holder else {}
    if not found:
        return None
    (subject,) = found.values()
    return told_object(connection, about.party, subject.id)


def _keep(
    about: PushedToken, read: ReadToken, counts: ToldCounts, connection: Connection[Any]
) -> bool:
    """Keep a token unless a newer one is kept; say which."""
    with connection.transaction():
        lock_tokens(connection, about.party)
        told = _find(about, connection)
        if told is not None and _is_older(read, told, about.call.now):
            return False
        add_partner_tokens(connection, about.party, [read.token], at=about.call.now, told=counts)
        note_pushed(connection, about.party, about.call.now)
    return True


def _change(about: PushedToken, counts: ToldCounts, connection: Connection[Any]) -> bool:
    with connection.transaction():
        lock_tokens(connection, about.party)
        told = _find(about, connection)
        if told is None or told.object is None:
            raise _unknown()
        version = about.call.version
        body = merged(kept_object(told.object, version, about.party), about.call.body)
        read = read_token(body, version, about.party, uid=about.uid)
        return _keep(about, read, counts, connection)


def _is_older(read: ReadToken, told: ToldObject, now: datetime) -> bool:
    said, known = read.token.last_updated, told.last_updated
    return said is not None and known is not None and is_late(known, said, now)


def _unknown() -> OcpiRefusedError:
    message = f"no such token was told here (a token without `type` is {RFID})"
    return OcpiRefusedError.not_found(message, Status.UNKNOWN_TOKEN)
