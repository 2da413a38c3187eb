"""How the station server asks partners about their tokens: opened when it first has to ask.

A system without partners loads nothing for it, and holds no connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Final

from deploy.running.parts import PartContext
from ledger.partners.asking import AskedAnswer, AskedToken, AskingTerms, ShownToken

if TYPE_CHECKING:
    from roaming_ocpi.tokens.asker import RealTimeAsker

CONNECTIONS_MAX: Final = 4
DATABASE_SECONDS: Final = 5.0
ANSWER_BYTES_MAX: Final = 64 << 10
"""Of an authorization, which is a token and a few words: stations wait while one is read."""
_LOGGER: Final = logging.getLogger("wattledger.roaming")


class LateAsker:
    """A `TokenAsker` that opens what it asks through when it is first asked."""

    def __init__(self, context: PartContext) -> None:
        self._context = context
        self._exits = AsyncExitStack()
        self._opening: asyncio.Task[RealTimeAsker] | None = None

    async def ask(self, party: str, terms: AskingTerms, shown: ShownToken) -> AskedToken:
        """Ask a partner about a token that it told us of."""
        asker = await self._opened(terms.seconds)
        if asker is None:
            return AskedToken(party, AskedAnswer.SILENT)
        return await asker.ask(party, terms, shown)

    async def ask_each(
        self, partners: Mapping[str, AskingTerms], shown: ShownToken
    ) -> AskedToken | None:
        """Ask some partners at once whose a token is that nobody told us of; None: nobody's."""
        asker = await self._opened(max(terms.seconds for terms in partners.values()))
        return None if asker is None else await asker.ask_each(partners, shown)

    async def close(self) -> None:
        """Close what was opened."""
        if self._opening is not None:
            await asyncio.gather(self._opening, return_exceptions=True)
        await self._exits.aclose()

    async def _opened(self, seconds: float) -> RealTimeAsker | None:
        """Return what asks, None where that takes longer than a partner may take."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
        opening = self._opening
        done, _ = await asyncio.wait({opening}, timeout=seconds)
        if not done:
            return None
        if (error := opening.exception()) is not None:
            _LOGGER.warning("partners cannot be asked about tokens: %s", type(error).__name__)
            self._opening = None
            return None
        return opening.result()

    async def _open(self) -> RealTimeAsker:
        # Elsewhere: stations that are connected do not wait for what is loaded.
        await asyncio.to_thread(import_module, "roaming_ocpi.client.http")
        from psycopg_pool import AsyncConnectionPool  # noqa: PLC0415

        from ledger.database import connect_options  # noqa: PLC0415
        from roaming_ocpi.client.http import HttpPartnerClient  # noqa: PLC0415
        from roaming_ocpi.registration.links import Pool, link_of  # noqa: PLC0415
        from roaming_ocpi.server.audit import CallAudit  # noqa: PLC0415
        from roaming_ocpi.tokens.asker import RealTimeAsker  # noqa: PLC0415
        from roaming_ocpi.tokens.known_tokens import KnownTokens  # noqa: PLC0415

        dsn, settings, now = self._context.dsn, self._context.settings, self._context.clock.now
        pool: Pool = AsyncConnectionPool(
            dsn,
            kwargs={"options": connect_options(dsn), "autocommit": True},
            min_size=1,
            max_size=CONNECTIONS_MAX,
            timeout=DATABASE_SECONDS,
            open=False,
        )
        await pool.open()
        self._exits.push_async_callback(pool.close)
        audit = CallAudit(dsn, now=now, kept_days=settings.calls_kept_days)
        self._exits.callback(audit.close)
        client = HttpPartnerClient(
            allow_private=settings.roaming_private_networks,
            now=now,
            heard=audit.hear,
            answer_bytes_max=ANSWER_BYTES_MAX,
        )
        self._exits.push_async_callback(client.close)
        return RealTimeAsker(client=client, links=partial(link_of, pool), tokens=KnownTokens(pool))
