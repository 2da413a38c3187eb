"""The console as routes: every room's pages behind one door, and how it says no."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import psycopg
from litestar import Controller, Request, Response, Router, get
from litestar.di import Provide
from litestar.exceptions import HTTPException, NotFoundException
from litestar.params import FromPath
from litestar.response import Redirect

from ledger.errors import LedgerError
from projections.console.addresses import path_of
from projections.console.entry import ANY_USER, EVERYBODY, NobodyInError, check_entry
from projections.console.navigation import HOME, screens_of
from projections.console.page import HEADERS, ThisPage, page_of
from projections.console.parts.typed_form import form_of
from projections.console.statics import static_file
from projections.errors import ProjectionError

_KEPT: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
_WHY_MAX: Final = 2_000
"""Characters of why something was not done: an address of 60,000 is no page of as many."""
_TOO_LONG: Final = "this takes longer than a page may: ask for less, by a filter or a nearer day"
_SAID: Final[Sequence[tuple[type[Exception], HTTPStatus, str]]] = (
    # U+0000: no table holds it.
    (psycopg.DataError, HTTPStatus.NOT_FOUND, ""),
    (psycopg.errors.QueryCanceled, HTTPStatus.SERVICE_UNAVAILABLE, _TOO_LONG),
    (
        psycopg.OperationalError,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the database is away: try again in a while",
    ),
    # The day before the first one, or after the last.
    (OverflowError, HTTPStatus.BAD_REQUEST, "no calendar reaches so far: choose another date"),
)
"""What a person is told of errors that are not ours, the first that fits."""
_LOGGER: Final = logging.getLogger(__name__)


class ShellController(Controller):
    """Where everybody begins, and what every page has."""

    include_in_schema = False

    @get("/", opt=ANY_USER)
    async def home(self, page: ThisPage) -> Response[Any]:
        """Lead to the first screen that this person may see."""
        grouped = screens_of(page.user)
        if grouped:
            return page.go(grouped[0][1][0].path)
        return page.show("shell/no_screens.html.j2")

    @get("/{nowhere:path}", opt=ANY_USER)
    async def nowhere(self, nowhere: FromPath[str]) -> Response[Any]:
        """Say that there is nothing."""
        raise NotFoundException(detail=nowhere)

    @get("/static/{name:str}", opt=EVERYBODY)
    async def static(self, name: FromPath[str]) -> Response[bytes]:
        """Return a style or a script."""
        try:
            found = static_file(name)
        except KeyError as error:
            raise NotFoundException from error
        headers = {**_KEPT, "X-Content-Type-Options": "nosniff"}
        return Response(found.content, media_type=found.media_type, headers=headers)


def console_router(rooms: Sequence[type[Controller]], opt: dict[str, Any]) -> Router:
    """Return the console with its *rooms*; *opt* lets it past the door of machines."""
    return Router(
        HOME,
        route_handlers=[ShellController, *rooms],
        guards=[check_entry],
        dependencies={"page": Provide(page_of, sync_to_thread=False), "form": Provide(form_of)},
        exception_handlers={Exception: answer_person},
        opt=opt,
        include_in_schema=False,
    )


def answer_person(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Answer a person for whom something could not be done."""
    if isinstance(error, NobodyInError):
        query = request.scope["query_string"].decode("latin-1")
        back = path_of(request) + (f"?{query}" if query else "")
        where = f"{HOME}/login"
        if request.method == "GET" and back != HOME:
            where += f"?next={quote(back, safe='')}"
        if request.headers.get("hx-request") == "true":
            # Else the page that looks again by itself would get a piece of the log-in in its place.
            return Response(b"", status_code=204, headers={**HEADERS, "HX-Redirect": where})
        return Redirect(where, status_code=303, headers=HEADERS)
    status, why = _status_of(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _LOGGER.error("no page for a request", exc_info=error)
    request.scope["state"].setdefault("signed_in", None)
    page = page_of(request)
    why = page.told(why)
    if len(why) > _WHY_MAX:  # what is wrong with a long text may stand behind it
        why = f"{why[: _WHY_MAX // 2]} … {why[-_WHY_MAX // 2 :]}"
    return page.show("shell/refused.html.j2", status=status, code=status.value, why=why)


def _status_of(error: Exception) -> tuple[HTTPStatus, str]:
    if isinstance(error, HTTPException):
        return HTTPStatus(error.status_code), error.detail
    if isinstance(error, LedgerError | ProjectionError):
        return HTTPStatus.CONFLICT, str(error)
    for kind, status, why in _SAID:
        if isinstance(error, kind):
            return status, why or status.description
    return HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.INTERNAL_SERVER_ERROR.description
