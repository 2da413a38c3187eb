"""A process that relays over a database until it is killed: `relay_to_kill.py DSN URL PARTY...`."""

from __future__ import annotations

import asyncio
import sys

from tests.roaming_ocpi.relay.taking_partner import link_of, relaying


async def main(dsn: str, url: str, parties: list[str]) -> None:
    links = {party: link_of(party, url) for party in parties}
    async with relaying(dsn, links):
        sys.stdout.write("relaying\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
