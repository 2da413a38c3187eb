"""The model as OCPI CDRs: each version says what it can, losses are noted.

Sources: OCPI 2.1.1, 2.2.1 and 2.3.0, mod_cdrs, CDR object.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from tariffs.cdr.cdr import Cdr, ChargingPeriod, StatedCost
from tariffs.kernel.priced import Note
from tariffs.ocpi.cdr_reader import PRICED
from tariffs.ocpi.costs_reader import COST_KEYS, VAT
from tariffs.ocpi.tariff_writer import moment_text, write_tariff
from tariffs.ocpi.versions import OcpiVersion
from tariffs.quantities import EXACT, plain

_OLDEST: Final = OcpiVersion.V2_1_1
_OLD: Final = frozenset(
    {"auth_id", "auth_method", "last_updated", "location", "meter_id", "remark"}
)
_NEW: Final = frozenset(
    {
        "auth_method",
        "authorization_reference",
        "cdr_location",
        "cdr_token",
        "country_code",
        "home_charging_compensation",
        "invoice_reference_id",
        "last_updated",
        "meter_id",
        "party_id",
        "remark",
        "session_id",
        "signed_data",
    }
)
_CARRIED: Final = {
    OcpiVersion.V2_1_1: _OLD,
    OcpiVersion.V2_2_1: _NEW,
    OcpiVersion.V2_3_0: _NEW | {"booking_id"},
}
_OLD_DIMENSIONS: Final = frozenset(
    {"ENERGY", "FLAT", "MAX_CURRENT", "MIN_CURRENT", "PARKING_TIME", "TIME"}
)
_NEW_FIELDS: Final = tuple(field for kind, field in PRICED.items() if kind not in _OLD_DIMENSIONS)
_VOLUMES: Final = ("total_energy", "total_time", "total_parking_time")
_NOTHING: Final[dict[str, Any]] = {}


class Written(NamedTuple):
    """What one version says of something as JSON, and a note for all that it cannot say."""

    json: Any
    lost: tuple[Note, ...]


def write_cdr(
    cdr: Cdr, version: OcpiVersion, *, carried: Mapping[str, Any] = _NOTHING
) -> tuple[dict[str, Any], tuple[Note, ...]]:
    """Return *cdr* as OCPI's object, and a note for everything that it cannot say.

    Args:
        cdr: The CDR.
        version: The version to write.
        carried: What only OCPI carries (token, location, signed data), written as it is.
    """
    notes: list[Note] = []
    is_oldest = version is _OLDEST
    said = _carried(carried, version, notes)
    written: dict[str, Any] = {
        "id": cdr.id,
        "start_date_time": moment_text(cdr.starts_at),
        "stop_date_time" if is_oldest else "end_date_time": moment_text(cdr.ends_at),
        "currency": cdr.currency,
        **said,
        "tariffs": [_tariff(cdr, index, version, notes) for index in range(len(cdr.tariffs))],
        **_priced(cdr, version, notes),
    }
    if cdr.is_credit or cdr.credit_reference_id is not None:
        if is_oldest:
            notes.append(Note("not_said", "OCPI 2.1.1 has no credit CDRs", "credit"))
        else:
            written["credit"] = cdr.is_credit
            written["credit_reference_id"] = cdr.credit_reference_id
    if not written["tariffs"]:
        del written["tariffs"]
    return {key: value for key, value in written.items() if value is not None}, tuple(notes)


def _priced(cdr: Cdr, version: OcpiVersion, notes: list[Note]) -> dict[str, Any]:
    periods, costs = write_periods(cdr, version), write_costs(cdr, version)
    notes.extend((*periods.lost, *costs.lost))
    return {"charging_periods": periods.json, **costs.json, **write_volumes(cdr)}


def write_periods(cdr: Cdr, version: OcpiVersion) -> Written:
    """Return what *version* says of the periods of *cdr*, a list."""
    notes: list[Note] = []
    said = [
        _period(period, f"charging_periods[{index}]", version, notes)
        for index, period in enumerate(cdr.periods)
    ]
    return Written(said, tuple(notes))


def says_periods_alike(cdr: Cdr) -> bool:
    """Say whether every version has words for all that the periods of *cdr* say, the same ones."""
    return all(
        period.tariff_id is None and not period.others and _has_old_words(period)
        for period in cdr.periods
    )


def _has_old_words(period: ChargingPeriod) -> bool:
    return all(getattr(period, field) is None for field in _NEW_FIELDS)


def _carried(carried: Mapping[str, Any], version: OcpiVersion, notes: list[Note]) -> dict[str, Any]:
    """Return what the version has a spot for; `auth_id` is what became the contract_id."""
    said = {key: value for key, value in carried.items() if key in _CARRIED[version]}
    token = carried.get("cdr_token")
    if version is _OLDEST and "auth_id" not in said and isinstance(token, dict):
        said["auth_id"] = token.get("contract_id") or token.get("uid")
    notes.extend(
        Note("not_said", f"OCPI {version} has no {key} in a CDR", key)
        for key in sorted(carried.keys() - said.keys())
    )
    return said


def _tariff(cdr: Cdr, index: int, version: OcpiVersion, notes: list[Note]) -> dict[str, Any]:
    written, lost = write_tariff(cdr.tariffs[index], version)
    prefix = f"tariffs[{index}]"
    notes.extend(Note(note.code, note.message, f"{prefix}.{note.spot}") for note in lost)
    return written


def _period(
    period: ChargingPeriod, spot: str, version: OcpiVersion, notes: list[Note]
) -> dict[str, Any]:
    volumes = [
        (kind, volume)
        for kind, field in PRICED.items()
        if (volume := getattr(period, field)) is not None
    ]
    dimensions = []
    for kind, volume in (*volumes, *period.others) if period.others else volumes:
        if version is _OLDEST and kind not in _OLD_DIMENSIONS:
            notes.append(Note("not_said", f"OCPI 2.1.1 has no dimension {kind}", spot))
        else:
            dimensions.append({"type": kind, "volume": plain(volume)})
    written: dict[str, Any] = {
        "start_date_time": moment_text(period.starts_at),
        "dimensions": dimensions,
    }
    if period.tariff_id is not None:
        if version is _OLDEST:
            notes.append(Note("not_said", "OCPI 2.1.1 has no tariff_id", f"{spot}.tariff_id"))
        else:
            written["tariff_id"] = period.tariff_id
    return written


def write_costs(cdr: Cdr, version: OcpiVersion) -> Written:
    """Return the costs that *cdr* states by their names in *version*."""
    notes: list[Note] = []
    written: dict[str, Any] = {}
    last, said = None, _NOTHING
    for key in COST_KEYS:
        cost: StatedCost | None = getattr(cdr.stated, key)
        if cost is None:
            continue
        if version is not _OLDEST:
            # The total is often that of its one part.
            if cost is not last or cost.before_taxes is None:
                last, said = cost, _cost(key, cost, version, notes)
            written[key] = said
        elif key != "total_cost":
            notes.append(Note("not_said", f"OCPI 2.1.1 has no {key}", key))
        elif cost.before_taxes is not None:
            written[key] = plain(cost.before_taxes)
            if cost.after_taxes is not None:
                notes.append(Note("not_said", "OCPI 2.1.1 states no taxes", key))
    return Written(written, tuple(notes))


def write_volumes(cdr: Cdr) -> dict[str, Any]:
    """Return the energy and times that *cdr* states, which every version names alike."""
    volumes: dict[str, Decimal | None] = {key: getattr(cdr.stated, key) for key in _VOLUMES}
    return {key: plain(volume) for key, volume in volumes.items() if volume is not None}


def _cost(key: str, cost: StatedCost, version: OcpiVersion, notes: list[Note]) -> dict[str, Any]:
    """Write 2.3.0's Price, or 2.2.1's, which sums the taxes up."""
    before, after = cost.before_taxes, cost.after_taxes
    if version is OcpiVersion.V2_2_1:
        amounts = {"excl_vat": before, "incl_vat": after}
        return {key: plain(amount) for key, amount in amounts.items() if amount is not None}
    written: dict[str, Any] = {} if before is None else {"before_taxes": plain(before)}
    if cost.taxes:
        written["taxes"] = [
            {
                name: plain(value) if isinstance(value, Decimal) else value
                for name in ("name", "account_number", "percentage", "amount")
                if (value := getattr(tax, name)) is not None
            }
            for tax in cost.taxes
        ]
    elif cost.gross is not None and before is not None:
        amount = plain(EXACT.subtract(cost.gross, before))
        # 2.2.1 states no rate: the amount is certain, a percentage would be a guess.
        written["taxes"] = [{"name": VAT, "amount": amount}]
    elif cost.gross is not None:
        notes.append(Note("not_said", "OCPI 2.3.0 states no amount with taxes alone", key))
    return written
