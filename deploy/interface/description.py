"""What the interface says of itself where its library says something else, or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import (
    OpenAPI,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Parameter,
    Reference,
    RequestBody,
    Schema,
)
from litestar.routes import HTTPRoute
from litestar.types.internal_types import PathParameterDefinition

from deploy.interface.access import PERMISSION_OF, SCHEME, Scope
from deploy.interface.problems import MEDIA_TYPE
from roaming_ocpi.server.app import OcpiRoutes

CHANGES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
KEY_HEADER: Final = "Idempotency-Key"
KEY_PATTERN: Final = "^[!-~]{1,200}$"
_VERBS: Final = {
    "GET": "get",
    "POST": "create",
    "PUT": "put",
    "PATCH": "change",
    "DELETE": "delete",
}
_KEY: Final = Parameter(
    name=KEY_HEADER,
    param_in="header",
    required=False,
    schema=Schema(type=OpenAPIType.STRING, pattern=KEY_PATTERN, min_length=1, max_length=200),
    description=(
        "Chosen by who asks, new for each request: sent again under the same key, it is not done "
        "again, and answered as it was then."
    ),
)
_PROBLEMS: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.PRECONDITION_FAILED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.PRECONDITION_REQUIRED,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


def complete(described: OpenAPI) -> None:
    """Say how the interface says no, and close what takes no further members."""
    components = described.components
    assert components is not None
    fields: dict[str, Reference | Schema] = {
        "type": Schema(type=OpenAPIType.STRING, default="about:blank"),
        "title": Schema(type=OpenAPIType.STRING),
        "status": Schema(type=OpenAPIType.INTEGER),
        "code": Schema(type=OpenAPIType.STRING, description="For machines"),
        "detail": Schema(type=OpenAPIType.STRING, description="For people"),
        "spot": Schema(type=OpenAPIType.STRING, description="Where in what was sent it lies"),
    }
    required = ["title", "status", "code", "detail"]
    components.schemas["Problem"] = Schema(
        type=OpenAPIType.OBJECT, properties=fields, required=required
    )
    content = {MEDIA_TYPE: OpenAPIMediaType(schema=Reference(ref="#/components/schemas/Problem"))}
    for operation in _operations(described):
        assert operation.responses is not None
        for status in _PROBLEMS:
            said = OpenAPIResponse(description=status.description, content=content)
            operation.responses[str(status.value)] = said
        if isinstance(operation.request_body, RequestBody):
            for media in operation.request_body.content.values():
                if isinstance(media.schema, Reference):
                    _close(components.schemas[media.schema.ref.rpartition("/")[2]])
    for each in components.schemas.values():
        _widen(each)


def name_operation(
    _handler: HTTPRouteHandler, method: str, components: list[str | PathParameterDefinition]
) -> str:
    """Return what an operation is called, by its method and address, where it says nothing itself.

    GET /sessions: list_sessions; GET /invoices/{number}/pdf: get_invoice_pdf.
    """
    words: list[str] = []
    is_of_one = False
    for each in components:
        is_of_one = not isinstance(each, str)
        if isinstance(each, str):
            words.append(each.replace("-", "_"))
        elif words:
            words[-1] = words[-1].removesuffix("s")
    verb = _VERBS[method]
    if method == "GET" and not is_of_one and words[-1].endswith("s"):
        verb = "list"
    if method == "POST" and words:
        words[-1] = words[-1].removesuffix("s")
    return "_".join((verb, *words))


def describe_access(app: Litestar) -> None:
    """Say which scope each operation wants, under which key it is done once, and its `example`."""
    paths = app.openapi_schema.paths or {}
    for route in app.routes:
        if not isinstance(route, HTTPRoute) or route.path_format not in paths:
            continue
        for method, (handler, _) in route.route_handler_map.items():
            operation = getattr(paths[route.path_format], method.lower(), None)
            if operation is not None:
                _describe_access(operation, method, handler.opt)


def _describe_access(operation: Operation, method: str, options: Mapping[str, Any]) -> None:
    scope = options.get("scope")
    if scope not in list(Scope):
        return
    operation.security = [{SCHEME: [scope]}]
    wanted = f"Scope `{scope}`; a person's permission `{PERMISSION_OF[Scope(scope)]}`."
    operation.description = "\n\n".join(filter(None, (operation.description, wanted)))
    if "example" in options and isinstance(operation.request_body, RequestBody):
        for media in operation.request_body.content.values():
            media.example = options["example"]
    if method in CHANGES and options.get("changes", True):
        operation.parameters = [*(operation.parameters or ()), _KEY]


def describe_partners(described: OpenAPI, partners: OcpiRoutes) -> None:
    """Add the routes for roaming partners, which say no in OCPI's own way."""
    assert described.components is not None
    described.paths = {**(described.paths or {}), **partners.paths}
    described.components.schemas |= partners.components.schemas
    schemes = described.components.security_schemes or {}
    more = partners.components.security_schemes or {}
    described.components.security_schemes = {**schemes, **more}


def _operations(described: OpenAPI) -> Iterator[Operation]:
    for item in (described.paths or {}).values():
        for operation in (item.get, item.post, item.put, item.patch, item.delete):
            if operation is not None:
                yield operation


def _close(body: Schema) -> None:
    """Say that a body takes no members but its own."""
    body.additional_properties = False


def _widen(schema: Schema) -> None:
    """Let any JSON be null too: "one of anything and null" allows no null."""
    for name, each in (schema.properties or {}).items():
        if isinstance(each, Schema) and Schema() in (each.one_of or ()):
            assert schema.properties is not None
            schema.properties[name] = Schema(description=each.description)
