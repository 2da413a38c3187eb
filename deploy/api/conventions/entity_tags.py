"""Tags of what is read: the hash of an answer, so that who has it already is told only that.

A resource with a version of its own says its tag itself, and is left as it is.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

_OK: Final = 200
_TAG_CHARACTERS: Final = 32
_JSON: Final = b"application/json"


class EntityTags:
    """Tells the tag of each answer in JSON that is read, and 304 where it is known."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != ScopeType.HTTP or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        started: list[Any] = []

        async def tagging(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_read(message):
                started.append(message)
                return
            if started and message["type"] == "http.response.body":
                start = started.pop()
                if not message.get("more_body"):
                    start, message = _tagged(scope, start, message)
                await send(start)
            await send(message)

        await self._app(scope, receive, tagging)


def _is_read(start: Any) -> bool:  # noqa: ANN401 - a message of ASGI
    is_json = False
    for name, value in start["headers"]:
        lower = name.lower()
        if lower == b"etag":
            return False
        if lower == b"content-type":
            is_json = value.startswith(_JSON)
    return is_json and start["status"] == _OK


def _tagged(scope: Scope, start: Any, body: Any) -> tuple[Any, Any]:  # noqa: ANN401 - messages of ASGI
    content = body.get("body", b"")
    tag = b'"%s"' % sha256(content).hexdigest()[:_TAG_CHARACTERS].encode()
    tags = [(b"etag", tag), (b"cache-control", b"private, no-cache")]
    if not is_known(scope, tag.decode()):
        return {**start, "headers": [*start["headers"], *tags]}, body
    return {**start, "status": 304, "headers": tags}, {**body, "body": b""}


def is_known(scope: Scope, tag: str) -> bool:
    """Say whether who asks has what has this *tag* (RFC 9110, 13.1.2)."""
    given = [
        value.decode("latin-1")
        for name, value in scope["headers"]
        if name.lower() == b"if-none-match"
    ]
    named = [each.strip().removeprefix("W/") for part in given for each in part.split(",")]
    return tag in named or "*" in named
