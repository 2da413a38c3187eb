"""A partner of others' making: PyPI `extrawest-ocpi`, which keeps what it has in memory.

Run by the Python of its own environment: `ROLE SOCKET TOKEN_A OBJECTS`, a file descriptor that
listens, and a JSON file of lists by module. What it holds is served at `/held`. What the library
does against OCPI 2.2.1 and no partner could overlook is mended here, each with why; all else is
left for us to bear:

* ids and country codes come back in small letters, numbers as binary floating point, what is
  absent as null;
* the Location of a CDR leads to https, and says `ModuleID.cdrs`;
* one object that is asked for comes as a list of one.
"""

from __future__ import annotations

import os
import socket
import sys

ROLE, SOCKET, TOKEN_A, OBJECTS = sys.argv[1:]
LISTENER = socket.socket(fileno=int(SOCKET))
COUNTRY, PARTY = {"cpo": ("DE", "HBC"), "emsp": ("NL", "TNM")}[ROLE]
HOST = f"127.0.0.1:{LISTENER.getsockname()[1]}"
# The library reads its settings while it is imported.
os.environ |= {"OCPI_HOST": HOST, "PROTOCOL": "http", "COUNTRY_CODE": COUNTRY, "PARTY_ID": PARTY}

import json  # noqa: E402
import secrets  # noqa: E402
from collections.abc import Awaitable, Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402
from urllib.parse import parse_qs, urlsplit  # noqa: E402

import py_ocpi.core.push as library_push  # noqa: E402
import uvicorn  # noqa: E402
from fastapi import Request, Response  # noqa: E402
from py_ocpi import get_application  # noqa: E402
from py_ocpi.core.authentication.authenticator import Authenticator  # noqa: E402
from py_ocpi.core.enums import Action, ModuleID, RoleEnum  # noqa: E402
from py_ocpi.modules.versions.enums import VersionNumber  # noqa: E402

PAGE = 2
CREDENTIALS = ModuleID.credentials_and_registration
MODULES = [ModuleID(each) for each in ("locations", "tariffs", "sessions", "cdrs", "tokens")]
HELD: dict[str, dict[str, Any]] = {each: {} for each in MODULES}
LINKED: dict[str, Any] = {}
"""The other side's credentials and endpoints, and our token for it."""


def _key(value: str) -> str:
    return value.lower()


class InMemory:
    """What the library asks of whoever keeps the objects."""

    @classmethod
    async def get(cls, module: ModuleID, _role: RoleEnum, key: str, **_: object) -> Any:  # noqa: ANN401
        return LINKED.get("ours") if module == CREDENTIALS else HELD[module].get(_key(key))

    @classmethod
    async def list(
        cls, module: ModuleID, _role: RoleEnum, filters: dict[str, Any], **_: object
    ) -> tuple[list[Any], int, bool]:
        # The page that it gives is what the library says in the headers.
        filters["limit"] = min(filters["limit"], PAGE)
        every = list(HELD[module].values())
        end = filters["offset"] + filters["limit"]
        return every[filters["offset"] : end], len(every), end >= len(every)

    @classmethod
    async def create(
        cls, module: ModuleID, _role: RoleEnum, data: dict[str, Any], *_: object, **__: object
    ) -> Any:  # noqa: ANN401
        if module != CREDENTIALS:
            HELD[module][_key(data["uid" if module == ModuleID.tokens else "id"])] = data
            return data
        LINKED.update(data, token=secrets.token_urlsafe(32))
        details = {"name": "Others' making"}
        us = {"role": ROLE.upper(), "party_id": PARTY, "country_code": COUNTRY}
        roles = [us | {"business_details": details}]
        url = f"http://{HOST}/ocpi/versions"
        LINKED["ours"] = {"token": LINKED["token"], "url": url, "roles": roles}
        return LINKED["ours"]

    @classmethod
    async def update(
        cls, module: ModuleID, role: RoleEnum, data: dict[str, Any], *_: object, **__: object
    ) -> Any:  # noqa: ANN401
        return await cls.create(module, role, data)

    @classmethod
    async def do(
        cls, module: ModuleID, _role: RoleEnum, action: Action, data: dict[str, Any], **_: object
    ) -> Any:  # noqa: ANN401
        assert action == Action.authorize_token
        token = HELD[module][_key(data["token_uid"])]
        return {"allowed": "ALLOWED", "token": token, "authorization_reference": "of-extrawest"}

    @classmethod
    async def delete(cls, module: ModuleID, _role: RoleEnum, key: str, **_: object) -> None:
        if module == CREDENTIALS:
            LINKED.clear()
        else:
            del HELD[module][_key(key)]


class Tokens(Authenticator):  # type: ignore[misc] # the library has no types
    """Who may ask: whoever was invited, and then whoever it was registered with."""

    @classmethod
    async def get_valid_token_a(cls) -> list[str]:
        return [] if LINKED else [TOKEN_A]

    @classmethod
    async def get_valid_token_c(cls) -> list[str]:
        return [LINKED["token"]] if LINKED else []


def url_of_pushed(module: ModuleID, key: str, base: str) -> str:
    """Put a slash between an endpoint's URL and what it is asked for: the library expects one at
    its end, while OCPI's own examples have none.
    """
    return str(OF_LIBRARY(module, key, base if module == ModuleID.cdrs else base.rstrip("/") + "/"))


OF_LIBRARY, library_push.client_url = library_push.client_url, url_of_pushed
APP = get_application(
    version_numbers=[VersionNumber.v_2_2_1],
    roles=[RoleEnum(ROLE.upper())],
    crud=InMemory,
    modules=[CREDENTIALS, *MODULES],
    authenticator=Tokens,
    http_push=True,
)


@APP.middleware("http")  # type: ignore[untyped-decorator]
async def say_where_the_next_page_is(
    request: Request, ask: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Let the header Link lead to the next page: the library's goes to https, says `ModuleID.cdrs`
    since Python 3.11 writes enums so, and has `date_from=None`, which it refuses itself.
    """
    response = await ask(request)
    if said := response.headers.get("link"):
        query = parse_qs(urlsplit(said[1 : said.index(">")]).query)
        following = {name: query[name][0] for name in ("offset", "limit")}
        url = request.url.include_query_params(**following)
        response.headers["link"] = f'<{url}>; rel="next"'
    return response


@APP.get("/held")  # type: ignore[untyped-decorator]
async def held() -> Response:
    """Return all that it has, and who it is registered with."""
    body = {"linked": LINKED} | {str(each.value): list(HELD[each].values()) for each in MODULES}
    return Response(json.dumps(body), media_type="application/json")


for module, objects in json.loads(Path(OBJECTS).read_text("utf-8")).items():
    HELD[module] = {_key(each.get("uid", each.get("id"))): each for each in objects}
config = uvicorn.Config(APP, log_level="warning", access_log=False)
uvicorn.Server(config).run(sockets=[LISTENER])
