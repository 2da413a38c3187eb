"""Our tariffs for one partner: those that price its drivers' sessions, with its mark-up.

They are made of the published versions that price, by the one writer of tariffs: a price that
is ours per kWh or hour is OCPI's per kWh or hour, VAT is in per cent. Where a version of OCPI
cannot say part of a price, its text says what was left out, and a note tells the partner manager.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from ledger.declared.declarations import Declarations, Kind
from ledger.master_data.stations import Station
from roaming_ocpi.cdrs.tariff_copies import factor_of, own_tariff
from roaming_ocpi.places.audience import Audience
from roaming_ocpi.places.ours.declared_times import DeclaredTimes
from roaming_ocpi.wire.differences import Tree
from roaming_ocpi.wire.moments import to_millisecond
from tariffs.adjustments.adjustment import Adjustment, AtLeast, FeeCap, Surcharge
from tariffs.kernel.priced import Note
from tariffs.model.tariff import Tariff
from tariffs.ocpi.tariff_writer import write_tariff
from tariffs.ocpi.versions import OcpiVersion
from tariffs.quantities import plain


class OurTariff(NamedTuple):
    """A tariff in each version of OCPI, and what it cannot say; `created` orders them for good."""

    created: int
    tariff_id: str
    updated_at: datetime
    said: Mapping[OcpiVersion, Tree]
    notes: Mapping[OcpiVersion, Sequence[Note]]


def our_tariffs(
    declared: Declarations, times: DeclaredTimes, audience: Audience, at: datetime
) -> Sequence[OurTariff]:
    """Return the tariffs in force of the drivers of *audience*, the one that came first in front.

    A tariff that is no longer assigned, withdrawn or over is not among them.
    """
    found = [
        _said(key, declared, times, audience, at) for key in _keys_in_use(declared, audience, at)
    ]
    return sorted((each for each in found if each is not None), key=lambda each: each.created)


def _keys_in_use(declared: Declarations, audience: Audience, at: datetime) -> Sequence[str]:
    sites = {key for key, _ in audience.sites(declared, at)}
    keys: dict[str, None] = {}
    for station_id in declared.keys(Kind.STATION):
        station: Station | None = declared.station(station_id, at)
        if station is not None and station.site in sites:
            version, _ = audience.tariff_at(declared, station_id, station.site, at)
            if version is not None:
                keys[version.tariff.id] = None
    return list(keys)


def _said(
    key: str, declared: Declarations, times: DeclaredTimes, audience: Audience, at: datetime
) -> OurTariff | None:
    version = declared.tariff(key, at)
    row = declared.in_force(Kind.TARIFF, key, at)
    partner = declared.in_force(Kind.PARTNER, audience.party, at)
    if version is None or row is None or partner is None:
        return None
    since = times.holds_since(row)
    mark_up = audience.partner.mark_up_percent
    if mark_up:
        # With another mark-up the same tariff has other prices.
        since = max(since, times.holds_since(partner))
    since = to_millisecond(since)
    bare: Tariff = replace(
        version.tariff,
        last_updated=None,
        # No version of OCPI has them, but the text that names them says what the partner owes.
        adjustments=tuple(_marked_up(each, mark_up) for each in version.tariff.adjustments),
    )
    tariff = own_tariff(bare, party=audience.our_party, mark_up=mark_up, since=since)
    written = {each: write_tariff(tariff, each) for each in OcpiVersion}
    updated_at = tariff.last_updated or since
    first = min(each.version for each in declared.history(Kind.TARIFF, key))
    return OurTariff(
        first,
        tariff.id,
        updated_at,
        {each: tree for each, (tree, _) in written.items()},
        {each: notes for each, (_, notes) in written.items()},
    )


def _marked_up(adjustment: Adjustment, mark_up: Decimal) -> Adjustment:
    """Return an adjustment by an amount with the mark-up on it; one by a percentage has it."""
    match adjustment:
        case FeeCap() | AtLeast():
            return replace(adjustment, amount=plain(adjustment.amount * factor_of(mark_up)))
        case Surcharge():
            amount = adjustment.amount
            marked = None if amount is None else plain(amount * factor_of(mark_up))
            return replace(adjustment, amount=marked)
        case _:
            return adjustment
