"""Commands that partners give us: answered at once, done behind that.

    accepted            200, 1000, {"result": "ACCEPTED", "timeout": 30}
    not to be done      200, 1000, {"result": "REJECTED", "message": ...}
    no such session     200, 1000, {"result": "UNKNOWN_SESSION"}
    no such location    404, 2003
    no such command     200, 1000, {"result": "NOT_SUPPORTED"}

Source: OCPI 2.1.1, mod_commands, 13.2.1; OCPI 2.2.1 and 2.3.0, mod_commands, 13.2.1, and
mod_charging_profiles, 14.2.1.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final
from uuid import uuid4

from ledger.partners.station_calls import StationCalls
from roaming_ocpi.commands.kept import add_command
from roaming_ocpi.commands.requests import (
    PROFILE_KINDS,
    CommandKind,
    PartnerRequest,
    forecast_seconds,
    read_profile,
    read_request,
    response_url,
)
from roaming_ocpi.commands.running import ANSWER_SECONDS
from roaming_ocpi.commands.targets import Commander, NotDoneError, new_command
from roaming_ocpi.server.calls import (
    SINCE_2_2,
    Module,
    PartnerCall,
    Reply,
    Route,
)
from roaming_ocpi.server.resources import Resources
from roaming_ocpi.tokens.book import TokenBook
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId, OurSide
from tariffs.ocpi.versions import OcpiVersion

_ACCEPTED: Final = "ACCEPTED"
_NOT_SUPPORTED: Final = "NOT_SUPPORTED"
_PROFILE = "/{session_id}"


class CommandsReceiver:
    """The modules, over *calls* to stations; None: this process reaches none."""

    def __init__(self, resources: Resources, book: TokenBook, calls: StationCalls | None) -> None:
        self._resources, self._book, self._calls = resources, book, calls

    def commands(self) -> Module:
        """Return what partners' eMSPs command."""
        return Module(
            identifier=ModuleId.COMMANDS,
            role=InterfaceRole.RECEIVER,
            side=OurSide.CPO,
            routes=(
                Route(
                    "POST", "/{command}", self.post, "Command one of our stations.", has_body=True
                ),
            ),
        )

    def profiles(self) -> Module:
        """Return how partners set how fast their sessions charge."""
        return Module(
            identifier=ModuleId.CHARGING_PROFILES,
            role=InterfaceRole.RECEIVER,
            side=OurSide.CPO,
            routes=(
                Route("GET", _PROFILE, self.get_profile, "Ask which profile is in force."),
                Route("PUT", _PROFILE, self.set_profile, "Limit a session.", has_body=True),
                Route("DELETE", _PROFILE, self.clear_profile, "Take a limit away."),
            ),
            versions=SINCE_2_2,
        )

    async def post(self, call: PartnerCall) -> Reply:
        """Take a command."""
        try:
            kind = CommandKind(call.path["command"])
        except ValueError:
            kind = None
        is_new = kind is CommandKind.CANCEL_RESERVATION and call.version is OcpiVersion.V2_1_1
        if kind is None or kind in PROFILE_KINDS or is_new:
            return _answered(call.version, _NOT_SUPPORTED, "there is no such command here")
        return await self._take(call, read_request(kind, call.body, call.version))

    async def get_profile(self, call: PartnerCall) -> Reply:
        """Ask the station which profile is in force for a session."""
        return await self._take(
            call,
            PartnerRequest(
                kind=CommandKind.GET_PROFILE,
                response_url=response_url(call.query.get("response_url")),
                session_id=call.path["session_id"],
                seconds=forecast_seconds(call.query.get("duration")),
            ),
        )

    async def set_profile(self, call: PartnerCall) -> Reply:
        """Set a session's profile."""
        profile, url = read_profile(call.body)
        return await self._take(
            call,
            PartnerRequest(
                kind=CommandKind.SET_PROFILE,
                response_url=url,
                session_id=call.path["session_id"],
                profile=dict(profile),
            ),
        )

    async def clear_profile(self, call: PartnerCall) -> Reply:
        """Clear a session's profile."""
        return await self._take(
            call,
            PartnerRequest(
                kind=CommandKind.CLEAR_PROFILE,
                response_url=response_url(call.query.get("response_url")),
                session_id=call.path["session_id"],
            ),
        )

    async def _take(self, call: PartnerCall, request: PartnerRequest) -> Reply:
        """Keep a command that may be given, and say so; else say why not."""
        declared, told = await self._resources.declared(), self._resources.told
        by = Commander(call.caller, call.version, call.now, declared, told)
        try:
            command = await self._book.do(partial(new_command, uuid4(), request, by))
        except NotDoneError as error:
            return _answered(call.version, error.result, error.why)
        if self._calls is None:
            return _answered(call.version, _NOT_SUPPORTED, "no station can be called from here")
        if not await self._calls.is_connected(command.station_id):
            return _answered(call.version, "REJECTED", "the station is not connected")
        if not await self._book.do(partial(add_command, command)):
            return _answered(call.version, "REJECTED", "too many commands of yours are under way")
        return _answered(call.version, _ACCEPTED)


def _answered(version: OcpiVersion, result: str, why: str | None = None) -> Reply:
    """Return a CommandResponse or ChargingProfileResponse: they differ in nothing we say."""
    data: dict[str, Any] = {"result": result}
    if version is OcpiVersion.V2_1_1:
        return Reply(data=data, message=why)
    data["timeout"] = round(ANSWER_SECONDS)
    if why is not None:
        data["message"] = [{"language": "en", "text": why}]
    return Reply(data=data)
