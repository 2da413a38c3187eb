"""The routes for partners in the interface's description (OpenAPI 3.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from litestar.openapi.spec import (
    Components,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Parameter,
    PathItem,
    Reference,
    RequestBody,
    Schema,
    SecurityScheme,
)

from roaming_ocpi.server.front.wire_request import SEGMENT_MAX
from roaming_ocpi.server.paging import LIMIT, LIMIT_MAX
from roaming_ocpi.server.routing import OfferedRoute

SCHEME: Final = "OcpiToken"
_ENVELOPE: Final = "OcpiEnvelope"
_JSON: Final = "application/json"
_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_REFUSALS: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.REQUEST_URI_TOO_LONG,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


def described_paths(routes: Iterable[OfferedRoute], prefix: str) -> dict[str, PathItem]:
    """Return the description of *routes*, mounted at *prefix*."""
    paths: dict[str, PathItem] = {}
    for each in routes:
        item = paths.setdefault(prefix + each.template, PathItem())
        setattr(item, each.route.method.lower(), _operation(each))
    return paths


def described_components() -> Components:
    """Return what the description of the routes refers to."""
    fields: dict[str, Reference | Schema] = {
        "data": Schema(description="An object, a list of them or a text; not where it is refused"),
        "status_code": Schema(type=OpenAPIType.INTEGER, minimum=1000, maximum=4999),
        "status_message": Schema(type=OpenAPIType.STRING, description="For people"),
        "timestamp": Schema(type=OpenAPIType.STRING, description="UTC"),
    }
    required = ["status_code", "timestamp"]
    envelope = Schema(type=OpenAPIType.OBJECT, properties=fields, required=required)
    scheme = SecurityScheme(
        type="apiKey",
        name="Authorization",
        security_scheme_in="header",
        description="`Token TOKEN`, of OCPI 2.2.1 and newer in Base64",
    )
    return Components(schemas={_ENVELOPE: envelope}, security_schemes={SCHEME: scheme})


def _operation(offered: OfferedRoute) -> Operation:
    route, module = offered.route, offered.module
    body = None
    if route.has_body:
        schema = Schema(type=OpenAPIType.OBJECT)
        body = RequestBody(content={_JSON: OpenAPIMediaType(schema=schema)}, required=True)
    content = {_JSON: OpenAPIMediaType(schema=Reference(ref=f"#/components/schemas/{_ENVELOPE}"))}
    statuses = (HTTPStatus.OK, HTTPStatus.CREATED, *_REFUSALS)
    name = re.sub(r"\W+", "_", f"ocpi_{route.method.lower()}{offered.template}").strip("_")
    return Operation(
        tags=["ocpi" if module is None else f"ocpi {module.identifier}"],
        summary=route.summary,
        operation_id=name,
        parameters=[*_in_path(offered.template), *(_of_list() if route.is_list else ())],
        request_body=body,
        responses={
            str(status.value): OpenAPIResponse(description=status.phrase, content=content)
            for status in statuses
        },
        security=[{SCHEME: []}],
    )


def _in_path(template: str) -> list[Parameter]:
    text = Schema(type=OpenAPIType.STRING, min_length=1, max_length=SEGMENT_MAX)
    return [
        Parameter(name=name, param_in="path", required=True, schema=text)
        for name in _PARAMETER.findall(template)
    ]


def _of_list() -> list[Parameter]:
    moment = Schema(
        type=OpenAPIType.STRING,
        pattern=r"^20\d\d-0[1-9]-0[1-9]T0\d:00:00Z$",
        description="A date and time, in UTC without an offset",
    )
    numbers = {"offset": Schema(type=OpenAPIType.INTEGER, minimum=0)}
    numbers["limit"] = Schema(
        type=OpenAPIType.INTEGER,
        minimum=1,
        default=LIMIT,
        description=f"More than {LIMIT_MAX} are {LIMIT_MAX}",
    )
    schemas = {"date_from": moment, "date_to": moment, **numbers}
    return [
        Parameter(name=name, param_in="query", required=False, schema=schema)
        for name, schema in schemas.items()
    ]
