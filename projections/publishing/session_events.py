"""Decisions about sessions as events."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ledger.rating.decisions import (
    Decision,
    DecisionKind,
    Payer,
    SessionCorrected,
    SessionHeld,
    SessionRated,
    SessionWrittenOff,
    kind_of,
)
from projections.publishing.event_types import (
    CorrectedBody,
    DecisionEvent,
    EventCorrection,
    EventPayer,
    EventPrice,
    HeldBody,
    RatedBody,
    SessionCorrectedEvent,
    SessionHeldEvent,
    SessionRatedEvent,
    SessionReleasedEvent,
    SessionWrittenOffEvent,
    WrittenOffBody,
)
from projections.publishing.making import Numbered, amount, in_utc, make_event, numeral
from tariffs.phrases.phrase import Phrase

Body = RatedBody | CorrectedBody | HeldBody | WrittenOffBody
_TYPES: dict[DecisionKind, type[DecisionEvent]] = {
    DecisionKind.RATED: SessionRatedEvent,
    DecisionKind.RELEASED: SessionReleasedEvent,
    DecisionKind.CORRECTED: SessionCorrectedEvent,
    DecisionKind.HELD: SessionHeldEvent,
    DecisionKind.WRITTEN_OFF: SessionWrittenOffEvent,
}


def session_event(decision: Decision, *, numbered: Numbered, sha256: str) -> DecisionEvent:
    """Return the event that tells of *decision*."""
    return make_event(
        _TYPES[kind_of(decision)],
        _body(decision),
        numbered=numbered,
        key=decision.session_id,
        decided_at=decision.moment.at,
        sha256=sha256,
    )


def _body(decision: Decision) -> Body:
    match decision:
        case SessionRated(corrects=SessionCorrected() as corrects):
            fields = msgspec.structs.asdict(_rated(decision))
            return CorrectedBody(**fields, corrects=_correction(corrects, decision.currency))
        case SessionRated():
            return _rated(decision)
        case SessionHeld():
            return HeldBody(
                session_id=decision.session_id,
                revision=decision.revision,
                station_id=decision.station_id,
                started_at=None if decision.started_at is None else in_utc(decision.started_at),
                energy_wh=None if decision.energy_wh is None else numeral(decision.energy_wh),
                reasons=_codes(decision.reasons),
                flags=decision.flags,
            )
        case SessionWrittenOff():
            return WrittenOffBody(
                session_id=decision.session_id,
                revision=decision.revision,
                station_id=decision.station_id,
                energy_wh=None if decision.energy_wh is None else numeral(decision.energy_wh),
                flags=decision.flags,
            )


def _rated(decision: SessionRated) -> RatedBody:
    return RatedBody(
        session_id=decision.session_id,
        revision=decision.revision,
        station_id=decision.station_id,
        evse_id=decision.evse_id,
        connector_id=decision.connector_id,
        site_id=decision.site_id,
        legal_entity=decision.legal_entity,
        country=decision.country,
        time_zone=decision.time_zone,
        token=decision.token_uid,
        payer=_payer(decision.payer),
        started_at=in_utc(decision.started_at),
        ended_at=in_utc(decision.ended_at),
        billing_month=decision.billing_month,
        energy_wh=numeral(decision.energy_wh),
        billed_wh=numeral(decision.billed_wh),
        free_wh=numeral(decision.free_wh),
        tariff_id=decision.tariff_id,
        tariff_sha256=decision.tariff_hash,
        price=_price(decision),
        lines=len(decision.lines),
        reverse_charge=decision.reverse_charge_vat_id is not None,
        flags=decision.flags,
    )


def _correction(corrects: SessionCorrected, currency: str) -> EventCorrection:
    gross_minor = corrects.net_minor + corrects.tax_minor
    return EventCorrection(
        revision=corrects.revision,
        cause=corrects.cause.value,
        price=EventPrice(
            currency=currency,
            net=amount(corrects.net_minor, currency),
            tax=amount(corrects.tax_minor, currency),
            gross=amount(gross_minor, currency),
        ),
        energy_wh=numeral(corrects.energy_wh),
    )


def _payer(payer: Payer) -> EventPayer:
    return EventPayer(kind=payer.kind.value, party=payer.party, customer=payer.customer)


def _price(decision: SessionRated) -> EventPrice:
    currency = decision.currency
    return EventPrice(
        currency=currency,
        net=amount(decision.net_minor, currency),
        tax=amount(decision.tax_minor, currency),
        gross=amount(decision.gross_minor, currency),
    )


def _codes(phrases: Iterable[Phrase]) -> tuple[str, ...]:
    """Return each code once: what it is about may quote a stranger."""
    return tuple(dict.fromkeys(phrase.code for phrase in phrases))
