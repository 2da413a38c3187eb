"""Which kinds of events there are, each with its type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from projections.publishing.event_types import (
    CreditNoteIssuedEvent,
    DecisionEvent,
    InvoiceIssuedEvent,
    MoneyMovedEvent,
    PrepaymentRecordedEvent,
    RetirementProposedEvent,
    RetirementRejectedEvent,
    SessionCorrectedEvent,
    SessionHeldEvent,
    SessionRatedEvent,
    SessionReleasedEvent,
    SessionWrittenOffEvent,
    SettlementAgreedEvent,
    TariffAdoptedEvent,
    TariffApprovedEvent,
    TariffProposedEvent,
    TariffRejectedEvent,
    TariffReplacedEvent,
    TariffRetiredEvent,
)


def kind_of_event(event: DecisionEvent | type[DecisionEvent]) -> str:
    """Return the kind of an event or its type: `session.rated`."""
    return str(event.__struct_config__.tag)


EVENT_TYPES: Final[Mapping[str, type[DecisionEvent]]] = {
    kind_of_event(each): each
    for each in (
        SessionRatedEvent,
        SessionReleasedEvent,
        SessionCorrectedEvent,
        SessionHeldEvent,
        SessionWrittenOffEvent,
        InvoiceIssuedEvent,
        CreditNoteIssuedEvent,
        PrepaymentRecordedEvent,
        SettlementAgreedEvent,
        MoneyMovedEvent,
        TariffProposedEvent,
        TariffAdoptedEvent,
        TariffApprovedEvent,
        TariffRejectedEvent,
        TariffReplacedEvent,
        RetirementProposedEvent,
        RetirementRejectedEvent,
        TariffRetiredEvent,
    )
}
"""By kind."""
