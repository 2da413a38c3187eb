"""The files in the body of a request: the body itself, or each file of a form.

PUT .../log.tar.gz                          the body, "log.tar.gz"
PUT ...  Content-Disposition: filename=a    the body, "a"
POST ... multipart/form-data                each part that has a file name; fields are left out
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from ingest.errors import IngestError
from ingest.files.addresses import FoundAddress
from ingest.files.exchange import Exchange
from ingest.files.names import safe_name
from ingest.files.shelf import FILES_OF_AN_ADDRESS_MAX, FileShelf, Incoming

_FORM: Final = "multipart/form-data"


class TooLargeError(IngestError):
    """A body has more bytes than a file may have."""

    def __init__(self, bytes_max: int) -> None:
        super().__init__(f"a file may have {bytes_max} bytes")


class NoFormError(IngestError):
    """A body is no form, though it says so, or there is no file in it."""


async def take_files(
    shelf: FileShelf, address: FoundAddress, said: str, exchange: Exchange
) -> list[str]:
    """Take what is sent to an address; return what the files are called.

    Args:
        shelf: Where they go.
        address: The address.
        said: What the request calls the file, "" nothing.
        exchange: The request.

    Raises:
        TooLargeError, NoFormError, FileTakenError, UploadReplacedError: If it is not taken.
        ClientGoneError, TooSlowError: If it does not come whole.
    """
    length = exchange.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > shelf.limits.file_bytes:
        raise TooLargeError(shelf.limits.file_bytes)
    kind, options = parse_options_header(exchange.headers.get("content-type", ""))
    upload = _Upload(shelf, address)
    try:
        if kind.casefold() == _FORM:
            await _take_form(upload, options.get("boundary", ""), exchange)
        else:
            _, disposition = parse_options_header(exchange.headers.get("content-disposition", ""))
            await upload.begin(said or disposition.get("filename", ""))
            async for portion in _limited(exchange, shelf.limits.file_bytes):
                await upload.add(portion)
            await upload.end()
    finally:
        await upload.drop()
    return upload.names


class _Upload:
    """What one request sends: one file after the other."""

    def __init__(self, shelf: FileShelf, address: FoundAddress) -> None:
        self._shelf, self._address = shelf, address
        self._incoming: Incoming | None = None
        self.names: list[str] = []
        self._name = ""

    async def begin(self, said: str) -> None:
        self._name = safe_name(said)
        self._incoming = await self._shelf.begin(self._address, self._name)

    async def add(self, portion: bytes) -> None:
        if self._incoming is not None:
            await self._incoming.add(portion)

    async def end(self) -> None:
        if self._incoming is not None:
            await self._incoming.end()
            self.names.append(self._name)
            self._incoming = None

    async def drop(self) -> None:
        """Keep nothing of a file that did not come to its end."""
        if self._incoming is not None:
            await self._incoming.drop()


async def _take_form(upload: _Upload, boundary: str, exchange: Exchange) -> None:
    limit = upload._shelf.limits.file_bytes  # noqa: SLF001 - of this module
    try:
        parser = PushMultipartParser(boundary, max_segment_count=FILES_OF_AN_ADDRESS_MAX + 10)
        async for portion in _limited(exchange, limit):
            if not portion:
                continue
            for event in parser.parse(portion):
                if isinstance(event, MultipartSegment):
                    if event.filename is not None:
                        await upload.begin(event.filename)
                elif event is None:
                    await upload.end()
                else:
                    await upload.add(bytes(event))
        parser.close()
    except MultipartError as error:
        message = f"the body is no form: {error}"
        raise NoFormError(message) from error
    if not upload.names:
        message = "there is no file in the form: a part of one has a file name"
        raise NoFormError(message)


async def _limited(exchange: Exchange, bytes_max: int) -> AsyncIterator[bytes]:
    size = 0
    async for portion in exchange.portions():
        size += len(portion)
        if size > bytes_max:
            raise TooLargeError(bytes_max)
        yield portion
