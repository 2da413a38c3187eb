"""A request as it comes over HTTP: its head within bounds, its body when it is asked for."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_to_bytes
from uuid import uuid4

from litestar.types import Receive, Scope

from roaming_ocpi.server.calls import OcpiRefusedError
from roaming_ocpi.server.front.walls import Walls
from roaming_ocpi.wire.status import Status
from roaming_ocpi.wire.walls import check_tree
from tariffs.ocpi.documents import OcpiError, decode_json
from tariffs.ocpi.fields import shown

SEGMENT_MAX: Final = 255
"""Characters of a part of a path: no id of OCPI is longer."""
_FIELDS_MAX: Final = 50
_ID: Final = re.compile(r"[!-~]{1,128}")


class GoneError(Exception):
    """Who asked went before his request was whole."""


class WireRequest:
    """One request. Headers by their names in lower case; of a repeated one the last."""

    def __init__(self, scope: Scope, receive: Receive, walls: Walls) -> None:
        self._receive, self._walls = receive, walls
        self.method: str = scope["method"]  # type: ignore[typeddict-item]  # of HTTP, no socket's
        raw = scope.get("raw_path") or b""
        self.target = raw.partition(b"?")[0].decode("latin-1")
        self._query: bytes = scope.get("query_string") or b""
        self._head = scope["headers"]
        self.headers: Mapping[str, str] = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in self._head
        }
        client = scope.get("client")
        self.address = client[0] if client else ""
        self.request_id = self._id("x-request-id")
        self.correlation_id = self._id("x-correlation-id")

    def check_head(self) -> None:
        """Refuse a head that is larger than any partner's need be.

        Raises:
            OcpiRefusedError: If it is.
        """
        if len(self.target) + len(self._query) > self._walls.target_bytes_max:
            message = "the address is too long"
            raise _refusal(message, HTTPStatus.REQUEST_URI_TOO_LONG)
        if sum(len(name) + len(value) for name, value in self._head) > self._walls.head_bytes_max:
            message = "the headers are too large"
            raise _refusal(message, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def segments(self, prefix: str) -> list[str]:
        """Return the parts of the path behind *prefix*, percent-decoded; a last slash says nothing.

        Raises:
            OcpiRefusedError: If it is no path of ours, or no text.
        """
        if not self.target.startswith(f"{prefix}/"):
            raise no_such_path()
        parts = self.target[len(prefix) + 1 :].removesuffix("/").split("/")
        try:
            decoded = [unquote_to_bytes(part).decode() for part in parts]
        except UnicodeDecodeError:
            raise no_such_path() from None
        if any(len(part) > SEGMENT_MAX for part in decoded):
            raise no_such_path()
        return decoded

    def query(self) -> dict[str, str]:
        """Return the parameters of the query.

        Raises:
            OcpiRefusedError: If they are no text, too many, or one stands twice.
        """
        try:
            pairs = parse_qsl(
                self._query.decode("ascii"),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=_FIELDS_MAX,
            )
        except ValueError:
            message = "the query is not to be read: names and values in UTF-8, percent-encoded"
            raise OcpiRefusedError.invalid(message) from None
        found = dict(pairs)
        if len(found) != len(pairs):
            message = "a parameter of the query stands twice"
            raise OcpiRefusedError.invalid(message)
        return found

    async def content(self) -> bytes:
        """Return the body as it came, b"" without one.

        Raises:
            OcpiRefusedError: If it is too large or too slow.
            GoneError: If who sends it goes.
        """
        try:
            async with asyncio.timeout(self._walls.body_seconds):
                return await self._read()
        except TimeoutError:
            message = "the body did not come in time"
            raise _refusal(message, HTTPStatus.REQUEST_TIMEOUT) from None

    async def _read(self) -> bytes:
        limit = self._walls.body_bytes_max
        said = self.headers.get("content-length", "0")
        if said.isascii() and said.isdigit() and int(said[:20]) > limit:
            raise _too_large(limit)
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise GoneError
            assert message["type"] == "http.request"
            chunk = message["body"]
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            chunks.append(chunk)
            if not message["more_body"]:
                return b"".join(chunks)

    def _id(self, name: str) -> str:
        """Return an id to be echoed: one of theirs that can be, else a new one."""
        said = self.headers.get(name, "")
        return said if _ID.fullmatch(said) else str(uuid4())


def body_of(content: bytes) -> tuple[Any, str]:
    """Return a body, an object, with exact numbers and as text; None and "" without one.

    Raises:
        OcpiRefusedError: If it is too deep or no JSON object.
    """
    if not content:
        return None, ""
    try:
        tree = decode_json(content)
        check_tree(tree)
    except OcpiError as error:
        message = f"the body cannot be taken: {error}"
        raise OcpiRefusedError.invalid(message) from None
    if not isinstance(tree, dict):
        message = f"the body must be an object, not {shown(tree)}"
        raise OcpiRefusedError.invalid(message)
    return tree, content.decode("utf-8-sig")


def no_such_path() -> OcpiRefusedError:
    """Return the refusal of a path where nothing is."""
    message = "there is nothing at this address: ask /versions for those that there are"
    return OcpiRefusedError.not_found(message)


def _refusal(message: str, http: HTTPStatus) -> OcpiRefusedError:
    return OcpiRefusedError(message, status=Status.CLIENT_ERROR, http=http)


def _too_large(limit: int) -> OcpiRefusedError:
    message = f"the body is larger than {limit:,} bytes"
    return _refusal(message, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
