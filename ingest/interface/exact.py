"""JSON in a request as it was written: nothing is taken for what it nearly is, or written anew."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request
from litestar.exceptions import ClientException

from ingest.commands.schemas import BadPayloadError


def exact_text(raw: msgspec.Raw) -> str:
    """Return the text of a part of a request.

    Raises:
        BadPayloadError: If it is not UTF-8.
    """
    try:
        return bytes(raw).decode()
    except UnicodeDecodeError as error:
        message = "the payload is not UTF-8"
        raise BadPayloadError(message) from error


async def exact_body(request: Request[Any, Any, Any], kind: type[Any]) -> bytes:
    """Return the body of a request, which is a *kind* to the letter: no "1" for 1, no 0 for false.

    The library takes these; what the description does not allow is refused.

    Raises:
        ClientException: If it is not.
    """
    body = await request.body()
    try:
        msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ClientException(detail=f"data: {error}") from error
    return body
