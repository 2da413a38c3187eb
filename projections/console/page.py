"""A page as it is asked for: by whom, in which words, under which address; and how it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final, NamedTuple

from litestar import Request, Response
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.exceptions import ValidationException
from litestar.response import Redirect
from markupsafe import Markup

from ledger.users.browser_sessions import SignedIn
from ledger.users.user import User
from projections.console.addresses import PageAddress, path_of
from projections.console.console_words import ConsoleWords, words_of
from projections.console.environment import environment
from projections.console.navigation import screens_of
from projections.console.parts.reached import origin_of
from projections.console.sentences import phrase_words
from projections.console.side import ConsoleSide
from tariffs.calendar.words import sentence
from tariffs.phrases.phrase import Phrase
from tariffs.phrases.printable import printable_page

COOKIE: Final = "wattledger"
FORM_KEY: Final = "form_key"
"""The field that each form brings along; `page.form_field` writes it."""
_SAID: Final = "wattledger-said"
_SAID_MAX: Final = 300
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class ConsolePage(NamedTuple):
    """Who asks for what. `signed_in` is None on the pages where people come in."""

    address: PageAddress
    words: ConsoleWords
    console: ConsoleSide
    signed_in: SignedIn | None
    is_part: bool
    said: str = ""
    origin: str = ""
    """Scheme and host of the console, for links that are handed over."""

    @property
    def user(self) -> User:
        """Return who is in."""
        assert self.signed_in is not None, "a page that is open to everybody has no user"
        return self.signed_in.user

    @property
    def screens(self) -> object:
        """Return the navigation of who is in."""
        return screens_of(self.signed_in.user) if self.signed_in else ()

    @property
    def form_field(self) -> Markup:
        """Return the field that each form has to bring along."""
        assert self.signed_in is not None
        return Markup('<input type="hidden" name="{}" value="{}">').format(
            FORM_KEY, self.signed_in.form_key
        )

    @property
    def now(self) -> datetime:
        """Return the time."""
        return self.console.now()

    def text(self, message: str, /, **parameters: object) -> str:
        """Return *message*, an English text with {name} fields, in the reader's language."""
        return self.words.text(message, **parameters)

    def phrase(self, said: Phrase) -> str:
        """Return what a whole phrase says in the reader's language."""
        return phrase_words(self.words, said)

    def sentence(self, said: Phrase) -> str:
        """Return a phrase with a capital and a full stop."""
        return sentence(self.phrase(said))

    def told(self, text: object) -> str:
        """Return what an error or a reader of a file says in English, in the reader's language."""
        return self.words.told(str(text))

    def moment(self, at: datetime, zone: tzinfo, *, seconds: bool = False) -> str:
        """Return a moment by the clock on the wall of a place."""
        return self.words.language.moment(at.astimezone(zone), seconds=seconds)

    def is_sorted_down(self, column: str) -> bool:
        """Say whether the address lists what only *column* sorts from its last one on.

        Raises:
            ValidationException: If it wants it sorted by anything else.
        """
        key, is_down = self.address.sort
        if key not in {"", column}:
            message = self.text("{value} is no column that sorts", value=key[:100])
            raise ValidationException(message)
        return is_down

    def show(self, template: str, *, status: int = 200, **content: object) -> Response[str]:
        """Return the page that *template* ("room/name.html.j2") makes of *content*.

        A request of htmx gets the same page: what it wants of it, it takes by its target.
        """
        html = environment().get_template(template).render(page=self, t=self.text, **content)
        cookies = [Cookie(key=_SAID, value="", path="/console", max_age=0)] if self.said else []
        return Response(
            printable_page(html),
            status_code=status,
            media_type="text/html",
            headers=HEADERS,
            cookies=cookies,
        )

    def go(self, address: str, said: str = "") -> Response[Any]:
        """Send the browser on, after something was done; *said* stands on the next page.

        *address* is one of ours: what came in a request is never handed on.
        """
        assert address.startswith("/console"), address
        cookies = []
        if said:
            cookies = [
                Cookie(
                    key=_SAID,
                    value=said[:_SAID_MAX].encode().hex(),
                    path="/console",
                    max_age=int(timedelta(minutes=1).total_seconds()),
                    httponly=True,
                    samesite="lax",
                    secure=self.console.is_secure,
                )
            ]
        return Redirect(address, status_code=303, headers=HEADERS, cookies=cookies)


ThisPage = NamedDependency[ConsolePage]
"""What a route asks for as `page`."""


def page_of(request: Request[Any, Any, Any]) -> ConsolePage:
    """Return what a page is made with; the guard has looked already who is in."""
    signed_in: SignedIn | None = request.scope["state"].get("signed_in")
    chosen = signed_in.user.language if signed_in else ""
    return ConsolePage(
        address=PageAddress(path_of(request), _query(request)),
        words=words_of(chosen, request.headers.get("accept-language", "")),
        console=request.app.state["console"],
        signed_in=signed_in,
        is_part=request.headers.get("hx-request") == "true",
        said=_said(request.cookies.get(_SAID, "")),
        origin=origin_of(request),
    )


def _query(request: Request[Any, Any, Any]) -> Mapping[str, str]:
    # Of a parameter that comes twice the last one holds.
    return {key: values[-1].strip() for key, values in request.query_params.dict().items()}


def _said(cookie: str) -> str:
    try:
        return bytes.fromhex(cookie[: 4 * _SAID_MAX]).decode()
    except ValueError:
        return ""
