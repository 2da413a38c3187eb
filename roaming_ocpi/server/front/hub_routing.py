"""Routing headers: who asks whom through a hub.

Source: OCPI 2.2.1, transport_and_format, message routing: in requests and answers of functional
modules, not of versions, credentials and hub client info.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, NamedTuple

from ledger.partners.party import BadPartyError, party_named
from roaming_ocpi.server.calls import Caller, OcpiRefusedError
from roaming_ocpi.server.ownership import own_party
from roaming_ocpi.server.routing import OfferedRoute
from roaming_ocpi.wire.modules import ModuleId
from roaming_ocpi.wire.status import Status
from tariffs.ocpi.versions import OcpiVersion

_CONFIGURATION: Final = {ModuleId.CREDENTIALS, ModuleId.HUB_CLIENT_INFO}


class Routed(NamedTuple):
    """Who asks, where that was said, and the headers that the answer has for it."""

    from_party: str | None
    headers: Mapping[str, str]


_UNSAID: Final = Routed(None, {})


def routed(found: OfferedRoute, caller: Caller, headers: Mapping[str, str]) -> Routed:
    """Return who asks whom, as *headers* say it.

    Raises:
        OcpiRefusedError: If that is somebody for whom the caller may not speak (403), or not to us
            (4001).
    """
    if (
        found.version is OcpiVersion.V2_1_1
        or found.module is None
        or found.module.identifier in _CONFIGURATION
    ):
        return _UNSAID
    sender = _said(headers, "from")
    receiver = _said(headers, "to")
    if receiver is not None and _named(receiver) != caller.our_party:
        message = "the receiver that the routing headers name is not here"
        raise OcpiRefusedError(
            message, status=Status.HUB_UNKNOWN_RECEIVER, http=HTTPStatus.NOT_FOUND
        )
    from_party = None if sender is None else own_party(caller, *sender)
    if sender is None and receiver is None:
        return _UNSAID
    to = from_party or caller.partner
    return Routed(from_party, {**_headers("from", caller.our_party), **_headers("to", to)})


def speaking(caller: Caller, from_party: str | None) -> Caller:
    """Return *caller* as it may speak in a request that *from_party* makes through it.

    What a hub passes on for one party leads to nothing of the others behind it; what it asks as
    itself does.
    """
    if from_party is None or from_party == caller.partner:
        return caller
    return caller._replace(parties=frozenset({from_party}))


def _said(headers: Mapping[str, str], side: str) -> tuple[str, str] | None:
    party_id = headers.get(f"ocpi-{side}-party-id", "")
    country = headers.get(f"ocpi-{side}-country-code", "")
    return (country, party_id) if party_id or country else None


def _named(said: tuple[str, str]) -> str | None:
    try:
        return party_named(*said)
    except BadPartyError:
        return None


def _headers(side: str, party: str) -> dict[str, str]:
    country, _, party_id = party.partition("-")
    return {f"OCPI-{side}-party-id": party_id, f"OCPI-{side}-country-code": country}
