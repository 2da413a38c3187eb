"""The port for files: uvicorn with limits that strangers run into before anybody else does."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final

import uvicorn
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from deploy.api.conventions.reading_pool import DATABASE_SECONDS
from deploy.errors import DeployError
from deploy.interface.serving import (
    BACKLOG,
    END_SECONDS,
    BoundedProtocol,
    serve_app,
)
from deploy.listening import listen
from deploy.running.processes import BadCertificateError
from deploy.settings import Settings
from ingest.edge.security import tls_context
from ingest.files.serving import FileServer
from ingest.files.shelf import FileShelf, ShelfLimits
from ledger.database import connect_options

DATABASE_CONNECTIONS_MAX: Final = 6
_MEBIBYTE: Final = 1 << 20


class FilesPortError(DeployError):
    """Files cannot be served where they should be."""

    def __init__(self, settings: Settings, error: OSError) -> None:
        super().__init__(
            f"cannot listen on {settings.files_host}, port {settings.files_port}, for files: "
            f"{error.strerror or error}; choose another one (WATTLEDGER_FILES_PORT=9443)"
        )


def open_files(settings: Settings) -> socket.socket:
    """Return a listening socket for files; nowhere else than where stations look for it.

    Raises:
        FilesPortError: If the port is taken, or the address is none of this machine's.
    """
    try:
        return listen(settings.files_host, settings.files_port, backlog=BACKLOG)
    except OSError as error:
        raise FilesPortError(settings, error) from error


async def serve_files(
    dsn: str,
    settings: Settings,
    listener: socket.socket,
    *,
    stopping: asyncio.Event,
    ready: Callable[[], None],
) -> None:
    """Serve files on *listener* until *stopping* is set.

    Raises:
        BadCertificateError: If there is a certificate that cannot be used.
    """
    pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
        dsn,
        kwargs={"options": connect_options(dsn), "autocommit": True},
        min_size=1,
        max_size=DATABASE_CONNECTIONS_MAX,
        timeout=DATABASE_SECONDS,
        open=False,
    )
    limits = ShelfLimits(settings.file_mb_max * _MEBIBYTE, settings.station_files_mb * _MEBIBYTE)
    async with pool:
        config = uvicorn.Config(
            FileServer(FileShelf(pool, limits)),
            http=BoundedProtocol,
            log_config=None,
            log_level="error",  # else a line for each stranger's request
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=END_SECONDS,
            lifespan="off",
            ws="none",
            h11_max_incomplete_event_size=16 << 10,
        )
        config.load()
        if settings.files_scheme == "https":
            try:
                config.ssl = tls_context(settings.tls_certificate, settings.tls_key)
            except OSError as error:
                raise BadCertificateError(settings, error) from error
        await serve_app(config, listener, stopping=stopping, ready=ready)
