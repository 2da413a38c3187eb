"""Sites: where stations stand, in whose calendar, currency and name they sell."""

from __future__ import annotations

import msgspec

from ledger.master_data.policies import LocalList


class Site(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place with stations.

    `time_zone` is an IANA name, `country` ISO 3166-1 alpha-2 (whose VAT is owed), `currency`
    ISO 4217, `legal_entity` the key of a LegalEntity. `local_list` goes before the policy's.
    """

    time_zone: str
    country: str
    legal_entity: str
    currency: str
    name: str = ""
    local_list: LocalList | None = None
