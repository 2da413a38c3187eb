"""Our Tariffs for partners whose drivers charge here.

Source: OCPI 2.2.1, mod_tariffs, Sender interface.
"""

from __future__ import annotations

from collections.abc import Sequence

from roaming_ocpi.places.ours.our_tariffs import OurTariff, our_tariffs
from roaming_ocpi.places.ours.page_numbers import is_asked, page_of
from roaming_ocpi.places.ours.publication import Publication
from roaming_ocpi.server.calls import Module, ObjectPage, PartnerCall, Reply, Route
from roaming_ocpi.server.resources import Resources
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId, OurSide


class TariffSender:
    """Answers what the partner's drivers pay."""

    def __init__(self, resources: Resources) -> None:
        self._database = resources.database
        self._published: Publication[Sequence[OurTariff]] = Publication(resources, our_tariffs)

    def module(self) -> Module:
        """Return the module as it is offered."""
        routes = [Route("GET", "", self.listed, "List our Tariffs.", is_list=True)]
        return Module(ModuleId.TARIFFS, InterfaceRole.SENDER, OurSide.CPO, routes)

    async def listed(self, call: PartnerCall) -> Reply:
        """Return a page of Tariffs, the one that was declared first in front."""
        async with self._database.connection() as connection:
            every = await self._published.of(call, connection) or ()
        matching = [each for each in every if is_asked(each.updated_at, call.asked)]
        page, more = page_of(matching, call.asked, call.query)
        said = [each.said[call.version] for each in page]
        return Reply(page=ObjectPage(said, len(matching), call.asked.limit, more))
