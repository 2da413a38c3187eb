"""The connection to one partner as it stands: version, endpoints, our token for it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from tariffs.ocpi.versions import OcpiVersion


class LinkState(StrEnum):
    """How far the handshake is."""

    INVITED = "invited"
    """We gave the partner a token for the handshake (TOKEN_A), and wait for it."""
    REGISTERED = "registered"
    PAUSED = "paused"
    """By us: nothing is sent until it goes on; what the partner asks is answered."""
    REVOKED = "revoked"
    """By either side: nobody's token holds any more."""


class Link(NamedTuple):
    """A partner with whom the handshake was done.

    `token` is what the partner gave us (TOKEN_C), opened; never shown or logged. `endpoints` are
    the partner's, by module and its role there. `is_plain`: the token goes un-encoded.
    """

    partner: str
    our_party: str
    state: LinkState
    version: OcpiVersion
    token: str
    endpoints: Mapping[tuple[ModuleId, InterfaceRole], str]
    is_plain: bool = False

    def __repr__(self) -> str:
        return f"Link({self.partner}, {self.state}, OCPI {self.version})"
