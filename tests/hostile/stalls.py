"""How long nobody got on beside a measure: on a machine with other things to do all is slow."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_LOOK_SECONDS = 0.01


class Stalls:
    """The longest that somebody who wanted nothing but to wake up had to wait for it."""

    longest_s = 0.0

    def watch(self, is_over: threading.Event) -> None:
        """Look until *is_over*."""
        before = time.monotonic()
        while not is_over.wait(_LOOK_SECONDS):
            now = time.monotonic()
            self.longest_s = max(self.longest_s, now - before - _LOOK_SECONDS)
            before = now


@contextmanager
def stalls() -> Iterator[Stalls]:
    """Yield what is known of stalls meanwhile."""
    found, is_over = Stalls(), threading.Event()
    watcher = threading.Thread(target=found.watch, args=(is_over,))
    watcher.start()
    try:
        yield found
    finally:
        is_over.set()
        watcher.join()
