"""Named charging profiles over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, get, put
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter

from ingest.commands.profiles import ChargingProfiles, NamedProfile
from ingest.interface.exact import exact_body, exact_text
from ingest.rpc import codec

NAME_MAX = 100
Profiles = NamedDependency[ChargingProfiles]
ProfileName = Annotated[
    str, PathParameter(description="What it is called", min_length=1, max_length=NAME_MAX)
]


class ProfileRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A charging profile in the words of a station's version; it is kept as it was given."""

    profile: dict[str, Any]


class _ExactProfile(msgspec.Struct):
    """The profile as it was written."""

    profile: msgspec.Raw


class ProfilesController(Controller):
    """Charging profiles by name."""

    tags = ("charging profiles",)

    @get("/charging-profiles", opt={"scope": "read"})
    async def listed(self, profiles: Profiles) -> list[NamedProfile]:
        """Return all of them, by their names."""
        return await profiles.list()

    @put("/charging-profiles/{name:str}", opt={"scope": "command"})
    async def put_one(
        self,
        name: ProfileName,
        data: JSONBody[ProfileRequest],  # noqa: ARG002 - checks what came
        request: Request[Any, Any, Any],
        profiles: Profiles,
    ) -> NamedProfile:
        """Keep a profile under a name, whatever had that name before."""
        body = await exact_body(request, ProfileRequest)
        exact = codec.decode(body, _ExactProfile).profile
        return await profiles.put(name, exact_text(exact), by=request.user.name)
