"""The module credentials: a partner begins the handshake with us, renews it, or ends it.

What a partner is answered is written before it is: a token that it never got harms nobody, and what
it had before holds until it used the new one. Source: OCPI 2.1.1, 2.2.1 and 2.3.0, credentials.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from roaming_ocpi.client.answers import PartnerRefusedError, PartnerUnreachableError
from roaming_ocpi.errors import RoamingError
from roaming_ocpi.registration.credentials import (
    BadCredentialsError,
    our_credentials,
    their_credentials,
)
from roaming_ocpi.registration.handshake import Handshaker, their_side
from roaming_ocpi.registration.links import Pool, spellings_of
from roaming_ocpi.registration.spelling import decoded_token
from roaming_ocpi.registration.store import (
    Agreed,
    CredentialKind,
    PresentedToken,
    SpentTokenError,
    accept,
    forget,
    new_token,
    presented,
    prove,
    revoke,
)
from roaming_ocpi.registration.terms import PartnerTerms, terms_of
from roaming_ocpi.registration.turns import HandshakeUnderWayError, alone_with
from roaming_ocpi.registration.versions import NoEndpointsError, NoMutualVersionError
from roaming_ocpi.server.calls import (
    Module,
    OcpiRefusedError,
    PartnerCall,
    Reply,
    Route,
)
from roaming_ocpi.server.resources import Resources
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId, OurSide
from roaming_ocpi.wire.status import Status

_REGISTERED: Final = "you are registered already: PUT renews that"
_NOT_YET: Final = "you are not registered yet: POST does that"
_UNREADABLE: Final = "your versions cannot be read with the token that you gave"
_UNFIT: Final = "your side cannot be used"
_STATUS_OF: Final = {
    NoMutualVersionError: Status.UNSUPPORTED_VERSION,
    NoEndpointsError: Status.NO_MATCHING_ENDPOINTS,
}


def credentials_module(resources: Resources) -> Module:
    """Return the module over *resources*; it has no sides, and every version has it."""
    side = _CredentialsSide(resources)
    summaries = {
        "GET": (side.told, "Show the credentials by which you reach us."),
        "POST": (side.register, "Register with the token of an invitation."),
        "PUT": (side.renew, "Renew your credentials, or move to this version."),
        "DELETE": (side.end, "End the connection: nobody's token holds any more."),
    }
    return Module(
        identifier=ModuleId.CREDENTIALS,
        role=InterfaceRole.SENDER,
        side=OurSide.CPO,
        routes=[
            Route(method, "", handle, summary, has_body=method in {"POST", "PUT"})
            for method, (handle, summary) in summaries.items()
        ],
    )


class _CredentialsSide:
    """Answers the four requests of the module."""

    def __init__(self, resources: Resources) -> None:
        self._ours = Handshaker(
            database=resources.database,
            now=resources.now,
            declared=resources.declared,
            client=resources.client,
            address=resources.address,
        )

    async def told(self, call: PartnerCall) -> Reply:
        """Return our credentials, with the very token that was shown: it alone is known here."""
        shown = await _shown(self._ours.database, call)
        if shown.kind is CredentialKind.ACCESS and not call.caller.is_invited:
            async with self._ours.database.connection() as database:
                await prove(database, shown)
        is_plain = spellings_of(call.token)[shown.digest]
        token = call.token if is_plain else decoded_token(call.token)
        terms, url = await self._terms(call), self._ours.versions_url
        return Reply(our_credentials(terms, call.version, token or "", url))

    async def register(self, call: PartnerCall) -> Reply:
        """Do the handshake, for who shows the token of an invitation."""
        shown = await _shown(self._ours.database, call)
        if shown.kind is not CredentialKind.INVITATION:
            raise _not_allowed(_REGISTERED)
        return await self._agree(call, shown)

    async def renew(self, call: PartnerCall) -> Reply:
        """Do it once more, for who is registered: new tokens, perhaps a new version."""
        shown = await self._registered(call)
        async with self._ours.database.connection() as database:
            await prove(database, shown)
        return await self._agree(call, shown)

    async def end(self, call: PartnerCall) -> Reply:
        """End it: no token of either side holds any more."""
        shown = await self._registered(call)
        partner, at = shown.partner, call.now
        async with self._ours.database.connection() as database:
            await revoke(database, partner, at=at, by=partner, why="ended by the partner")
            await forget(database, partner)
        return Reply()

    async def _agree(self, call: PartnerCall, shown: PresentedToken) -> Reply:
        try:
            async with alone_with(self._ours.database, shown.partner):
                return await self._agree_alone(call, shown)
        except HandshakeUnderWayError as error:
            raise OcpiRefusedError(
                str(error), status=Status.SERVER_ERROR, http=HTTPStatus.SERVICE_UNAVAILABLE
            ) from None

    async def _agree_alone(self, call: PartnerCall, shown: PresentedToken) -> Reply:
        terms, ours = await self._terms(call), self._ours
        if call.version not in terms.versions:
            message = f"OCPI {call.version} is not spoken with you: ask /versions which ones are"
            raise OcpiRefusedError(message, status=Status.UNSUPPORTED_VERSION, http=HTTPStatus.OK)
        try:
            theirs = their_credentials(call.body, call.version, shown.partner)
        except BadCredentialsError as error:
            raise OcpiRefusedError.invalid(str(error)) from error
        try:
            side = await their_side(
                ours.client, terms, theirs.token, theirs.url, version=call.version
            )
        except (PartnerUnreachableError, PartnerRefusedError) as error:
            raise _unusable(_UNREADABLE, error) from None
        except RoamingError as error:
            raise _unusable(_UNFIT, error) from None
        token = new_token()
        agreed = Agreed(
            our_party=terms.our_party,
            version=side.version,
            versions_url=theirs.url,
            endpoints=side.endpoints,
            parties=theirs.parties,
            token=theirs.token,
        )
        try:
            async with ours.database.connection() as database:
                await accept(database, shown, agreed, token, at=call.now)
        except SpentTokenError as error:
            raise _not_allowed(str(error)) from None
        return Reply(our_credentials(terms, call.version, token, ours.versions_url))

    async def _registered(self, call: PartnerCall) -> PresentedToken:
        """Return what a registered partner showed.

        Raises:
            OcpiRefusedError: If it is not registered yet (405).
        """
        shown = await _shown(self._ours.database, call)
        if shown.kind is not CredentialKind.ACCESS or call.caller.is_invited:
            raise _not_allowed(_NOT_YET)
        return shown

    async def _terms(self, call: PartnerCall) -> PartnerTerms:
        try:
            return terms_of(await self._ours.declared(), call.caller.partner, call.now)
        except RoamingError as error:
            message = "this connection is not set up on our side: ask who invited you"
            raise OcpiRefusedError(message, status=Status.SERVER_ERROR, http=500) from error


async def _shown(database: Pool, call: PartnerCall) -> PresentedToken:
    async with database.connection() as connection:
        shown = await presented(connection, list(spellings_of(call.token)))
    if shown is None or shown.partner != call.caller.partner:
        message = "this token is of nobody, or holds no more"
        raise OcpiRefusedError(message, status=Status.CLIENT_ERROR, http=HTTPStatus.UNAUTHORIZED)
    return shown


def _not_allowed(message: str) -> OcpiRefusedError:
    return OcpiRefusedError(message, status=Status.CLIENT_ERROR, http=HTTPStatus.METHOD_NOT_ALLOWED)


def _unusable(message: str, error: RoamingError) -> OcpiRefusedError:
    """Return what is said of a partner's side that does not do. Source: OCPI 2.2.1, 7.1.5."""
    status = _STATUS_OF.get(type(error), Status.UNUSABLE_API)
    return OcpiRefusedError(f"{message}: {error}", status=status, http=HTTPStatus.OK)
