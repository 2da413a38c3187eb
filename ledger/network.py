"""Where somebody's address may lead: to the public internet, and to networks that were named.

Whoever sets an address, or answers for its name, must not reach what only this machine can: so
every address that the name has is looked at, and the connection goes to one of those and to no
other. Of IPv6 only what is given out to the world is public: IPv4 in its clothes (NAT64, 6to4,
compatible, translated), site-local and whatever else Python calls global is refused.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

from ledger.errors import LedgerError

Network = IPv4Network | IPv6Network
ANY_NETWORK: Final[tuple[Network, ...]] = (ip_network("0.0.0.0/0"), ip_network("::/0"))
"""Whatever the address: for networks of tests alone."""
_GIVEN_OUT: Final = IPv6Network("2000::/3")
"""Of IPv6, all that anybody was given (IANA, "IPv6 Global Unicast Address Assignments")."""
_NOT_OURS: Final = tuple(
    ip_network(each)
    for each in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "2002::/16", "3fff::/20")
)
"""RFC 6890 (at 192.0.0.192 a cloud tells its machines their secrets, at 168.63.129.16 another one),
RFC 7526, RFC 3056, RFC 9637."""


class NoAddressError(LedgerError):
    """A name that leads nowhere."""

    def __init__(self) -> None:
        super().__init__("the name has no address")


class ForbiddenNetworkError(LedgerError):
    """A name one of whose addresses is in a network that is neither public nor named."""

    def __init__(self) -> None:
        super().__init__("the name leads into a network that is not allowed")


def networks_of(text: str) -> tuple[Network, ...]:
    """Return the networks of a list with commas: "10.0.0.0/8,fd00::/8".

    Raises:
        ValueError: If one is none.
    """
    return tuple(ip_network(each.strip()) for each in text.split(",") if each.strip())


def allowed_address(host: str, port: int, networks: Sequence[Network] = ()) -> str:
    """Return an address of *host* to connect to; it asks the resolver, and waits for that.

    Args:
        host: A name or an address.
        port: Where.
        networks: That are allowed beside the public internet.

    Raises:
        NoAddressError: If it has none.
        ForbiddenNetworkError: If any that it has is not allowed.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NoAddressError from error
    addresses = [str(each[4][0]) for each in found]
    if not addresses:
        raise NoAddressError
    # An address with a scope (fe80::1%eth0) is of a link, and so of nobody outside.
    if any("%" in each or not _is_allowed(ip_address(each), networks) for each in addresses):
        raise ForbiddenNetworkError
    return addresses[0]


def _is_allowed(address: IPv4Address | IPv6Address, networks: Sequence[Network]) -> bool:
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return _is_allowed(address.ipv4_mapped, networks)
    if any(address in network for network in networks):
        return True
    if isinstance(address, IPv6Address) and address not in _GIVEN_OUT:
        return False
    if address.is_multicast or any(address in network for network in _NOT_OURS):
        return False
    return address.is_global
