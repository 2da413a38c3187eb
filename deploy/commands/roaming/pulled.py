"""A partner's own list of CDRs, asked for over OCPI, for a command."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from typing import Any

from psycopg_pool import AsyncConnectionPool

from deploy.clock import SystemClock
from deploy.settings import Settings
from ledger.database import connect_options
from roaming_ocpi.client.http import HttpPartnerClient
from roaming_ocpi.registration.links import link_of
from roaming_ocpi.server.audit import CallAudit
from roaming_ocpi.settlement.completeness.list_files import LineProblems
from roaming_ocpi.settlement.completeness.pulling import NoListOfCdrsError, Numbered, pulled_cdrs


async def pull_list(
    settings: Settings,
    dsn: str,
    party: str,
    since: datetime,
    take: Callable[[Numbered, LineProblems], None],
    problems: LineProblems,
) -> None:
    """Have *take* take what *party* lists since then, page by page."""
    now = SystemClock().now
    kwargs = {"options": connect_options(dsn), "autocommit": True}
    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
        dsn, kwargs=kwargs, min_size=1, max_size=2, open=False
    )
    with closing(CallAudit(dsn, now=now, kept_days=settings.calls_kept_days)) as audit:
        client = HttpPartnerClient(
            allow_private=settings.roaming_private_networks, now=now, heard=audit.hear
        )
        try:
            async with pool:
                link = await link_of(pool, party)
                if link is None:
                    raise NoListOfCdrsError(party)
                async for page in pulled_cdrs(client, link, since, problems):
                    take(page, problems)
        finally:
            await client.close()
