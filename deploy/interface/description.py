"""What the interface says of itself where its library says something else, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

from litestar.openapi.spec import (
    OpenAPI,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Reference,
    RequestBody,
    Schema,
)

from deploy.interface.problems import MEDIA_TYPE
from roaming_ocpi.server.app import OcpiRoutes

_PROBLEMS: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
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
