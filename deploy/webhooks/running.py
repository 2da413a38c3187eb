"""The thread that tells webhooks, where the interface is served; of several one at a time does."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from secrets import token_hex
from typing import Final

from ledger.network import Network, networks_of
from projections.webhooks.deliverer import deliver_webhooks

_END_SECONDS: Final = 2.0
"""A post that takes longer ends with the process: it is posted again."""


@asynccontextmanager
async def telling_webhooks(
    dsn: str, now: Callable[[], datetime], networks: str, _app: object
) -> AsyncIterator[None]:
    """Tell webhooks meanwhile; *networks* are allowed beside the public internet."""
    allowed: tuple[Network, ...] = networks_of(networks)
    holder = f"{socket.gethostname()}:{os.getpid()}:{token_hex(4)}"
    stop = threading.Event()
    work = partial(deliver_webhooks, dsn, now, stop, holder=holder, networks=allowed)
    thread = threading.Thread(target=work, name="webhooks", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        await asyncio.to_thread(thread.join, _END_SECONDS)
