"""Sites: where stations stand, in whose calendar, currency and name they sell."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ledger.master_data.addresses import Address
from ledger.master_data.hours import WeeklyHours
from ledger.master_data.policies import LocalList


class Site(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place with stations.

    `time_zone` is an IANA name, `country` ISO 3166-1 alpha-2 (whose VAT is owed), `currency`
    ISO 4217, `legal_entity` the key of a LegalEntity. `local_list` goes before the policy's.

    What roaming partners are told besides: `address` (its country is the site's), `latitude` and
    `longitude` (WGS 84, degrees), and when it is open (`opening`, by the clock on its wall; none
    said: nobody knows). A site without street, city and position is told to no partner.
    """

    time_zone: str
    country: str
    legal_entity: str
    currency: str
    name: str = ""
    local_list: LocalList | None = None
    address: Address = Address()
    latitude: Decimal | None = None
    longitude: Decimal | None = None
    opening: tuple[WeeklyHours, ...] = ()
