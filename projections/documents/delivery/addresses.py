"""Where a webhook may lead: to the public internet, and to networks that somebody has named.

Whoever sets an address, or answers for its name, must not reach what only this machine can: so
every address that the name has is looked at, and the connection goes to one of those and to no
other. IPv4 in NAT64's clothes (RFC 6052) is refused: Python calls it global.
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

from projections.documents.delivery.parcel import NotDeliveredError

Network = IPv4Network | IPv6Network
_NAT64: Final = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))


def networks_of(text: str) -> tuple[Network, ...]:
    """Return the networks of a list with commas: "10.0.0.0/8,fd00::/8".

    Raises:
        ValueError: If one is none.
    """
    return tuple(ip_network(each.strip()) for each in text.split(",") if each.strip())


def allowed_address(host: str, port: int, networks: Sequence[Network] = ()) -> str:
    """Return an address of *host* to connect to.

    Args:
        host: A name or an address.
        port: Where.
        networks: That are allowed beside the public internet.

    Raises:
        NotDeliveredError: If it has none, or one that is not allowed.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = "the webhook's name has no address"
        raise NotDeliveredError(why) from error
    addresses = [str(each[4][0]) for each in found]
    if not addresses or not all(_is_allowed(ip_address(each), networks) for each in addresses):
        why = "the webhook leads into a network that is not allowed (webhook_networks)"
        raise NotDeliveredError(why)
    return addresses[0]


def _is_allowed(address: IPv4Address | IPv6Address, networks: Sequence[Network]) -> bool:
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return _is_allowed(address.ipv4_mapped, networks)
    if any(address in network for network in networks):
        return True
    if address.is_multicast or any(address in network for network in _NAT64):
        return False
    return address.is_global
