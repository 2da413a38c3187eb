"""The file server on a free port, and addresses of it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, LiteralString, NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

import httpx

from deploy.interface.files_port import open_files, serve_files
from deploy.settings import Settings
from ingest.files.addresses import AddressFor, make_address
from ingest.files.firmware import Firmware, FirmwareFor, add_firmware
from ledger.database import connect
from projections.stations.files import StationFile, read_files

BASE = "https://files.example"
MEBIBYTE = 1 << 20


class Served(NamedTuple):
    """The file server, a client of it, and its database."""

    client: httpx.AsyncClient
    port: int
    database: str

    def firmware_path(self, firmware: Firmware, station: str = "CP1") -> str:
        """Return the path of a new address at which a station fetches a firmware."""
        with connect(self.database) as connection:
            given = AddressFor(station, uuid4(), firmware)
            return urlsplit(make_address(connection, BASE, given).url).path

    def logs_path(self, station: str = "CP1") -> str:
        """Return the path of a new address to which a station sends files."""
        with connect(self.database) as connection:
            return urlsplit(make_address(connection, BASE, AddressFor(station, uuid4())).url).path

    def files(self, station: str = "CP1") -> list[StationFile]:
        with connect(self.database) as connection:
            return read_files(connection, station)

    def names(self, station: str = "CP1") -> list[str]:
        return [each.name for each in self.files(station)]

    def stored(self) -> int:
        """Return how many files and pieces there are, whole or not."""
        return self._number(
            "SELECT (SELECT count(*) FROM stored_file) + (SELECT count(*) FROM file_chunk)"
        )

    def newest(self) -> int:
        """Return the number of the newest file of which a piece came."""
        return self._number("SELECT coalesce(max(file_id), 0) FROM file_chunk")

    def _number(self, question: LiteralString) -> int:
        with connect(self.database) as connection:
            row = connection.execute(question).fetchone()
        assert row is not None
        return int(row[0])


@asynccontextmanager
async def served_files(
    database: str,
    *,
    ca: Path | None = None,
    **settings: Any,  # noqa: ANN401 - any of them
) -> AsyncIterator[Served]:
    """Serve files over *database* on a free port."""
    chosen = Settings(files_port=0, file_mb_max=1, station_files_mb=3, **settings)
    listener, stopping, ready = open_files(chosen), asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(
        serve_files(database, chosen, listener, stopping=stopping, ready=ready.set)
    )
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    assert not serving.done(), serving.result()
    port = listener.getsockname()[1]
    async with httpx.AsyncClient(
        base_url=f"{chosen.files_scheme}://127.0.0.1:{port}",
        trust_env=False,
        timeout=30,
        verify=ssl.create_default_context(cafile=ca) if ca else True,
    ) as client:
        yield Served(client, port, database)
    stopping.set()
    await serving


def volt(database: str, content: bytes, **given: Any) -> Firmware:  # noqa: ANN401 - any of them
    """Keep a firmware, and return it."""
    with connect(database) as connection:
        return add_firmware(
            connection,
            FirmwareFor(**{"version": "2.0", **given}),
            name="volt 2.bin",
            portions=portions(content),
            by="ann",
        )


def portions(content: bytes, size: int = 100_000) -> Iterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def hang_up(*writers: asyncio.StreamWriter) -> None:
    """Close connections at once, whatever was to be sent."""
    for writer in writers:
        writer.transport.abort()
    await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until *condition* holds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - a table is looked at
            await asyncio.sleep(0.02)
