"""Where somebody's address may lead: to the public internet, and to networks that were named.

Whoever sets an address, or answers for its name, must not reach what only this machine can: so
every address that the name has is looked at, and the connection goes to one of those and to no
other. IPv4 in the clothes of IPv6 (NAT64, 6to4, compatible) is refused: Python calls it global.
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
_DISGUISES: Final = tuple(
    ip_network(each) for each in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "::/96")
)
"""RFC 6052, RFC 8215, RFC 3056, RFC 4291 (2.5.5.1)."""


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
    if address.is_multicast or any(address in network for network in _DISGUISES):
        return False
    return address.is_global
