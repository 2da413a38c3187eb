"""On which terms we speak with a partner: as declared, of it and of us."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from ledger.declared.declarations import Declarations, Kind
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.partners import Partner, PartnerRole
from roaming_ocpi.errors import RoamingError
from roaming_ocpi.wire.modules import OurSide
from tariffs.ocpi.versions import OcpiVersion

_FACING: Final = {
    PartnerRole.CPO: {OurSide.EMSP},
    PartnerRole.EMSP: {OurSide.CPO},
    PartnerRole.HUB: {OurSide.CPO, OurSide.EMSP},
}


class UnknownPartnerError(RoamingError):
    """No partner of that name is declared."""

    def __init__(self, party: str, known: Sequence[str]) -> None:
        self.party = party
        others = f"; there are {', '.join(known[:20])}" if known else ""
        super().__init__(
            f"there is no partner {party[:20]!a}: declare it with `wattledger apply` "
            f"(partners:) or `wattledger partner add`{others}"
        )


class NoPartyError(RoamingError):
    """Our legal entity has no name among roaming partners."""

    def __init__(self, legal_entity: str) -> None:
        self.legal_entity = legal_entity
        super().__init__(
            f"legal entity {legal_entity} has no party: declare one, as in party: DE-HBC"
        )


class PartnerTerms(NamedTuple):
    """A partner as declared, and who we are to it (`our_party`, "DE-HBC")."""

    party: str
    partner: Partner
    our_party: str
    us: LegalEntity

    @property
    def versions(self) -> tuple[OcpiVersion, ...]:
        """Which versions may be spoken, the highest last."""
        named = self.partner.versions
        return tuple(each for each in OcpiVersion if not named or each in named)

    @property
    def our_sides(self) -> tuple[OurSide, ...]:
        """As which of our roles we face it: to a hub, as both."""
        return tuple(sorted(sides_facing(self.partner)))

    def is_plain_in(self, version: OcpiVersion) -> bool:
        """Say whether tokens go as they are: in OCPI 2.1.1, and with who is declared so."""
        return self.partner.plain_token or version is OcpiVersion.V2_1_1


def sides_facing(partner: Partner) -> frozenset[OurSide]:
    """Return those of our sides that face a partner's roles: a hub's, both."""
    return frozenset().union(*(_FACING[role] for role in partner.roles))


def terms_of(declared: Declarations, party: str, at: datetime) -> PartnerTerms:
    """Return the terms with *party* that hold at *at*.

    Raises:
        UnknownPartnerError: If it is not declared.
        NoPartyError: If we have no party to face it as.
    """
    partner = declared.partner(party, at)
    if partner is None:
        known = [key for key in declared.keys(Kind.PARTNER) if declared.partner(key, at)]
        raise UnknownPartnerError(party, known)
    us = declared.legal_entity(partner.legal_entity, at)
    if us is None or us.party is None:
        raise NoPartyError(partner.legal_entity)
    return PartnerTerms(party, partner, us.party, us)
