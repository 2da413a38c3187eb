"""Published tariff versions: immutable, named by the hash of what they say."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

import msgspec

from tariffs.model.canonical import canonical_json
from tariffs.model.tariff import Tariff


class TariffVersion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One published version; `sha256` is tariffs.model.canonical.tariff_hash of `tariff`."""

    sha256: str
    tariff: Tariff

    def is_valid(self, at: datetime) -> bool:
        """Whether *at* lies within the tariff's own validity (half open)."""
        starts_at, ends_at = self.tariff.start_date_time, self.tariff.end_date_time
        return (starts_at is None or starts_at <= at) and (ends_at is None or at < ends_at)


def published(tariff: Tariff) -> TariffVersion:
    """Return *tariff* as the version that is published."""
    return TariffVersion(sha256=sha256(canonical_json(tariff)).hexdigest(), tariff=tariff)
