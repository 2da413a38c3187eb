"""Which events of an OCPP 2.0.1 transaction came, to know when one is missing at its end."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

_TRANSACTIONS_MAX: Final = 64
# A bit a number: a wild one would make an integer of its own size.
_NUMBER_MAX: Final = 10_000


class Sequences:
    """The sequence numbers seen of a station's latest transactions, over all its connections.

    After a restart of ours it knows nothing and sees gaps where there are none; asking the station
    once too often does no harm.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[str, int] = OrderedDict()

    def add(self, transaction_id: str, number: int | None) -> None:
        """Note that event *number* of a transaction came."""
        if number is None or number > _NUMBER_MAX:
            return
        self._seen[transaction_id] = self._seen.get(transaction_id, 0) | 1 << number
        self._seen.move_to_end(transaction_id)
        if len(self._seen) > _TRANSACTIONS_MAX:
            self._seen.popitem(last=False)

    def has_gap(self, transaction_id: str) -> bool:
        """Say whether a number below the highest one is missing, or nothing is known."""
        seen = self._seen.get(transaction_id, 0)
        return seen & (seen + 1) != 0 or seen == 0
