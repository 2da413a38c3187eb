"""Ratings that a partner owes, for tests: by any tariff, of any usage."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from ledger.declared.declarations import BEGINNING, Declarations, Entity, Kind
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.partners import Partner, PartnerRole
from ledger.master_data.sites import Site
from ledger.master_data.tariff_versions import published
from ledger.rating.decide import decide
from ledger.rating.decisions import Decision, SessionRated
from ledger.sessions.session import ChargingSession, SessionPoint, SessionSpan
from roaming_ocpi.cdrs.made import CdrPlace
from roaming_ocpi.cdrs.making import CdrTerms
from roaming_ocpi.cdrs.tariff_copies import own_tariff
from tariffs.model.tariff import Tariff
from tariffs.model.usage import SessionUsage
from tests.depot import THINGS, declared, moment_of, session

GUEST = "guest-1"
PARTNER = Partner(name="The Next Mile", legal_entity="depot", roles=(PartnerRole.EMSP,))
PLACE = CdrPlace(
    location_id="harbour",
    evse_uid="ST-1*1",
    evse_id="DE*HBC*EST*1*1",
    connector_id="1",
    time_zone="Europe/Berlin",
    name="Harbour",
    address="Hafen 1",
    city="Hamburg",
    postal_code="20457",
    country="DEU",
    latitude="53.543000",
    longitude="9.988000",
    standard="IEC_62196_T2",
    format="SOCKET",
    power_type="AC_3_PHASE",
)


def roaming_depot(
    tariff: Tariff | None = None,
    *more: tuple[Kind, str, Entity | None, datetime],
    partner: Partner = PARTNER,
    time_zone: str = "Europe/Berlin",
) -> Declarations:
    """Return the operator of `tests.depot` with a partner, and *tariff* at its site."""
    entity = THINGS[Kind.LEGAL_ENTITY, "depot"]
    assert isinstance(entity, LegalEntity)
    rows: list[tuple[Kind, str, Entity | None, datetime]] = [
        (Kind.LEGAL_ENTITY, "depot", replace(entity, party="DE-HBC"), BEGINNING),
        (Kind.PARTNER, "NL-TNM", partner, BEGINNING),
    ]
    if tariff is not None:
        site = Site(
            time_zone=time_zone, country="DE", legal_entity="depot", currency=tariff.currency
        )
        rows.append((Kind.SITE, "harbour", site, BEGINNING))
        rows.append((Kind.TARIFF, "energy", published(tariff), BEGINNING))
    return declared(*rows, *more)


def of_usage(usage: SessionUsage, **more: Any) -> ChargingSession:  # noqa: ANN401 - fields of it
    """Return the session that *usage* is, of a partner's driver."""
    base = session(token_uid=GUEST, started_at=usage.starts_at)
    energy = usage.points[-1].energy_wh if usage.points else Decimal(0)
    points = tuple(
        SessionPoint(each.at, each.energy_wh, 1, number) for number, each in enumerate(usage.points)
    )
    fields: dict[str, Any] = {
        "ended_at": usage.ends_at,
        "energy_wh": energy,
        "meter_stop_wh": 1000 + energy,
        "points": points,
        "spans": tuple(SessionSpan(each.starts_at, each.activity) for each in usage.spans),
        "last_received_at": usage.ends_at,
    }
    return replace(base, **fields | more)


def decided(charging: ChargingSession, declarations: Declarations) -> Decision | None:
    """Return what is decided about a session; None where it waits."""
    found = decide(charging, declarations, moment=moment_of(charging, hours=48))
    return found if isinstance(found, Decision) else None


def rated_for_partner(
    tariff: Tariff, charging: ChargingSession | None = None, *, partner: Partner = PARTNER
) -> SessionRated:
    """Return the rating of a session (of 10 kWh in an hour) by *tariff*, owed by the partner."""
    charging = charging or session(token_uid=GUEST)
    rated = decided(charging, roaming_depot(tariff, partner=partner))
    assert isinstance(rated, SessionRated), rated
    return rated


def terms_for(
    tariff: Tariff, *, partner: Partner = PARTNER, time_zone: str = "Europe/Berlin"
) -> CdrTerms:
    """Return the terms under which the partner gets its CDRs."""
    return CdrTerms(
        tariff=own_tariff(tariff, party="DE-HBC", mark_up=partner.mark_up_percent, since=BEGINNING),
        partner=partner,
        our_party="DE-HBC",
        place=replace(PLACE, time_zone=time_zone),
    )
