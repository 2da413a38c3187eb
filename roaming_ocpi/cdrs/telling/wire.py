"""A CDR of ours as a partner gets it: the JSON of its version, with its driver's token opened.

OCPI 2.1.1 has no credit CDRs. By the partner's `old_corrections` a correction is told to it by a
CDR with a negative total, whose remark names what it takes back, or not at all, and then stands on
the statement: `is_said` tells which.

Source: OCPI 2.1.1, 2.2.1 and 2.3.0, mod_cdrs, CDR object and Credit CDRs.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from msgspec.structs import replace

from ledger.master_data.partners import OldCorrections
from roaming_ocpi.cdrs.made import CdrBody, CdrForm, CdrKind, CdrPlace, MadeCdr, decode_body
from roaming_ocpi.cdrs.telling.disclosure import Disclosure
from roaming_ocpi.cdrs.telling.signed_data import signed_data
from roaming_ocpi.errors import RoamingError
from roaming_ocpi.wire.ids import wire_session_id
from roaming_ocpi.wire.moments import wire_moment
from tariffs.cdr.cdr import Cdr, StatedCost, StatedTotals
from tariffs.kernel.priced import Note
from tariffs.model.tariff import Tariff
from tariffs.ocpi.cdr_writer import write_cdr
from tariffs.ocpi.tariff_writer import write_tariff
from tariffs.ocpi.versions import OcpiVersion
from tariffs.quantities import EXACT

_OLDEST: Final = OcpiVersion.V2_1_1
_REMARK_MAX: Final = 255
_TARIFFS_MAX: Final = 256
_OLD_METHODS: Final = {"COMMAND": "AUTH_REQUEST"}
"""What 2.1.1 has no word for: the partner had allowed it."""


class CdrNotSaidError(RoamingError):
    """A CDR that is not told in this version, and why."""

    def __init__(self, cdr_id: str, version: OcpiVersion, why: str) -> None:
        super().__init__(f"CDR {cdr_id} is not told in OCPI {version}: {why}")
        self.cdr_id, self.version, self.why = cdr_id, version, why


def is_said(made: MadeCdr, version: OcpiVersion) -> bool:
    """Whether *made* is told to a partner of *version* at all."""
    return _why_not(made, decode_body(made.body), version) is None


def wire_cdr(
    made: MadeCdr, version: OcpiVersion, keys: Disclosure
) -> tuple[dict[str, Any], tuple[Note, ...]]:
    """Return *made* as *version* says it, and what it cannot say.

    Args:
        made: The CDR.
        version: What the partner speaks.
        keys: Its driver's token and signed readings (`roaming_ocpi.cdrs.telling.disclosure`).

    Raises:
        CdrNotSaidError: If it is not told in this version (`is_said`).
    """
    body = decode_body(made.body)
    form = body.form(version)
    why = _why_not(made, body, version)
    if form is None or why is not None:
        raise CdrNotSaidError(made.cdr_id, version, why or _UNSAYABLE)
    notes: list[Note] = []
    is_credit = made.kind is CdrKind.CREDIT
    cdr = Cdr(
        id=made.cdr_id,
        starts_at=body.starts_at,
        ends_at=body.ends_at,
        currency=body.currency,
        periods=form.periods,
        stated=_taken_back(form) if is_credit else form.stated,
        is_credit=is_credit and version is not _OLDEST,
        credit_reference_id=made.credits if version is not _OLDEST else None,
    )
    carried = _carried(made, body, version, keys, notes)
    written, lost = write_cdr(cdr, version, carried=carried)
    tariffs = [_tariff(each, version) for each in form.tariffs]
    written["tariffs"] = [each for each, _ in tariffs]
    return written, (*notes, *lost, *(note for _, of_tariff in tariffs for note in of_tariff))


@lru_cache(maxsize=_TARIFFS_MAX)
def _tariff(tariff: Tariff, version: OcpiVersion) -> tuple[dict[str, Any], tuple[Note, ...]]:
    """Return a tariff as *version* has it: most CDRs of a page have the same."""
    return write_tariff(tariff, version)


_UNSAYABLE: Final = "it has no way to come to its total there"


def _why_not(made: MadeCdr, body: CdrBody, version: OcpiVersion) -> str | None:
    if body.form(version) is None:
        return _UNSAYABLE
    corrects = made.kind is CdrKind.CREDIT or body.replaces is not None
    if version is _OLDEST and corrects and body.old_corrections is OldCorrections.STATEMENT:
        return "it has no credit CDRs, and with this partner corrections stand on the statement"
    return None


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


def _carried(
    made: MadeCdr, body: CdrBody, version: OcpiVersion, keys: Disclosure, notes: list[Note]
) -> dict[str, Any]:
    """Return what of the CDR no price depends on."""
    country_code, _, party_id = made.party.partition("-")
    token = {
        "country_code": country_code,
        "party_id": party_id,
        "uid": keys.uid,
        "type": keys.token_type,
        "contract_id": keys.contract_id or keys.uid,
    }
    if keys.is_erased:
        notes.append(Note("person_erased", "who charged is erased; a stand-in is told", "token"))
    said: dict[str, Any] = {"last_updated": wire_moment(made.made_at)}
    if version is _OLDEST:
        remark = _old_remark(made, body)
        said |= {
            "auth_id": token["contract_id"],
            "auth_method": _OLD_METHODS.get(body.auth_method, body.auth_method),
            "location": _old_location(body.place, made.made_at),
        }
    else:
        remark = body.remark
        ours = body.our_party.partition("-")
        said |= {
            "country_code": ours[0],
            "party_id": ours[2],
            "session_id": wire_session_id(body.session_id),
            "cdr_token": token,
            "auth_method": body.auth_method,
            "cdr_location": cdr_location(body.place),
        }
        if body.authorization_reference is not None:
            said["authorization_reference"] = body.authorization_reference
        if (found := signed_data(keys.signed, notes)) is not None:
            said["signed_data"] = found
    if remark is not None:
        said["remark"] = remark
    return said


def _old_remark(made: MadeCdr, body: CdrBody) -> str | None:
    """Return the remark in 2.1.1, which has to name what a CDR takes back or stands for."""
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
