"""For whom places and prices are published: one partner, its sites, the tariffs of its drivers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from ledger.declared.declarations import Declaration, Declarations, Kind
from ledger.master_data.assignments import Assignment, keys_for
from ledger.master_data.partners import Partner, PartnerRole
from ledger.master_data.sites import Site
from ledger.master_data.tariff_versions import TariffVersion


class Audience(NamedTuple):
    """A partner whose drivers may charge at our sites; `our_party` is what we are to it."""

    party: str
    partner: Partner
    our_party: str

    def sites(self, declared: Declarations, at: datetime) -> Iterator[tuple[str, Site]]:
        """Yield the sites that it may see: those of our party, or of them those that it names."""
        for key in dict.fromkeys(self.partner.sites) or declared.keys(Kind.SITE):
            site = declared.site(key, at)
            seller = None if site is None else declared.legal_entity(site.legal_entity, at)
            if site is not None and seller is not None and seller.party == self.our_party:
                yield key, site

    def tariff_at(
        self, declared: Declarations, station_id: str, site_id: str, at: datetime
    ) -> tuple[TariffVersion | None, list[Declaration]]:
        """Return the tariff of its drivers at a station, and the declarations that say so.

        As `Declarations.tariff_for` finds it for a token that has no assignment of its own.
        """
        looked_at: list[Declaration] = []
        keys = keys_for(
            token=None, token_group=None, partner=self.party, station=station_id, site=site_id
        )
        for key in keys:
            row = declared.in_force(Kind.ASSIGNMENT, key, at)
            if row is None:
                continue
            looked_at.append(row)
            if isinstance(row.entity, Assignment):
                found = declared.in_force(Kind.TARIFF, row.entity.tariff, at)
                version = declared.tariff(row.entity.tariff, at)
                if found is not None and version is not None:
                    return version, [*looked_at, found]
        return None, looked_at


def audience_of(declared: Declarations, party: str, at: datetime) -> Audience | None:
    """Return *party* as an audience; None: it is no partner whose drivers charge at our sites."""
    partner = declared.partner(party, at)
    if partner is None or not {PartnerRole.EMSP, PartnerRole.HUB} & set(partner.roles):
        return None
    seller = declared.legal_entity(partner.legal_entity, at)
    if seller is None or seller.party is None:
        return None
    return Audience(party, partner, seller.party)
