"""A CDR of ours as a partner gets it: the JSON of its version, with its driver's token opened.

What its price hangs on goes out as it was checked and frozen; only a credit, which states the total
of another one negated, is written when it is told.

OCPI 2.1.1 has no credit CDRs. By the partner's `old_corrections` a correction is told to it by a
CDR with a negative total, whose remark names what it takes back, or not at all, and then stands on
the statement: `is_said` tells which.

Source: OCPI 2.1.1, 2.2.1 and 2.3.0, mod_cdrs, CDR object and Credit CDRs.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from ledger.master_data.partners import OldCorrections
from roaming_ocpi.cdrs.made import (
    CdrForm,
    CdrKind,
    CdrPlace,
    PricePart,
    decode_body,
    joined,
    price_part,
)
from roaming_ocpi.cdrs.telling.disclosure import Disclosure
from roaming_ocpi.cdrs.telling.excerpt import CdrExcerpt
from roaming_ocpi.cdrs.telling.signed_data import meter_serial, signed_data
from roaming_ocpi.errors import RoamingError
from roaming_ocpi.wire.ids import wire_session_id
from roaming_ocpi.wire.moments import wire_moment
from roaming_ocpi.wire.walls import encoded
from tariffs.cdr.cdr import Cdr, StatedCost, StatedTotals
from tariffs.kernel.priced import Note
from tariffs.model.tariff import Tariff
from tariffs.ocpi.tariff_writer import write_tariff
from tariffs.ocpi.versions import OcpiVersion
from tariffs.quantities import EXACT

_OLDEST: Final = OcpiVersion.V2_1_1
_REMARK_MAX: Final = 255
_KEPT_MAX: Final = 1024
_OLD_METHODS: Final = {"COMMAND": "AUTH_REQUEST"}
"""What 2.1.1 has no word for: the partner had allowed it."""
_UNSAYABLE: Final = "it has no way to come to its total there"
_TARIFFS: Final = msgspec.json.Decoder(tuple[Tariff, ...])
_PLACE: Final = msgspec.json.Decoder(CdrPlace)


class WireCdr(NamedTuple):
    """A CDR as it goes out; `lost` are codes of what its version cannot say."""

    json: bytes
    lost: tuple[str, ...]


class CdrNotSaidError(RoamingError):
    """A CDR that is not told in this version, and why."""

    def __init__(self, cdr_id: str, version: OcpiVersion, why: str) -> None:
        super().__init__(f"CDR {cdr_id} is not told in OCPI {version}: {why}")
        self.cdr_id, self.version, self.why = cdr_id, version, why


def is_said(made: CdrExcerpt, version: OcpiVersion) -> bool:
    """Whether *made* is told to a partner of *version* at all."""
    return _why_not(made, version) is None


def wire_cdr(made: CdrExcerpt, version: OcpiVersion, keys: Disclosure) -> WireCdr:
    """Return *made* as *version* says it.

    Args:
        made: The CDR.
        version: What the partner speaks.
        keys: Its driver's token and signed readings (`roaming_ocpi.cdrs.telling.disclosure`).

    Raises:
        CdrNotSaidError: If it is not told in this version (`is_said`).
    """
    said = made.said.versions.get(version)
    why = _why_not(made, version)
    if said is None or why is not None:
        raise CdrNotSaidError(made.cdr_id, version, why or _UNSAYABLE)
    is_credit = made.kind is CdrKind.CREDIT
    part = _credit_part(made, version) if is_credit else PricePart(said.written, said.lost)
    tariffs = _tariffs(bytes(made.said.forms[said.form].tariffs), version)
    notes: list[Note] = []
    head = _head(made, version, keys, notes) | {"tariffs": tariffs.json}
    codes = (*(note.code for note in notes), *part.lost, *tariffs.lost)
    return WireCdr(joined(head, part.json), tuple(dict.fromkeys(codes)))


@lru_cache(maxsize=_KEPT_MAX)
def _tariffs(frozen: bytes, version: OcpiVersion) -> PricePart:
    """Return tariffs as *version* has them: most CDRs of a page have the same."""
    told = [write_tariff(each, version) for each in _TARIFFS.decode(frozen)]
    data = encoded([written for written, _ in told])
    return PricePart(msgspec.Raw(data), tuple(note.code for _, lost in told for note in lost))


@lru_cache(maxsize=_KEPT_MAX)
def _location(frozen: bytes) -> msgspec.Raw:
    return msgspec.Raw(encoded(cdr_location(_PLACE.decode(frozen))))


def _why_not(made: CdrExcerpt, version: OcpiVersion) -> str | None:
    body = made.said
    if version not in body.versions:
        return _UNSAYABLE
    corrects = made.kind is CdrKind.CREDIT or body.replaces is not None
    if version is _OLDEST and corrects and body.old_corrections is OldCorrections.STATEMENT:
        return "it has no credit CDRs, and with this partner corrections stand on the statement"
    return None


def _credit_part(made: CdrExcerpt, version: OcpiVersion) -> PricePart:
    """Return what a credit states: what the CDR that it takes back does, the total cost negated."""
    body = decode_body(made.frozen)
    form = body.form(version)
    assert form is not None, "it is told in this version"
    cdr = Cdr(
        id=made.cdr_id,
        starts_at=body.starts_at,
        ends_at=body.ends_at,
        currency=body.currency,
        periods=form.periods,
        stated=_taken_back(form),
        is_credit=version is not _OLDEST,
        credit_reference_id=made.credits if version is not _OLDEST else None,
    )
    return price_part(cdr, version)


def _taken_back(form: CdrForm) -> StatedTotals:
    """Return the totals of a credit: those of the original, the total cost negated."""
    cost = form.stated.total_cost
    if cost is None:
        return form.stated
    negated = StatedCost(
        before_taxes=None if cost.before_taxes is None else EXACT.minus(cost.before_taxes),
        taxes=tuple(replace(tax, amount=EXACT.minus(tax.amount)) for tax in cost.taxes),
        gross=None if cost.gross is None else EXACT.minus(cost.gross),
    )
    return replace(form.stated, total_cost=negated)


def _head(
    made: CdrExcerpt, version: OcpiVersion, keys: Disclosure, notes: list[Note]
) -> dict[str, Any]:
    """Return what of the CDR no price depends on."""
    body = made.said
    contract_id = keys.contract_id or keys.uid
    if keys.is_erased:
        notes.append(Note("person_erased", "who charged is erased; a stand-in is told", "token"))
    said: dict[str, Any] = {"id": made.cdr_id, "last_updated": wire_moment(made.made_at)}
    if version is _OLDEST:
        remark = _old_remark(made)
        said["auth_id"] = contract_id
        said["auth_method"] = _OLD_METHODS.get(body.auth_method, body.auth_method)
        said["location"] = _old_location(_PLACE.decode(body.place), made.made_at)
    else:
        remark = body.remark
        said["country_code"], _, said["party_id"] = body.our_party.partition("-")
        said["session_id"] = wire_session_id(body.session_id)
        country_code, _, party_id = made.party.partition("-")
        said["cdr_token"] = {
            "country_code": country_code,
            "party_id": party_id,
            "uid": keys.uid,
            "type": keys.token_type,
            "contract_id": contract_id,
        }
        said["auth_method"] = body.auth_method
        said["cdr_location"] = _location(bytes(body.place))
        if body.authorization_reference is not None:
            said["authorization_reference"] = body.authorization_reference
        if (found := signed_data(keys.signed, notes)) is not None:
            said["signed_data"] = found
    if (serial := meter_serial(keys.signed)) is not None:
        said["meter_id"] = serial
    if remark is not None:
        said["remark"] = remark
    return said


def _old_remark(made: CdrExcerpt) -> str | None:
    """Return the remark in 2.1.1, which has to name what a CDR takes back or stands for."""
    body = made.said
    if made.kind is CdrKind.CREDIT:
        return f"Takes back CDR {made.credits}"
    if body.replaces is None:
        return body.remark
    instead = f"In place of CDR {body.replaces}"
    return instead if body.remark is None else f"{instead}; {body.remark}"[:_REMARK_MAX]


def cdr_location(place: CdrPlace) -> dict[str, Any]:
    """Return the CdrLocation as JSON (OCPI 2.2.1, mod_cdrs)."""
    said: dict[str, Any] = {
        "id": place.location_id,
        "name": place.name,
        "address": place.address,
        "city": place.city,
        "postal_code": place.postal_code,
        "country": place.country,
        "coordinates": _coordinates(place),
        "evse_uid": place.evse_uid,
        "evse_id": place.evse_id,
        "connector_id": place.connector_id,
        "connector_standard": place.standard,
        "connector_format": place.format,
        "connector_power_type": place.power_type,
    }
    return {key: value for key, value in said.items() if value is not None}


def _old_location(place: CdrPlace, at: datetime) -> dict[str, Any]:
    """Return the Location of 2.1.1, with the one EVSE and connector that were used."""
    updated = wire_moment(at)
    connector = {
        "id": place.connector_id,
        "standard": place.standard,
        "format": place.format,
        "power_type": place.power_type,
        "last_updated": updated,
    }
    evse = {
        "uid": place.evse_uid,
        "evse_id": place.evse_id,
        "status": "UNKNOWN",
        "connectors": [{key: value for key, value in connector.items() if value is not None}],
        "last_updated": updated,
    }
    said: dict[str, Any] = {
        "id": place.location_id,
        "type": "UNKNOWN",
        "name": place.name,
        "address": place.address,
        "city": place.city,
        "postal_code": place.postal_code,
        "country": place.country,
        "coordinates": _coordinates(place),
        "evses": [evse],
        "time_zone": place.time_zone,
        "last_updated": updated,
    }
    return {key: value for key, value in said.items() if value is not None}


def _coordinates(place: CdrPlace) -> dict[str, str] | None:
    if place.latitude is None or place.longitude is None:
        return None
    return {"latitude": place.latitude, "longitude": place.longitude}
