"""The routes for partners as one piece that an application mounts and describes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from litestar import Router, asgi
from litestar.openapi.spec import Components, PathItem
from litestar.types import Receive, Scope, Send

from roaming_ocpi.client.audit import Heard
from roaming_ocpi.registration.links import prove_use
from roaming_ocpi.server.calls import Module
from roaming_ocpi.server.description import described_components, described_paths
from roaming_ocpi.server.front.callers import FindCaller, ProveUse
from roaming_ocpi.server.front.walls import Walls
from roaming_ocpi.server.partner_side import PREFIX, WALLS, PartnerSide
from roaming_ocpi.server.resources import Resources


class OcpiRoutes(NamedTuple):
    """What is mounted, and how it is described."""

    router: Router
    side: PartnerSide
    paths: Mapping[str, PathItem]
    components: Components


def ocpi_routes(
    modules: Sequence[Module],
    resources: Resources,
    *,
    find: FindCaller,
    heard: Heard,
    prove: ProveUse | None = None,
    walls: Walls = WALLS,
    opt: Mapping[str, Any] | None = None,
) -> OcpiRoutes:
    """Return the routes of *modules* under /ocpi.

    Everything there is answered by one application: also what is not found or not offered comes in
    OCPI's envelope, and passes the walls. *opt* is for the application that mounts it: who may come
    in is not its matter. *prove* is told of a new token's first use; None: the handshake's own is.
    """
    prove = prove or partial(prove_use, resources.database)
    side = PartnerSide(modules, resources, find=find, prove=prove, heard=heard, walls=walls)

    @asgi(PREFIX, is_mount=True, copy_scope=True, opt=dict(opt or {}))
    async def partners(scope: Scope, receive: Receive, send: Send) -> None:
        await side(scope, receive, send)

    router = Router("/", route_handlers=[partners])
    return OcpiRoutes(router, side, described_paths(side.routes, PREFIX), described_components())
