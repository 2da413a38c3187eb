"""Who asks an API as fast as it answers: sixteen connections, each its next request at once.

A client as people use it takes longer over a request than the server does, which then sleeps most
of the time: its processor time is that of waking up, and says nothing of a core that is busy.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

CONNECTIONS: Final = 16
_OK: Final = b"HTTP/1.1 200 "
_LENGTH: Final = b"\r\ncontent-length:"
_END: Final = b"\r\n\r\n"


async def ask(port: int, paths: Sequence[str], token: str, seconds: float) -> int:
    """Ask for *paths* in turn for *seconds*; return how many answers came, each a 200."""
    ending = time.perf_counter() + seconds
    requests = [_request(path, token) for path in paths]
    asking = (_ask(port, requests, turn, ending) for turn in range(CONNECTIONS))
    return sum(await asyncio.gather(*asking))


async def _ask(port: int, requests: Sequence[bytes], turn: int, ending: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    served = 0
    while time.perf_counter() < ending:
        writer.write(requests[(turn + served) % len(requests)])
        head = await reader.readuntil(_END)
        content = await reader.readexactly(_length_in(head))
        assert head.startswith(_OK), (head, content[:500])
        served += 1
    writer.close()
    await writer.wait_closed()
    return served


def _length_in(head: bytes) -> int:
    _, _, rest = head.lower().partition(_LENGTH)
    return int(rest.partition(b"\r\n")[0])


def _request(path: str, token: str) -> bytes:
    lines = (
        f"GET {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Accept: */*",
        "Accept-Encoding: gzip, deflate",
        "Connection: keep-alive",
        "User-Agent: wattledger-bench",
        f"Authorization: Bearer {token}",
    )
    return "\r\n".join(lines).encode() + _END
