"""The one Litestar app: every route behind a token and a scope, one format of problems.

A route says which scope it wants (`opt`). One that says nothing wants what no token has: what is
forgotten is closed. For a person's own token the scope names a permission. Whose permission holds
at some legal entities or sites only gets no further than to routes that cut what they answer to
those (`is_cut`), else it would be everybody's. What is about a station is cut here, for every route
that names one in its path.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, cast
from urllib.parse import unquote

from litestar import Litestar, Router
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import (
    NotAuthorizedException,
    NotFoundException,
    PermissionDeniedException,
)
from litestar.middleware import DefineMiddleware
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp, ControllerRouterHandler, Message, Receive, Send
from litestar.types import Scope as Connected

from deploy.api.conventions.station_reach import STATION
from deploy.interface.access import ANYBODY, PERMISSION_OF, SCHEME, Bearer, Scope
from deploy.interface.description import (
    complete,
    describe_access,
    describe_partners,
    name_operation,
)
from deploy.interface.problems import answer_anybody
from ledger.shapes import build_shapes
from ledger.users.access_tokens import FactorMissingError, digest_of
from ledger.users.roles import Reach
from roaming_ocpi.server.app import OcpiRoutes

FindBearer = Callable[[bytes], Awaitable[Bearer | None]]
"""Returns whose token has this digest."""
_DOCUMENTS: Final = "/schema"
DOCUMENT: Final = f"{_DOCUMENTS}/openapi.json"
"""Where the interface describes itself; whoever asks for that needs no token."""
BODY_MAX: Final = 1 << 20
FOR_ANYBODY: Final = {"scope": ANYBODY}
_SCOPES: Final[Mapping[object, Scope]] = {each.value: each for each in Scope}
_AUTHORIZATION: Final = b"authorization"
_SCHEME: Final = SCHEME.casefold()
_AUTHENTICATE: Final = {"WWW-Authenticate": SCHEME}
_SLASH: Final = re.compile("%2f", re.IGNORECASE)
_KEPT_SLASH: Final = "\uffff"
"""What stands for one meanwhile: no character, and so in no id."""


class BearerMiddleware:
    """Finds out whose token came with a request, and lets pass what it opens.

    No guard of Litestar's: each would be given a copy of its route.
    """

    def __init__(self, app: ASGIApp, find: FindBearer) -> None:
        self._app, self._find = app, find

    async def __call__(self, scope: Connected, receive: Receive, send: Send) -> None:
        """Answer a request.

        Raises:
            NotAuthorizedException: If no token came, one of nobody, or of a person without the
                second factor that is asked for.
            PermissionDeniedException: If it has not the scope that the route wants.
            NotFoundException: If it is about a station beyond its reach.
        """
        scope["path_params"] = {
            name: value.replace(_KEPT_SLASH, "/") if isinstance(value, str) else value
            for name, value in cast("Mapping[str, Any]", scope["path_params"]).items()
        }
        options = scope["route_handler"].opt
        if options.get("scope") != ANYBODY and scope["path"] != DOCUMENT:
            wanted = _SCOPES.get(options.get("scope"))
            if wanted is None:
                # Also where nobody is asked who he is (OPTIONS).
                message = "no token opens this"
                raise PermissionDeniedException(message)
            bearer = await self._bearer_in(scope)
            reach = reach_of(bearer, wanted, is_cut=bool(options.get("is_cut")))
            scope["user"], scope["auth"] = bearer, None
            if not reach.is_everywhere:
                await _see_station(ASGIConnection(scope), wanted)
        await self._app(scope, receive, send)

    async def _bearer_in(self, scope: Connected) -> Bearer:
        given = next((value for name, value in scope["headers"] if name == _AUTHORIZATION), b"")
        scheme, _, token = given.decode("latin-1").partition(" ")
        if scheme.casefold() != _SCHEME or not token:
            message = "a token is wanted: Authorization: Bearer TOKEN (wattledger access add)"
            raise NotAuthorizedException(message, headers=_AUTHENTICATE)
        bearer = await self._find(digest_of(token.strip()))
        if bearer is None:
            message = "this token is of nobody, or was revoked"
            raise NotAuthorizedException(message, headers=_AUTHENTICATE)
        if bearer.lacks_factor:
            raise NotAuthorizedException(
                str(FactorMissingError(bearer.name)),
                headers=_AUTHENTICATE,
                extra={"code": "second_factor_missing"},
            )
        return bearer


class KeptSlashes:
    """Lets ids have slashes: what came as %2F parts no path, but belongs to what stands there.

    The server takes it for a slash of the path. `BearerMiddleware` gives it back to what a path
    names, once the route is found.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Connected, receive: Receive, send: Send) -> None:
        """Answer a request."""
        raw = str(scope.get("raw_path") or b"", "latin-1")
        if _SLASH.search(raw):
            path = unquote(_SLASH.sub(_KEPT_SLASH, raw))
            scope = cast("Connected", {**scope, "path": path})
        await self._app(scope, receive, send)


