"""A session as its driver's partner is told it, and how each version writes it.

What is kept names persons by their subject ids; their names come in when it is written. A session
that goes on costs what the kernel says so far, one that is over what its CDR says.

Source: OCPI 2.2.1 and 2.3.0, mod_sessions, Session object; OCPI 2.1.1, mod_sessions.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import msgspec

from roaming_ocpi.cdrs.made import CdrPlace
from roaming_ocpi.cdrs.telling.disclosure import Disclosure
from roaming_ocpi.cdrs.telling.wire import cdr_location
from roaming_ocpi.wire.forms import ObjectKind, to_wire
from roaming_ocpi.wire.ids import wire_session_id
from roaming_ocpi.wire.moments import wire_moment
from tariffs.cdr.cdr import Cdr, ChargingPeriod, StatedCost, StatedTotals
from tariffs.kernel.priced import Note
from tariffs.model.canonical import canonical_json
from tariffs.ocpi.cdr_writer import write_cdr
from tariffs.ocpi.versions import OcpiVersion
from tariffs.quantities import plain


class SessionStatus(StrEnum):
    """How far a session is. Source: OCPI 2.2.1, mod_sessions, SessionStatus."""

    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    INVALID = "INVALID"


class OurSession(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is told of a session; `token` is a subject id, `contract` sealed with that one's key.

    `total` is what it costs so far, None where it would be held if it ended now.
    """

    session_id: str
    our_party: str
    status: SessionStatus
    starts_at: datetime
    ends_at: datetime | None = None
    energy_kwh: Decimal
    token: str | None
    contract: str | None = None
    auth_method: str = "WHITELIST"
    authorization_reference: str | None = None
    place: CdrPlace
    currency: str
    periods: tuple[ChargingPeriod, ...] = ()
    total: StatedCost | None = None


_DECODER: Final = msgspec.json.Decoder(OurSession)


def encode_told(told: OurSession) -> bytes:
    """Return *told* as it is kept: the same session, the same bytes."""
    return canonical_json(told)


def decode_told(body: bytes) -> OurSession:
    """Return what `encode_told` encoded."""
    return _DECODER.decode(body)


def session_json(
    told: OurSession,
    version: OcpiVersion,
    *,
    party: str,
    bearer: Disclosure,
    last_updated: datetime,
) -> tuple[dict[str, Any], tuple[Note, ...]]:
    """Return a session as *version* writes it, and what it cannot say.

    Args:
        told: The session.
        version: What the partner speaks.
        party: The partner, whose token it is.
        bearer: Whose the token is.
        last_updated: When it last changed.
    """
    country, _, party_id = told.our_party.partition("-")
    tree: dict[str, Any] = {
        "country_code": country,
        "party_id": party_id,
        "id": wire_session_id(told.session_id),
        "start_date_time": wire_moment(told.starts_at),
        "end_date_time": None if told.ends_at is None else wire_moment(told.ends_at),
        "kwh": plain(told.energy_kwh),
        "cdr_token": _token(party, bearer),
        "auth_method": told.auth_method,
        "authorization_reference": told.authorization_reference,
        "location_id": told.place.location_id,
        "evse_uid": told.place.evse_uid,
        "connector_id": told.place.connector_id,
        "currency": told.currency,
        **_cost(told),
        "status": told.status.value,
        "last_updated": wire_moment(last_updated),
    }
    if version is OcpiVersion.V2_1_1:  # which has no ids of places
        tree["cdr_location"] = cdr_location(told.place)
    said = {key: value for key, value in tree.items() if value is not None}
    return to_wire(ObjectKind.SESSION, said, version)


def _token(party: str, bearer: Disclosure) -> dict[str, Any]:
    country, _, party_id = party.partition("-")
    return {
        "country_code": country,
        "party_id": party_id,
        "uid": bearer.uid,
        "type": bearer.token_type,
        "contract_id": bearer.contract_id or bearer.uid,
    }


def _cost(told: OurSession) -> dict[str, Any]:
    """Return periods and total as 2.3.0 writes them: by the writer of CDRs."""
    cdr = Cdr(
        id="",
        starts_at=told.starts_at,
        ends_at=told.ends_at or told.starts_at,
        currency=told.currency,
        periods=told.periods,
        stated=StatedTotals(total_cost=told.total),
    )
    written, _ = write_cdr(cdr, OcpiVersion.V2_3_0)
    return {key: written[key] for key in ("charging_periods", "total_cost") if key in written}
