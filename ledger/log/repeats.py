"""Dropping repeats: a record that was stored twice is taken once.

Whoever sends records until they are known to be stored (`ledger.log.outbox`) stamps each with an
ascending number and sends the next only when the last is known to be there. So what comes with a
number that is not above the last one is there a second time:

    sent 7 (stored, but the answer was lost), 7, 8; a slow twin of the sender sends 7 once more
        -> the log holds 7 7 8 7, a reader takes 7 8

To know that, the last number of each producer is enough. It is kept with the reader's position, in
the same transaction, so a restart drops the same ones; and it follows from the log alone, so a
replay does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ledger.log.event_log import Stamp

PRODUCERS_MAX: Final = 64
"""How many producers of a partition are kept in mind: the one heard of longest ago goes first.

A repeat comes within seconds, so it would have to stay away while 64 others came."""


class LastSequences:
    """The last sequence of each producer that a reader took from one partition."""

    def __init__(self, stamps: Iterable[Stamp] = ()) -> None:
        """Begin with *stamps* as `kept` returned them."""
        self._last = {stamp.producer: stamp.sequence for stamp in stamps}

    def takes(self, stamp: Stamp | None) -> bool:
        """Say whether a record with *stamp* is to be taken, and keep in mind that it was."""
        if stamp is None:
            return True
        if stamp.sequence <= self._last.get(stamp.producer, 0):
            return False
        self._last.pop(stamp.producer, None)
        self._last[stamp.producer] = stamp.sequence
        if len(self._last) > PRODUCERS_MAX:
            del self._last[next(iter(self._last))]
        return True

    def kept(self) -> tuple[Stamp, ...]:
        """Return what has to be kept, the producer heard of longest ago first."""
        return tuple(Stamp(*each) for each in self._last.items())
