"""Only the public internet is reached, unless a network is named."""

from __future__ import annotations

import socket

import pytest

from ledger.network import ForbiddenNetworkError, NoAddressError, allowed_address, networks_of


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::a00:1",
        "fd00::1",
        "fe80::1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "::127.0.0.1",
        "2001:0:7f00:1::",
        "ff02::1",
        "192.0.0.0",
        "192.0.0.192",
        "192.0.0.255",
        "192.88.99.1",
        "168.63.129.16",
        "fec0::1",
        "::ffff:0:7f00:1",
        "1fff::1",
        "3fff::1",
        "4000::1",
        "5f00::1",
    ],
)
def test_only_the_public_internet_is_reached_unless_a_network_is_named(address: str) -> None:
    with pytest.raises(ForbiddenNetworkError):
        allowed_address(address, 443)

    assert allowed_address(address, 443, networks_of("0.0.0.0/0, ::/0")) == address


def test_a_public_address_is_reached_and_a_name_only_if_all_of_its_addresses_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for address in ("1.1.1.1", "192.0.1.0", "168.63.129.17", "2606:4700::1111", "3ffe::1"):
        assert allowed_address(address, 443) == address

    def answers(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in host.split("+")
        ]

    monkeypatch.setattr(socket, "getaddrinfo", answers)
    assert allowed_address("1.1.1.1+8.8.8.8", 443) == "1.1.1.1"
    with pytest.raises(ForbiddenNetworkError):
        allowed_address("1.1.1.1+10.0.0.1", 443)


def test_a_name_that_nobody_answers_for_has_no_address() -> None:
    with pytest.raises(NoAddressError):
        allowed_address("nobody.invalid", 443)
