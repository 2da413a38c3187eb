"""Opening a visit: may it be, how much is put aside, and the request for that. One transaction.

Whoever is refused hears why, and what to do. Who asks twice gets two visits: the one that is paid
first starts, the other is let go at the latest when it would start.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.errors import LedgerError
from ledger.master_data.policies import Policy
from ledger.master_data.stations import Station
from ledger.payments.method_ids import check_method_id
from ledger.payments.requests import RequestKind
from ledger.payments.visits.charged import IS_FREED
from ledger.payments.visits.kept import add_visit, digest_of
from ledger.payments.visits.likely_price import likely_hold
from ledger.payments.visits.requesting import decide_for
from ledger.payments.visits.visit import CardVisit
from ledger.persons.holders import token_holder
from ledger.persons.store import find_or_make
from ledger.rating.basis import compiled_version
from tariffs.errors import TariffError

SECRET_BYTES: Final = 32
_UID_BYTES: Final = 9
"""Nobody guesses it; with its letter it is no longer than the shortest field for a token."""
# Of OCPP 2.x a transaction may begin with the cable, before anybody says who charges.
_OCCUPIED: LiteralString = f"""
SELECT EXISTS (SELECT FROM visit_state
               WHERE station_id = %(station)s AND evse_id = %(evse)s
               AND state IN ('starting', 'charging'))
    OR EXISTS (SELECT FROM session
               WHERE station_id = %(station)s AND started_at IS NOT NULL
               AND coalesce(started_at, first_fact_at) >= %(since)s
               AND evse_id = %(evse)s AND state = 'open' AND token_uid IS NOT NULL
               AND NOT {IS_FREED})
"""  # noqa: S608 - a constant
_OPEN_AT_MOST: Final = timedelta(days=3)
"""An older session that is open has lost its stop, rather than a car at the plug."""


class VisitRefusal(StrEnum):
    """Why there is no visit."""

    NOT_OFFERED = "not_offered"
    UNKNOWN_STATION = "unknown_station"
    UNKNOWN_EVSE = "unknown_evse"
    OCCUPIED = "occupied"
    NOT_CONNECTED = "not_connected"
    NO_PRICE = "no_price"


class WantedVisit(NamedTuple):
    """Where somebody wants to charge, with what provider: `legal_entity` is whose account it is.

    `method_id`: taken from this at once; None: the driver's own device goes on.
    """

    station_id: str
    evse_id: int
    provider: str
    legal_entity: str
    by: str
    method_id: str | None = None

    @property
    def body(self) -> dict[str, str]:
        """What the request to put the amount aside says beside that."""
        return {} if self.method_id is None else {"method": self.method_id}


class OpenedVisit(NamedTuple):
    """A visit, and the secret by which its driver may look at it: told once, kept as a digest."""

    visit: CardVisit
    secret: str

    def __repr__(self) -> str:
        return f"OpenedVisit({self.visit.number})"


class _Terms(NamedTuple):
    station: Station
    policy: Policy
    currency: str
    amount_minor: int
    tariff: str


def open_visit(
    connection: Connection[Any], declared: Declarations, wanted: WantedVisit, *, now: datetime
) -> OpenedVisit:
    """Keep a visit and the request to put its amount aside: both or neither.

    Raises:
        VisitRefusedError: If nobody may charge there so; it says why.
        NoMethodIdError: If its method is no id.
    """
    terms = _terms(declared, wanted, now)
    asked = {"station": wanted.station_id, "evse": wanted.evse_id, "since": now - _OPEN_AT_MOST}
    secret = secrets.token_urlsafe(SECRET_BYTES)
    holder = token_holder(f"V{secrets.token_hex(_UID_BYTES).upper()}")
    assert holder is not None
    with connection.transaction():
        [(is_occupied,)] = connection.execute(_OCCUPIED, asked).fetchall()
        if is_occupied:
            raise VisitRefusedError(
                VisitRefusal.OCCUPIED,
                f"EVSE {wanted.evse_id} of {wanted.station_id} is in use: try later",
            )
        [subject] = find_or_make(connection, [holder]).values()
        visit = add_visit(
            connection,
            CardVisit(
                number=0,
                provider=wanted.provider,
                legal_entity=wanted.legal_entity,
                station_id=wanted.station_id,
                evse_id=wanted.evse_id,
                token_uid=subject.id,
                secret_digest=digest_of(secret),
                currency=terms.currency,
                amount_minor=terms.amount_minor,
                tariff=terms.tariff,
                wanted_at=now,
                wanted_by=wanted.by,
            ),
            until=now + timedelta(seconds=terms.policy.visit_pay_s),
        )
        decide_for(
            connection,
            visit,
            RequestKind.HOLD,
            wanted.body,
            now=now,
            amount_minor=visit.amount_minor,
            by=wanted.by,
        )
    return OpenedVisit(visit, secret)


def _terms(declared: Declarations, wanted: WantedVisit, now: datetime) -> _Terms:
    check_method_id(wanted.method_id)
    station_id, policy = wanted.station_id, declared.policy(now)
    if not policy.visits:
        raise VisitRefusedError(
            VisitRefusal.NOT_OFFERED,
            "paying by card at the station is not offered (policy: visits)",
        )
    station = declared.station(station_id, now)
    site = declared.site(station.site, now) if station else None
    if station is None or site is None:
        raise VisitRefusedError(VisitRefusal.UNKNOWN_STATION, f"there is no station {station_id}")
    known = {each.evse_id for each in station.connectors}
    if wanted.evse_id <= 0 or (known and wanted.evse_id not in known):
        raise VisitRefusedError(
            VisitRefusal.UNKNOWN_EVSE, f"{station_id} has no EVSE {wanted.evse_id}"
        )
    if site.legal_entity != wanted.legal_entity:
        raise VisitRefusedError(
            VisitRefusal.NOT_OFFERED,
            f"cards are not taken at {station_id}: another company sells there",
        )
    tariff = declared.tariff_for(station_id, None, now)
    if tariff is None or tariff.version.tariff.currency != site.currency:
        raise VisitRefusedError(
            VisitRefusal.NO_PRICE, f"{station_id} has no price for everybody now"
        )
    starts = [now, now + timedelta(seconds=policy.visit_pay_s + policy.visit_start_s)]
    try:
        amount = likely_hold(compiled_version(tariff.version), policy, site.time_zone, starts)
    except TariffError as error:
        raise VisitRefusedError(
            VisitRefusal.NO_PRICE, f"{station_id} has no price now: {error}"
        ) from error
    if amount <= 0:
        raise VisitRefusedError(
            VisitRefusal.NO_PRICE, "nothing would be put aside (policy: visit_hold_max)"
        )
    return _Terms(station, policy, site.currency, amount, tariff.version.sha256)


class VisitRefusedError(LedgerError):
    """Nobody may charge there so."""

    def __init__(self, why: VisitRefusal, said: str) -> None:
        super().__init__(said)
        self.why = why
