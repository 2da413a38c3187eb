"""Which versions we speak, and where each of their modules is.

Source: OCPI 2.2.1, version_information_endpoint; of 2.1.1, whose endpoints say no role.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ledger.master_data.partners import Partner
from roaming_ocpi.server.calls import Module, OcpiRefusedError, PartnerCall, Reply, Route
from roaming_ocpi.server.resources import Resources
from roaming_ocpi.server.routing import OfferedRoute, module_path
from roaming_ocpi.wire.modules import ModuleId
from roaming_ocpi.wire.status import Status
from tariffs.ocpi.versions import OcpiVersion


class OurVersions:
    """Tells a partner what there is for it: its versions, and the sides that face its roles."""

    def __init__(self, modules: Sequence[Module], resources: Resources) -> None:
        self._modules, self._resources = modules, resources

    def routes(self) -> Iterator[OfferedRoute]:
        """Yield the routes that say so."""
        listed = Route("GET", "", self._list, "List the versions that are spoken with you.")
        yield OfferedRoute("/versions", OcpiVersion.V2_3_0, None, listed)
        for version in OcpiVersion:
            one = Route("GET", "", self._one, f"Say where the modules of OCPI {version} are.")
            yield OfferedRoute(f"/{version}", version, None, one)

    async def _list(self, call: PartnerCall) -> Reply:
        spoken = _spoken(await self._partner(call))
        address = self._resources.address
        return Reply([{"version": str(each), "url": f"{address}/{each}"} for each in spoken])

    async def _one(self, call: PartnerCall) -> Reply:
        partner = await self._partner(call)
        if call.version not in _spoken(partner):
            message = f"OCPI {call.version} is not spoken with you: ask /versions which ones are"
            raise OcpiRefusedError.not_found(message, Status.UNSUPPORTED_VERSION)
        endpoints = [
            self._endpoint(module, call.version)
            for module in self._modules
            if call.version in module.versions
            and (module.side in call.caller.sides or module.identifier is ModuleId.CREDENTIALS)
        ]
        return Reply({"version": str(call.version), "endpoints": endpoints})

    def _endpoint(self, module: Module, version: OcpiVersion) -> dict[str, Any]:
        url = self._resources.address + module_path(module, version)
        endpoint = {"identifier": str(module.identifier), "url": url}
        if version is not OcpiVersion.V2_1_1:
            endpoint["role"] = str(module.role)
        return endpoint

    async def _partner(self, call: PartnerCall) -> Partner | None:
        declared = await self._resources.declared()
        return declared.partner(call.caller.partner, call.now)


def _spoken(partner: Partner | None) -> list[OcpiVersion]:
    named = () if partner is None else partner.versions
    return [each for each in OcpiVersion if not named or each in named]
