"""The way to partners, opened for a command that goes it once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any, TypeVar

from psycopg_pool import AsyncConnectionPool

from deploy.clock import SystemClock
from deploy.roaming.addresses import address_for_partners
from deploy.running.opening import opened
from deploy.settings import Settings
from ledger.database import connect, connect_options, dsn_of
from ledger.declared.declarations import Declarations
from ledger.declared.store import load_declarations
from roaming_ocpi.client.http import HttpPartnerClient
from roaming_ocpi.registration.handshake import Handshaker
from roaming_ocpi.server.audit import CallAudit

_T = TypeVar("_T")


def with_partners(
    settings: Settings,
    work: Callable[[Handshaker], Awaitable[_T]],
    *,
    tells_address: bool = False,
) -> _T:
    """Return what *work* comes to, done with the way to partners and the database open.

    Raises:
        NoPartnerAddressError: If it *tells_address* of ours to a partner, and nobody knows it.
    """
    with opened(settings) as connection:
        address = address_for_partners(connection, settings) if tells_address else ""
        return asyncio.run(_worked(settings, dsn_of(connection), address, work))


async def _worked(
    settings: Settings, dsn: str, address: str, work: Callable[[Handshaker], Awaitable[_T]]
) -> _T:
    now = SystemClock().now

    async def declared() -> Declarations:
        with connect(dsn) as connection:
            return load_declarations(connection)

    kwargs = {"options": connect_options(dsn), "autocommit": True}
    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
        dsn, kwargs=kwargs, min_size=1, max_size=4, open=False
    )
    audit = CallAudit(dsn, now=now, kept_days=settings.calls_kept_days)
    with closing(audit):
        client = HttpPartnerClient(
            allow_private=settings.roaming_private_networks, now=now, heard=audit.hear
        )
        try:
            async with pool:
                return await work(Handshaker(pool, now, declared, client, address))
        finally:
            await client.close()
