"""What partners' CPOs call at us as eMSP: CDRs, and sessions that go on.

Source: OCPI 2.1.1, mod_cdrs 10.2.2 and mod_sessions 9.2.2; OCPI 2.2.1 and 2.3.0, mod_cdrs and
mod_sessions, Receiver Interface.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ledger.partners.messages import UnfitMessageError
from roaming_ocpi.incoming.taking.intake import GivenObject, PartnerIntake
from roaming_ocpi.incoming.told import UnfitObjectError, identity_of
from roaming_ocpi.server.calls import Module, OcpiRefusedError, PartnerCall, Reply, Route
from roaming_ocpi.server.ownership import own, own_party
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId, OurSide
from roaming_ocpi.wire.status import Status
from tariffs.ocpi.documents import OcpiError
from tariffs.ocpi.versions import OcpiVersion

_SESSION: Final = "/{country_code}/{party_id}/{session_id}"
_OLDER: Final = "an older version than the one that is kept: nothing was changed"
_OTHER: Final = (
    "a CDR of this id was told before with other content, and that one holds: take it back with "
    "a credit CDR and send a new one under an id of its own"
)
_REFUSED: Final = (OcpiError, UnfitObjectError, UnfitMessageError)


class IncomingReceiver:
    """Both modules, over an *intake*. *address*: where partners reach us."""

    def __init__(self, intake: PartnerIntake, address: str) -> None:
        self._intake, self._address = intake, address

    def modules(self) -> tuple[Module, Module]:
        """Return what partners' CPOs call."""
        receiver, emsp = InterfaceRole.RECEIVER, OurSide.EMSP
        cdrs = (
            Route("POST", "", self.post_cdr, "Tell a CDR of one of our drivers.", has_body=True),
            Route("GET", "/{address}", self.get_cdr, "Return a CDR of yours by its Location."),
        )
        sessions = (
            Route("GET", _SESSION, self.get_session, "Return a session of yours as it is kept."),
            Route("PUT", _SESSION, self.put_session, "Tell a session.", has_body=True),
            Route("PATCH", _SESSION, self.patch_session, "Change a session.", has_body=True),
        )
        return (
            Module(ModuleId.CDRS, receiver, emsp, cdrs),
            Module(ModuleId.SESSIONS, receiver, emsp, sessions),
        )

    async def post_cdr(self, call: PartnerCall) -> Reply:
        """Take a CDR; it is in the log once this answers."""
        body = _object(call)
        party = _owner(call, body)
        try:
            taken = await self._intake.take_cdr(GivenObject(party, body, call.text, call.now))
        except _REFUSED as error:
            raise OcpiRefusedError.invalid(str(error)) from None
        location = f"{self._address}/emsp/{call.version}/cdrs/{taken.address}"
        if taken.is_other:
            # It is kept beside the first one; that it does not count, its sender must hear.
            status = Status.INVALID_PARAMETERS
            return Reply(status=status, http=400, message=_OTHER, location=location)
        return Reply(location=location)

    async def get_cdr(self, call: PartnerCall) -> Reply:
        """Return a CDR by the address that we gave it."""
        found = await self._intake.cdr_at(call.path["address"], sorted(call.caller.parties))
        if found is None:
            message = "no CDR of yours has this address: it is the Location of the answer to a POST"
            raise OcpiRefusedError.not_found(message)
        return Reply(data=found)

    async def get_session(self, call: PartnerCall) -> Reply:
        """Return a session as it is kept."""
        party = own(call, call.path["country_code"], call.path["party_id"])
        kept = await self._intake.session(party, call.path["session_id"])
        if kept is None:
            raise _unknown_session()
        return Reply(data=kept.value)

    async def put_session(self, call: PartnerCall) -> Reply:
        """Take a session; it is in the log once this answers."""
        body, party = _object(call), own(call, call.path["country_code"], call.path["party_id"])
        try:
            _check_id(body, call.path["session_id"])
            is_newer = await self._intake.put_session(GivenObject(party, body, call.text, call.now))
        except _REFUSED as error:
            raise OcpiRefusedError.invalid(str(error)) from None
        return Reply() if is_newer else Reply(message=_OLDER)

    async def patch_session(self, call: PartnerCall) -> Reply:
        """Take parts of a session; they are in the log once this answers."""
        body, party = _object(call), own(call, call.path["country_code"], call.path["party_id"])
        try:
            session_id = identity_of({"id": call.path["session_id"]}, "session")
            if "id" in body:
                _check_id(body, session_id)
            given = GivenObject(party, body, call.text, call.now)
            is_newer = await self._intake.patch_session(given, session_id)
        except _REFUSED as error:
            raise OcpiRefusedError.invalid(str(error)) from None
        if is_newer is None:
            raise _unknown_session()
        return Reply() if is_newer else Reply(message=_OLDER)


def _object(call: PartnerCall) -> Mapping[str, Any]:
    if not isinstance(call.body, dict):
        message = "the body must be a JSON object"
        raise OcpiRefusedError.invalid(message)
    return call.body


def _owner(call: PartnerCall, body: Mapping[str, Any]) -> str:
    """Return whose CDR it is: 2.1.1 says it nowhere, so it is who calls."""
    named = body.get("country_code"), body.get("party_id")
    if call.version is OcpiVersion.V2_1_1 and named == (None, None):
        return call.caller.partner
    return own_party(call.caller, *named)


def _check_id(body: Mapping[str, Any], session_id: str) -> None:
    if identity_of(body, "session").casefold() != session_id.casefold():
        message = "the session's id is not the one in the address"
        raise UnfitObjectError(message)


def _unknown_session() -> OcpiRefusedError:
    message = "no such session was told here: tell all of it with PUT first"
    return OcpiRefusedError.not_found(message)
