"""What both sides of a handshake do: look at the other's versions, and say who we are.

Source: OCPI 2.2.1, credentials 7.1.1, the registration process.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, NamedTuple

from ledger.declared.declarations import Declarations
from roaming_ocpi.client.answers import PartnerAnswer
from roaming_ocpi.client.asking import PartnerClient
from roaming_ocpi.registration.link import Link, LinkState
from roaming_ocpi.registration.links import Pool
from roaming_ocpi.registration.terms import PartnerTerms
from roaming_ocpi.registration.versions import (
    Endpoints,
    NoMutualVersionError,
    best_version,
    read_endpoints,
    read_versions,
)
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from tariffs.ocpi.versions import OcpiVersion

CALL_SECONDS: Final = 8.0
"""Of each call within a handshake: the other side waits for the one around it."""


class Handshaker(NamedTuple):
    """What a handshake is done with; `address`: where partners reach us, without a last slash."""

    database: Pool
    now: Callable[[], datetime]
    declared: Callable[[], Awaitable[Declarations]]
    client: PartnerClient
    address: str

    @property
    def versions_url(self) -> str:
        """Where our versions are, as partners are told."""
        return f"{self.address}/versions"


class TheirSide(NamedTuple):
    """What a partner offers in the version that is spoken."""

    version: OcpiVersion
    endpoints: Endpoints


def unlinked(terms: PartnerTerms, token: str, version: OcpiVersion, url: str) -> Link:
    """Return a link for the calls of a handshake, which is to make one; it began at *url*."""
    return Link(
        partner=terms.party,
        our_party=terms.our_party,
        state=LinkState.INVITED,
        version=version,
        token=token,
        endpoints={(ModuleId.CREDENTIALS, InterfaceRole.SENDER): url},
        is_plain=terms.is_plain_in(version),
    )


async def their_side(
    client: PartnerClient,
    terms: PartnerTerms,
    token: str,
    url: str,
    *,
    version: OcpiVersion | None = None,
    spoken: OcpiVersion | None = None,
) -> TheirSide:
    """Return what the partner at *url* (of its versions) offers in *version*, or in the best one.

    *spoken* is what was spoken with it until now: how a token is spelt hangs on it.

    Raises:
        NoMutualVersionError: If it does not offer that, or nothing that we may speak.
        NoEndpointsError: If it offers no module that we know.
        RoamingError: As `PartnerClient.ask`.
    """
    # Who may speak 2.1.1 alone takes tokens as they are; before a version is chosen, others do not.
    spoken = version or spoken or terms.versions[-1]
    listed = await get(client, unlinked(terms, token, spoken, url), url)
    offered = read_versions(listed.data, url)
    if version is not None and version not in offered:
        raise NoMutualVersionError((version,), offered)
    chosen = version or best_version(terms, offered)
    details = await get(client, unlinked(terms, token, chosen, url), offered[chosen])
    return TheirSide(chosen, read_endpoints(details.data, chosen, terms, offered[chosen]))


async def get(client: PartnerClient, link: Link, url: str) -> PartnerAnswer:
    """Ask one thing of a handshake."""
    return await client.ask(link, "GET", url, timeout_s=CALL_SECONDS)
