"""How often somebody may ask for a visit: by address, so that nobody keeps the others from it.

Of IPv6 a whole /64 counts as one address: whoever has one of it has them all (RFC 6177).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final

VISITS_MAX: Final = 10
"""From one address, within WITHIN_SECONDS."""
LOOKS_MAX: Final = 600
WITHIN_SECONDS: Final = 600.0
ADDRESSES_MAX: Final = 10_000
"""Of so many it is known at once; the one that asked longest ago is forgotten first."""


_BITS: Final = 64


def network_of(address: str) -> str:
    """Return whose *address* it is: itself of IPv4, its /64 of IPv6; what is none, as it is."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Network((int(found), _BITS), strict=False))


class AddressRates:
    """Counts what addresses ask for, in one process."""

    def __init__(self, most: int, *, within_seconds: float = WITHIN_SECONDS) -> None:
        self._most, self._within = most, within_seconds
        self._asked: OrderedDict[str, deque[float]] = OrderedDict()

    def allows(self, address: str, at: float) -> bool:
        """Say whether *address* may ask at *at* (seconds of any clock), and count that it did."""
        asked = self._asked.setdefault(address, deque(maxlen=self._most))
        self._asked.move_to_end(address)
        if len(self._asked) > ADDRESSES_MAX:
            self._asked.popitem(last=False)
        if len(asked) == self._most and at - asked[0] < self._within:
            return False
        asked.append(at)
        return True
