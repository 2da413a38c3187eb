"""What a person says of a station over HTTP: its password, its boot, what it takes at once."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, patch, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from ingest.commands.asking import ANSWER_SECONDS, Patience
from ingest.commands.outcome import CommandOutcome
from ingest.interface.calls import COMMAND, WAIT_SECONDS_MAX, Commands, StationId
from ingest.interface.exact import exact_body
from ingest.station_settings import StationChange, StationDesk, StationSettings

Desk = NamedDependency[StationDesk]


class NewPassword(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A password to tell a station: of 1.6 16 to 20 bytes, or these in hex; of 2.x 16 to 40 signs.

    `wait_s`: how long to wait for the answer, 0 not at all.
    """

    password: Annotated[str, msgspec.Meta(min_length=16, max_length=40)]
    wait_s: Annotated[float, msgspec.Meta(ge=0, le=WAIT_SECONDS_MAX)] = ANSWER_SECONDS


class StationSettingsController(Controller):
    """Stations as they are set."""

    tags = ("stations",)

    @patch("/stations/{station_id:str}", opt=COMMAND)
    async def change(
        self,
        station_id: StationId,
        data: JSONBody[StationChange],
        request: Request[Any, Any, Any],
        desk: Desk,
    ) -> StationSettings:
        """Set a station otherwise; it is in force at once in every process."""
        await exact_body(request, StationChange)
        return await desk.change(station_id, data, by=request.user.name)

    @post("/stations/{station_id:str}/password", status_code=200, opt=COMMAND)
    async def tell_password(
        self,
        station_id: StationId,
        data: JSONBody[NewPassword],
        request: Request[Any, Any, Any],
        commands: Commands,
    ) -> CommandOutcome:
        """Tell a station its new password; it holds once the station accepted it.

        The old one holds until then, and both until the new one was used. The call that comes back
        does not show it.
        """
        await exact_body(request, NewPassword)
        patience = Patience(wait=data.wait_s)
        by = request.user.name
        return await commands.ask_password(station_id, data.password, by=by, patience=patience)
