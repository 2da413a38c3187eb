"""The versions of one tariff: declared ones and those on record, by the hash of what they say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from litestar.exceptions import NotFoundException
from psycopg import Connection

from ledger.approvals.record import TariffRecord
from projections.console.page import ConsolePage
from projections.console.tariffs.terms import HASH_SHOWN, SeenTerms
from projections.terms.held_tariffs import DeclaredTariff, declared_versions, held_at
from tariffs.model.tariff import Tariff
from tariffs.zones import zone


class KnownVersion(NamedTuple):
    """What somebody can choose: a hash, what it says, and from when in words."""

    sha256: str
    tariff: Tariff
    label: str


class TariffVersions(NamedTuple):
    """All that is known of one tariff."""

    tariff_id: str
    declared: Sequence[DeclaredTariff]
    records: Sequence[TariffRecord]
    known: Sequence[KnownVersion]

    @property
    def choices(self) -> list[tuple[str, str]]:
        """Return the versions as a field offers them."""
        return [(each.sha256, each.label) for each in self.known]

    @property
    def pending(self) -> TariffRecord | None:
        """Return what waits for a second person."""
        return next((each for each in self.records if each.is_pending), None)

    def declared_at(self, sha256: str) -> datetime | None:
        """Return when a version was declared last, None where it never was."""
        found = [each.declared_at for each in self.declared if each.sha256 == sha256]
        return max(found).replace(microsecond=0) if found else None

    def held(self, at: datetime) -> DeclaredTariff | None:
        """Return what holds at a moment; None where nothing does."""
        found = held_at(self.declared, at)
        return found if found is not None and found.version is not None else None

    def find(self, said: str) -> KnownVersion | None:
        """Return the version whose hash begins so.

        Raises:
            NotFoundException: If there is none.
        """
        if not said:
            return None
        for each in self.known:
            if each.sha256.startswith(said.lower()):
                return each
        raise NotFoundException(detail="this tariff has no such version")

    def shown(self, said: str, at: datetime) -> KnownVersion | None:
        """Return the version that is asked for, else what holds, else the newest there is."""
        if (found := self.find(said)) is not None:
            return found
        held = self.held(at)
        return self.find(held.sha256) if held else next(iter(self.known), None)

    def before(self, shown: KnownVersion) -> KnownVersion | None:
        """Return what held before a version does: what people compare it with."""
        froms = [each.valid_from for each in self.declared if each.sha256 == shown.sha256]
        earlier = [
            each
            for each in self.declared
            if each.version
            and each.sha256 != shown.sha256
            and (not froms or each.valid_from < min(froms))
        ]
        return self.find(earlier[0].sha256) if earlier else None


def versions_of(
    page: ConsolePage, connection: Connection[Any], terms: SeenTerms, tariff_id: str, zone_name: str
) -> TariffVersions:
    """Return what is known of a tariff.

    Raises:
        NotFoundException: If there is none, or none that this person sees.
    """
    declared, records = declared_versions(connection, tariff_id), terms.records_of(tariff_id)
    if not terms.sees(tariff_id) or not (declared or records):
        raise NotFoundException(detail="there is no such tariff")
    found: dict[str, KnownVersion] = {}
    local = zone(zone_name)
    for each in declared:
        if each.tariff is not None:
            label = page.text("from {moment}", moment=page.moment(each.valid_from, local))
            known = KnownVersion(each.sha256, each.tariff, f"{each.sha256[:HASH_SHOWN]} {label}")
            found.setdefault(each.sha256, known)
    for record in records:
        label = page.text("version {number}", number=record.number)
        state = page.text(record.state)
        known = KnownVersion(
            record.sha256, record.tariff, f"{record.sha256[:HASH_SHOWN]} {label}, {state}"
        )
        found.setdefault(record.sha256, known)
    return TariffVersions(tariff_id, declared, records, [*found.values()])
