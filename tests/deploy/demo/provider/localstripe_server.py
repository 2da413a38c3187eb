"""`localstripe` in a process of its own: on 127.0.0.1 alone, and kept off the disk.

Its own command listens to everybody, and keeps all in /tmp.
"""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web
from localstripe import resources
from localstripe.server import app


async def serve() -> None:
    """Serve, and print the address."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    resources.Store.dump_to_disk = lambda _: None
    asyncio.run(serve())
