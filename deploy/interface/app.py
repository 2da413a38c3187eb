"""The one Litestar app: every route behind a token and a scope, one format of problems.

A route says which scope it wants (`opt`). One that says nothing wants what no token has: what is
forgotten is closed. For a person's own token the scope names a permission. Whose permission holds
at some legal entities or sites only gets no further than to routes that cut what they answer to
those (`is_cut`), else it would be everybody's. What is about a station is cut here, for every route
that names one in its path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from litestar import Litestar, Router
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import (
    NotAuthorizedException,
    NotFoundException,
    PermissionDeniedException,
)
from litestar.handlers import BaseRouteHandler
from litestar.middleware import (
    AbstractAuthenticationMiddleware,
    AuthenticationResult,
    DefineMiddleware,
)
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ControllerRouterHandler

from deploy.api.conventions.station_reach import STATION
from deploy.interface.access import ANYBODY, PERMISSION_OF, SCHEME, Bearer, Scope
from deploy.interface.description import (
    complete,
    describe_access,
    describe_partners,
    name_operation,
)
from deploy.interface.problems import answer_problem
from ledger.shapes import build_shapes
from ledger.users.access_tokens import digest_of
from roaming_ocpi.server.app import OcpiRoutes

FindBearer = Callable[[bytes], Awaitable[Bearer | None]]
"""Returns whose token has this digest."""
_DOCUMENTS: Final = "/schema"
DOCUMENT: Final = f"{_DOCUMENTS}/openapi.json"
"""Where the interface describes itself; whoever asks for that needs no token."""
BODY_MAX: Final = 1 << 20
_OPEN: Final = "exclude_from_auth"
FOR_ANYBODY: Final = {"scope": ANYBODY, _OPEN: True}
_AUTHENTICATE: Final = {"WWW-Authenticate": SCHEME}


class BearerMiddleware(AbstractAuthenticationMiddleware):
    """Finds out whose token came with a request."""

    def __init__(self, app: Any, find: FindBearer, **options: Any) -> None:  # noqa: ANN401 - Litestar's own
        super().__init__(app, **options)
        self._find = find

    async def authenticate_request(
        self, connection: ASGIConnection[Any, Any, Any, Any]
    ) -> AuthenticationResult:
        """Return who asks.

        Raises:
            NotAuthorizedException: If no token came, or one of nobody.
        """
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        if scheme.casefold() != SCHEME.casefold() or not token:
            message = "a token is wanted: Authorization: Bearer TOKEN (wattledger access add)"
            raise NotAuthorizedException(message, headers=_AUTHENTICATE)
        bearer = await self._find(digest_of(token.strip()))
        if bearer is None:
            message = "this token is of nobody, or was revoked"
            raise NotAuthorizedException(message, headers=_AUTHENTICATE)
        return AuthenticationResult(user=bearer, auth=None)


async def check_scope(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Let a request pass whose token has the scope that its route wants.

    Raises:
        PermissionDeniedException: If it has not.
        NotFoundException: If it is about a station beyond its reach.
    """
    wanted = handler.opt.get("scope")
    if wanted == ANYBODY:
        return
    if wanted not in list(Scope):
        # Also where nobody was asked who he is (OPTIONS).
        message = "no token opens this"
        raise PermissionDeniedException(message)
    scope, bearer = Scope(wanted), connection.user
    if not bearer.may(scope):
        message = f"this token has not the scope {scope}"
        if bearer.person is not None:
            needed = PERMISSION_OF[scope]
            message = f"your roles do not include {needed}: an administrator gives roles"
        raise PermissionDeniedException(message)
    if bearer.reach(scope).is_everywhere:
        return
    if not handler.opt.get("is_cut"):
        message = "your role holds at some legal entities or sites, and this is about all of them"
        raise PermissionDeniedException(message)
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
        route_handlers=[Router("/", route_handlers=[*routes, *also], guards=[check_scope])],
        state=State(dict(state or {})),
        dependencies={
            name: Provide(_giving(part), sync_to_thread=False) for name, part in parts.items()
        },
        middleware=[
            DefineMiddleware(
                BearerMiddleware, find=find, exclude=f"^{DOCUMENT}$", exclude_from_auth_key=_OPEN
            ),
            *around,
        ],
        exception_handlers={Exception: answer_problem},
        lifespan=list(lifespan),
        request_max_body_size=BODY_MAX,
        openapi_config=_described(),
        debug=False,
        # Else it takes over the whole process's log, with a thread for each app.
        logging_config=None,
    )
    build_shapes()  # routes read in threads
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


def _giving(part: object) -> Callable[[], Any]:
    def give() -> Any:  # noqa: ANN401 - any part
        return part

    return give
