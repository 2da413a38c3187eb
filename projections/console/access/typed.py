"""What somebody typed into a form, and who that is as far as a request tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from litestar import Request

from ledger.users.proving.refusals import Comer

BROWSER_COOKIE: Final = "wattledger-browser"
"""Of a browser in which somebody came in before: guesses elsewhere do not hold it up."""
_COOKIE_MAX: Final = 200

AnyRequest = Request[Any, Any, Any]


async def typed(request: AnyRequest) -> Mapping[str, str]:
    """Return the fields of a form; of one that comes twice the first holds, files are none."""
    form = await request.form()
    items = reversed(list(form.multi_items()))
    return {key: value for key, value in items if isinstance(value, str)}


async def typed_all(request: AnyRequest, name: str) -> list[str]:
    """Return all that a form brings under one name."""
    form = await request.form()
    return [value for value in form.getall(name, []) if isinstance(value, str)]


def comer_of(request: AnyRequest) -> Comer:
    """Return who comes: the address, and whether this browser was in before."""
    address = request.client.host if request.client else ""
    return Comer(address, request.cookies.get(BROWSER_COOKIE, "")[:_COOKIE_MAX])


def is_secure(request: AnyRequest) -> bool:
    """Say whether the browser came by https, itself or to the proxy before us."""
    return request.scope["scheme"] == "https" or bool(request.app.state["console"].is_secure)
