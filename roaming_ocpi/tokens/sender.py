"""Our drivers' tokens for partners that have stations: the list, and whether one may charge.

Source: OCPI 2.1.1, mod_tokens, 12.2.2; OCPI 2.2.1 and 2.3.0, mod_tokens, 12.2.2 (sender).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, NamedTuple

from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.master_data.partners import PartnerRole
from roaming_ocpi.server.calls import (
    Module,
    ObjectPage,
    OcpiRefusedError,
    PageAsked,
    PartnerCall,
    Reply,
    Route,
)
from roaming_ocpi.server.resources import Resources
from roaming_ocpi.tokens.book import TokenBook
from roaming_ocpi.tokens.own_tokens import (
    ALLOWED,
    Issuer,
    OwnToken,
    declared_times,
    find_own_token,
    own_tokens,
    spellings,
    token_object,
)
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId, OurSide
from roaming_ocpi.wire.status import Status
from tariffs.ocpi.versions import OcpiVersion

_WITH_STATIONS: Final = frozenset({PartnerRole.CPO, PartnerRole.HUB})


class _Listed(NamedTuple):
    """The list as it was made, from which declarations and in which minute."""

    version: int
    minute: datetime
    tokens: Sequence[OwnToken]


class TokensSender:
    """The module, over a *book* and what is declared."""

    def __init__(self, resources: Resources, book: TokenBook) -> None:
        self._resources, self._book = resources, book
        self._listed: _Listed | None = None

    def module(self) -> Module:
        """Return what partners' CPOs call."""
        return Module(
            identifier=ModuleId.TOKENS,
            role=InterfaceRole.SENDER,
            side=OurSide.EMSP,
            routes=(
                Route("GET", "", self.list, "Return our drivers' tokens.", is_list=True),
                Route(
                    "POST",
                    "/{token_uid}/authorize",
                    self.authorize,
                    "Say whether a token of ours may charge; the body, a place, may be absent.",
                ),
            ),
        )

    async def list(self, call: PartnerCall) -> Reply:
        """Return a page of our tokens."""
        declared = await self._resources.declared()
        issuer = _issuer(declared, call)
        tokens = await self._tokens(declared, call.now)
        asked = call.asked
        chosen = [each for each in tokens if _is_between(each, asked)]
        left = _behind(chosen, call.query.get("after"), asked.offset)
        page = left[: asked.limit]
        uids = await self._book.do(partial(spellings, subjects=[each.subject for each in page]))
        objects = [
            written
            for each in page
            if (uid := uids.get(each.subject)) is not None
            and (written := token_object(each, uid, issuer, call.version)) is not None
        ]
        following = None
        if len(left) > len(page):
            # Where it is counted from stands beside the cursor, for who reads links.
            following = {"offset": str(asked.offset + len(page)), "after": page[-1].cursor}
        return Reply(page=ObjectPage(objects, len(chosen), asked.limit, following))

    async def authorize(self, call: PartnerCall) -> Reply:
        """Say whether a token may charge at the place that is named, if one is."""
        place = _location(call.body, call.version)
        declared = await self._resources.declared()
        issuer = _issuer(declared, call)
        # Who is the partner's legal entity here bills what is charged there.
        seller = declared.partner(call.caller.partner, call.now)
        assert seller is not None, "its roles were looked at"
        asked = call.path["token_uid"], seller.legal_entity
        found = await self._book.do(partial(find_own_token, *asked, declared, call.now))
        written = found and token_object(found.own, found.uid, issuer, call.version)
        if found is None or not written:
            message = "no token of ours has that uid"
            raise OcpiRefusedError.not_found(message, Status.UNKNOWN_TOKEN)
        data: dict[str, Any] = {"allowed": found.allowed}
        if call.version is not OcpiVersion.V2_1_1:
            data["token"] = written
        if place is not None and found.allowed == ALLOWED:
            data["location"] = place
        return Reply(data=data)

    async def _tokens(self, declared: Declarations, now: datetime) -> Sequence[OwnToken]:
        minute = now.replace(second=0, microsecond=0)
        listed = self._listed
        if listed is None or (listed.version, listed.minute) != (declared.version, minute):
            tokens = await self._book.do(partial(_list, declared, now))
            listed = self._listed = _Listed(declared.version, minute, tokens)
        return listed.tokens


def _list(declared: Declarations, now: datetime, connection: Connection[Any]) -> Sequence[OwnToken]:
    """Return our tokens without those of whom nobody knows any more who they are."""
    tokens = own_tokens(declared, declared_times(connection), now)
    known = spellings(connection, [each.subject for each in tokens])
    return [each for each in tokens if each.subject in known]


def _issuer(declared: Declarations, call: PartnerCall) -> Issuer:
    """Return as whom we answer a caller.

    Raises:
        OcpiRefusedError: If the caller is no partner with stations: our drivers are not its.
    """
    partner = declared.partner(call.caller.partner, call.now)
    if partner is None or not _WITH_STATIONS.intersection(partner.roles):
        message = "tokens are for partners that have stations: you are not declared as a CPO here"
        raise OcpiRefusedError.forbidden(message)
    entity = declared.legal_entity(partner.legal_entity, call.now)
    return Issuer(call.caller.our_party, entity.name if entity else call.caller.our_party)


def _is_between(token: OwnToken, asked: PageAsked) -> bool:
    is_after = asked.date_from is None or token.last_updated >= asked.date_from
    return is_after and (asked.date_to is None or token.last_updated < asked.date_to)


def _behind(tokens: Sequence[OwnToken], after: str | None, offset: int) -> Sequence[OwnToken]:
    """Return where the list goes on: behind a cursor of ours, or at an offset."""
    if after is None:
        return tokens[offset:]
    moment, _, number = after.partition("/")
    try:
        last = datetime.fromisoformat(moment).astimezone(UTC), int(number)
    except (ValueError, OverflowError):
        message = f"after={after[:80]!a} is none of ours: take the link of the page before as it is"
        raise OcpiRefusedError.invalid(message) from None
    return [each for each in tokens if (each.last_updated, each.number) > last]


def _location(body: object, version: OcpiVersion) -> Mapping[str, Any] | None:
    """Return the LocationReferences that came, None where none did.

    Raises:
        OcpiRefusedError: If they name no location.
    """
    if body is None:
        return None
    names = ("evse_uids", "connector_ids") if version is OcpiVersion.V2_1_1 else ("evse_uids",)
    place = body if isinstance(body, dict) else {}
    location_id = place.get("location_id")
    if not isinstance(location_id, str) or not location_id:
        message = "LocationReferences name a location_id; send no body where there is no location"
        raise OcpiRefusedError.invalid(message)
    for name in names:
        given = place.get(name, [])
        if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
            message = f"{name} must be a list of texts"
            raise OcpiRefusedError.invalid(message)
    return {name: place[name] for name in ("location_id", *names) if name in place}
