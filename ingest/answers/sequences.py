"""Which events of an OCPP 2.0.1 transaction came, to know when one is missing at its end."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

_TRANSACTIONS_MAX: Final = 16
_AHEAD_MAX: Final = 1_000
"""How far ahead of a missing event others are told apart: a wild number is no long memory."""


class _Came(NamedTuple):
    """Every event below `below` came, that one did not; of those from it on a bit each."""

    below: int = 0
    ahead: int = 0

    def and_then(self, number: int) -> _Came:
        """Return it with event *number*; one that is farther ahead counts as one at the limit."""
        if number < self.below:
            return self
        ahead = self.ahead | 1 << min(number - self.below, _AHEAD_MAX)
        came = (ahead ^ (ahead + 1)).bit_length() - 1  # the bits at its end without a gap
        return _Came(self.below + came, ahead >> came)


class Sequences:
    """The sequence numbers seen of a station's latest transactions, over all its connections.

    After a restart of ours it knows nothing and sees gaps where there are none; asking the station
    once too often does no harm. It takes some 7 KB at most, whatever the station says (an id has
    at most 36 characters): it is kept for each station that was ever connected.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[str, _Came] = OrderedDict()

    def add(self, transaction_id: str, number: int | None) -> None:
        """Note that event *number* of a transaction came."""
        if number is None:
            return
        self._seen[transaction_id] = self._seen.get(transaction_id, _Came()).and_then(number)
        self._seen.move_to_end(transaction_id)
        if len(self._seen) > _TRANSACTIONS_MAX:
            self._seen.popitem(last=False)

    def has_gap(self, transaction_id: str) -> bool:
        """Say whether a number below the highest one is missing, or nothing is known."""
        seen = self._seen.get(transaction_id)
        return seen is None or seen.ahead != 0
