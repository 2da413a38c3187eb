"""The file server: what stations fetch and send, each at an address of its own, and nothing else.

It is an application of its own on a port of its own (setting `files_port`): stations must not reach
the operations interface, and who knows an address is no step nearer to it. Bytes go through it as
they come, and it answers in a line of text, so it is plain ASGI.

    GET, HEAD  SECRET[/...]          a firmware; Range is answered with the part
    PUT, POST  SECRET[/[NAME]]       a log or other file of the station, once by each name
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Final

import psycopg
from litestar.enums import ScopeType
from litestar.types import Receive, Scope, Send

from ingest.errors import IngestError
from ingest.files.addresses import FoundAddress, is_secret
from ingest.files.contents import MEDIA_TYPE, PIECE_BYTES
from ingest.files.exchange import ClientGoneError, Exchange, TooSlowError
from ingest.files.ranges import UnfitRangeError, asked_range
from ingest.files.shelf import FileShelf, FileTakenError, UploadReplacedError
from ingest.files.uploads import NoFormError, TooLargeError, take_files

_LOGGER = logging.getLogger(__name__)
_FETCHED: Final = ("GET", "HEAD")
_SENT: Final = ("PUT", "POST")
_STATUSES: Final[Mapping[type[Exception], HTTPStatus]] = {
    TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    NoFormError: HTTPStatus.BAD_REQUEST,
    FileTakenError: HTTPStatus.CONFLICT,
    UploadReplacedError: HTTPStatus.CONFLICT,
    TooSlowError: HTTPStatus.REQUEST_TIMEOUT,
    psycopg.OperationalError: HTTPStatus.SERVICE_UNAVAILABLE,
}


class FileServer:
    """Answers stations at the addresses that they were told."""

    def __init__(self, shelf: FileShelf) -> None:
        self._shelf = shelf

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != ScopeType.HTTP:
            return
        exchange = Exchange(scope, receive, send)
        try:
            await self._answer(exchange)
        except ClientGoneError:
            await exchange.cut_off()
        except (IngestError, psycopg.Error) as error:
            status = next(
                (said for kind, said in _STATUSES.items() if isinstance(error, kind)), None
            )
            if status is None or exchange.has_begun:
                await exchange.cut_off()
                return
            text = str(error) if isinstance(error, IngestError) else ""
            await self._refuse(exchange, status, text)

    async def _refuse(self, exchange: Exchange, status: HTTPStatus, text: str) -> None:
        try:
            await exchange.answer(status, text)
        except TooSlowError:
            await exchange.cut_off()

    async def _answer(self, exchange: Exchange) -> None:
        # Whatever a proxy leaves of the path that it is reached by.
        words = exchange.path.split("/")
        secret = next(filter(is_secret, words), None)
        address = None if secret is None else await self._shelf.address(secret)
        if address is None:
            await exchange.answer(HTTPStatus.NOT_FOUND, "there is nothing here, or no more")
            return
        allowed = _SENT if address.file_id is None else _FETCHED
        if exchange.method not in allowed:
            headers = {"allow": ", ".join(allowed)}
            await exchange.answer(HTTPStatus.METHOD_NOT_ALLOWED, headers=headers)
        elif address.file_id is None:
            said = words[-1] if words[-1] != secret else ""
            names = await take_files(self._shelf, address, said, exchange)
            _LOGGER.info("%s sent %s", address.station_id, ", ".join(names))
            await exchange.answer(HTTPStatus.CREATED, ", ".join(names))
        else:
            await self._send_file(exchange, address)

    async def _send_file(self, exchange: Exchange, address: FoundAddress) -> None:
        assert address.file_id is not None
        assert address.size is not None
        assert address.sha256 is not None
        tag, size = f'"{address.sha256.hex()}"', address.size
        asked = exchange.headers.get("range")
        if exchange.headers.get("if-range", tag) != tag:
            asked = None
        try:
            found = asked_range(asked, size)
        except UnfitRangeError:
            headers = {"content-range": f"bytes */{size}"}
            await exchange.answer(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=headers)
            return
        headers = {
            "content-type": MEDIA_TYPE, "accept-ranges": "bytes", "etag": tag
        }  # fmt: skip
        start, end = found or (0, size)
        status = HTTPStatus.OK if found is None else HTTPStatus.PARTIAL_CONTENT
        if found is not None:
            headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
        await exchange.begin(status, end - start, headers)
        portions = self._portions(address.file_id, start, end)
        await exchange.tell(portions if exchange.method == "GET" else _nothing())

    async def _portions(self, file_id: int, start: int, end: int) -> AsyncIterator[bytes]:
        while start < end:
            number, skipped = divmod(start, PIECE_BYTES)
            piece = await self._shelf.piece(file_id, number)
            if piece is None:
                raise ClientGoneError  # it was removed: who fetches it sees that it is not whole
            portion = piece[skipped : skipped + end - start]
            start += len(portion)
            yield portion


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
