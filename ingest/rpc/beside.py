"""Work on a large frame, done beside the event loop: all stations would wait for it meanwhile.

To read a frame of 1 MiB, and to find who stands in it, takes most of a second. A thread takes one
large frame after the other, of whatever stations; small ones are done at once, as nearly all are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeVar

LARGE: Final = 32 * 1024
"""Bytes or characters of a frame from which on the way to a thread and back is the lesser cost."""
# One, so that a crowd of large frames leaves the processor to the event loop.
_THREAD: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="large-frame")
P = ParamSpec("P")
T = TypeVar("T")


async def beside_others(
    length: int, work: Callable[P, T], *arguments: P.args, **named: P.kwargs
) -> T:
    """Return what *work* makes of a frame of *length*, in its turn where the frame is large."""
    if length < LARGE:
        return work(*arguments, **named)
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_THREAD, partial(work, *arguments, **named))