class HeadAsGet:
    """Answers HEAD as GET, without a body: who looks whether a link leads anywhere asks so.

    The server sends none. What would be told for ever ends with its beginning.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Connected, receive: Receive, send: Send) -> None:
        """Answer a request."""
        # Of what is no request there is no method.
        if scope.get("method") != "HEAD":
            await self._app(scope, receive, send)
            return

        async def begin(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self._app(cast("Connected", {**scope, "method": "GET"}), receive, begin)


def reach_of(bearer: Bearer, scope: Scope, *, is_cut: bool) -> Reach:
    """Return how far a *bearer* reaches by a route that wants *scope*.

    *is_cut*: the route cuts what it answers to that.

    Raises:
        PermissionDeniedException: If they may not use it.
    """
    reach = bearer.reach(scope)
    if not reach:
        message = f"this token has not the scope {scope}"
        if bearer.person is not None:
            needed = PERMISSION_OF[scope]
            message = f"your roles do not include {needed}: an administrator gives roles"
        raise PermissionDeniedException(message)
    if not reach.is_everywhere and not is_cut:
        message = "your role holds at some legal entities or sites, and this is about all of them"
        raise PermissionDeniedException(message)
    return reach


async def _see_station(connection: ASGIConnection[Any, Any, Any, Any], scope: Scope) -> None:
    station = connection.path_params.get(STATION)
    if station is not None and not await connection.app.state["sight"].sees(
        connection, scope, station
    ):
        message = f"no station {station} is declared"
        raise NotFoundException(message)


def build_app(
    routes: Sequence[ControllerRouterHandler],
    *,
    find: FindBearer,
    parts: Mapping[str, Any],
    lifespan: Sequence[Any] = (),
    partners: OcpiRoutes | None = None,
    pages: ControllerRouterHandler | None = None,
    state: Mapping[str, Any] | None = None,
    around: Sequence[DefineMiddleware] = (),
) -> Litestar:
    """Return the interface with these *routes*; *parts* are what they ask for by name.

    *partners* are the routes for roaming partners, who bring tokens of their own; *pages* are the
    console's, where browsers come with a session, and find *state*. *around* stand between who
    asks, once that is known, and every route.
    """
    also = [*([] if partners is None else [partners.router]), *([] if pages is None else [pages])]
    app = Litestar(
        # One router: what several controllers bring for an address is one route.
        route_handlers=[Router("/", route_handlers=[*routes, *also])],
        state=State(dict(state or {})),
        dependencies={
            name: Provide(_giving(part), sync_to_thread=False) for name, part in parts.items()
        },
        middleware=[DefineMiddleware(BearerMiddleware, find=find), *around],
        exception_handlers={Exception: answer_anybody},
        lifespan=list(lifespan),
        request_max_body_size=BODY_MAX,
        openapi_config=_described(),
        debug=False,
        # Else it takes over the whole process's log, with a thread for each app.
        logging_config=None,
    )
    build_shapes()  # routes read in threads
    _give_in_turn(app)
    complete(app.openapi_schema)
    describe_access(app)
    if partners is not None:
        describe_partners(app.openapi_schema, partners)
    return app


def _described() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Wattledger",
        version="1",
        description=(
            "Stations, calls to them, what was charged and what it cost, documents, money, books "
            "and master data. docs/api.md has the conventions."
        ),
        path=_DOCUMENTS,
        use_handler_docstrings=True,
        operation_id_creator=name_operation,
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        components=Components(
            security_schemes={SCHEME: SecurityScheme(type="http", scheme=SCHEME.lower())}
        ),
        security=[{SCHEME: []}],
    )


def _give_in_turn(app: Litestar) -> None:
    """Have what routes ask for given one after the other.

    Litestar starts a task for each, which costs more than all that our parts, which are there, do.
    """
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for _, model in route.route_handler_map.values():
                model.dependency_batches = [
                    {each}
                    for batch in model.dependency_batches
                    for each in sorted(batch, key=lambda each: each.key)
                ]


def _giving(part: object) -> Callable[[], Any]:
    def give() -> Any:  # noqa: ANN401 - any part
        return part

    return give
