"""The events by which others hear of our decisions: one type a kind, and its schema from the type.

A type says what an event of its kind is, and for ever: a new field is added with a default, and
nothing else changes (`projections.publishing.evolution`, docs/events/README.md). An event lies
where no erasure reaches it: persons are subject ids, nothing stands in it that a person wrote,
codes are without their parameters and staff without their names. Whoever may know more asks the
books. And nothing grows with what strangers send, for a message of Kafka has a largest size.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, ClassVar, Final

import msgspec
from msgspec import Meta

INVOICED_SESSIONS_MAX: Final = 100
"""More are not named in an event, for an invoice may have any number."""
ALLOTMENTS_MAX: Final = 100
"""Nor more allotments of a movement."""

Numeral = Annotated[str, Meta(pattern=r"^-?[0-9]+(\.[0-9]+)?$")]
"""An exact decimal."""
Amount = Annotated[Numeral, Meta(description="of money, in the currency beside it")]
WattHours = Annotated[Numeral, Meta(description="Wh")]
Instant = Annotated[datetime, Meta(tz=True, description="UTC, ISO 8601")]
Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Codes = Annotated[tuple[str, ...], Meta(description="codes; more may come to be")]


class DecisionEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What every event carries; `version` is that of its kind's newest schema."""

    version: ClassVar[int] = 1

    id: Annotated[str, Meta(description="source/number: the same whenever it is sent again")]
    schema: Annotated[int, Meta(description="by which version of its kind's schema it was made")]
    source: Annotated[str, Meta(description="feed/PARTITION or tariffs: who numbered it")]
    number: Annotated[int, Meta(description="rises within the source")]
    key: Annotated[str, Meta(description="the message's key: session, invoice, customer or tariff")]
    decided_at: Annotated[Instant, Meta(description="when it was decided, not when it was sent")]
    sha256: Annotated[Hash, Meta(description="of the decision, the document or the tariff's text")]


class EventPayer(msgspec.Struct, frozen=True, kw_only=True):
    """Who owes a session, by subject id, or by a partner's id."""

    kind: Annotated[str, Meta(description="customer, bearer or partner; more may come to be")]
    party: Annotated[str, Meta(description="subject id of customer or token, or partner's id")]
    customer: Annotated[str | None, Meta(description="subject id of the buyer")]


class EventPrice(msgspec.Struct, frozen=True, kw_only=True):
    """What a session costs: net and tax add up to gross."""

    currency: Annotated[str, Meta(description="ISO 4217")]
    net: Amount
    tax: Amount
    gross: Amount


class EventElsewhere(msgspec.Struct, frozen=True, kw_only=True):
    """The CDR of the partner at whose station a session was."""

    party: Annotated[str, Meta(description="partner's id")]
    cdr_id: str


class RatedBody(msgspec.Struct, frozen=True, kw_only=True):
    """A session that was priced."""

    session_id: str
    revision: Annotated[int, Meta(description="1, or that of a correction: the highest one holds")]
    station_id: str
    evse_id: int | None
    connector_id: int | None
    site_id: str
    legal_entity: str
    country: str
    time_zone: str
    token: Annotated[str | None, Meta(description="subject id")]
    payer: EventPayer
    started_at: Instant
    ended_at: Instant
    billing_month: Annotated[str, Meta(description="2026-03, in the legal entity's calendar")]
    energy_wh: WattHours
    billed_wh: WattHours
    free_wh: WattHours
    tariff_id: str
    tariff_sha256: str
    price: EventPrice
    lines: Annotated[int, Meta(description="how many lines the price has")]
    reverse_charge: Annotated[bool, Meta(description="the buyer owes the VAT")]
    flags: Codes
    elsewhere: Annotated[EventElsewhere | None, Meta(description="null: at ours")] = None


class SessionRatedEvent(DecisionEvent, frozen=True, kw_only=True, tag="session.rated"):
    """A session was priced."""

    body: RatedBody


class SessionReleasedEvent(DecisionEvent, frozen=True, kw_only=True, tag="session.released"):
    """A person let a held session be priced as it is."""

    body: RatedBody


class EventCorrection(msgspec.Struct, frozen=True, kw_only=True):
    """What a correction replaces: the decision that held until then, and what it said."""

    revision: int
    cause: Annotated[
        str,
        Meta(
            description="late_fact, person, credit, dispute, release_taken_back, "
            "write_off_taken_back, session_dissolved or partner_bills_otherwise"
        ),
    ]
    price: EventPrice
    energy_wh: WattHours


class CorrectedBody(RatedBody, frozen=True, kw_only=True):
    """A session whose price was corrected."""

    corrects: EventCorrection


class SessionCorrectedEvent(DecisionEvent, frozen=True, kw_only=True, tag="session.corrected"):
    """A priced session was priced again: this price holds, whatever was told of it before."""

    body: CorrectedBody


class HeldBody(msgspec.Struct, frozen=True, kw_only=True):
    """A session that waits for facts or a person."""

    session_id: str
    revision: Annotated[int, Meta(description="of the final decision that is still to come")]
    station_id: str
    started_at: Instant | None
    energy_wh: WattHours | None
    reasons: Codes
    flags: Codes


class SessionHeldEvent(DecisionEvent, frozen=True, kw_only=True, tag="session.held"):
    """A session is not priced until its reasons are settled. May come several times."""

    body: HeldBody


class WrittenOffBody(msgspec.Struct, frozen=True, kw_only=True):
    """A session that is never billed."""

    session_id: str
    revision: int
    station_id: str
    energy_wh: WattHours | None
    flags: Codes


class SessionWrittenOffEvent(DecisionEvent, frozen=True, kw_only=True, tag="session.written_off"):
    """A person decided that a held session is never billed."""

    body: WrittenOffBody


class InvoicedRevision(msgspec.Struct, frozen=True, kw_only=True):
    """A session on an invoice, and which final decision about it."""

    session_id: str
    revision: int


class EventTotal(msgspec.Struct, frozen=True, kw_only=True):
    """What an invoice is for: gross and rounding add up to what is due."""

    currency: Annotated[str, Meta(description="ISO 4217")]
    net: Amount
    tax: Amount
    gross: Amount
    rounding: Amount
    due: Amount


class InvoiceBody(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice."""

    number: str
    issued_on: Annotated[date, Meta(description="in the legal entity's calendar")]
    legal_entity: str
    customer: Annotated[str | None, Meta(description="subject id; null: a token's bearer")]
    month: Annotated[str | None, Meta(description="2026-03; null: of no whole month")]
    total: EventTotal
    session_count: int
    sessions: Annotated[
        tuple[InvoicedRevision, ...] | None,
        Meta(description=f"null where there are more than {INVOICED_SESSIONS_MAX}"),
    ]


class InvoiceIssuedEvent(DecisionEvent, frozen=True, kw_only=True, tag="invoice.issued"):
    """An invoice was issued; it never changes."""

    body: InvoiceBody


class CreditNoteBody(InvoiceBody, frozen=True, kw_only=True):
    """A credit note; its amounts are positive."""

    credits: Annotated[str, Meta(description="the number of the invoice")]


class CreditNoteIssuedEvent(DecisionEvent, frozen=True, kw_only=True, tag="credit_note.issued"):
    """What some sessions were invoiced at is owed no more."""

    body: CreditNoteBody


class PrepaymentBody(msgspec.Struct, frozen=True, kw_only=True):
    """Money that a customer paid in advance; what names the payment stands in the books alone."""

    number: Annotated[int, Meta(description="of the prepayment, rising")]
    legal_entity: str
    customer: Annotated[str, Meta(description="subject id")]
    currency: Annotated[str, Meta(description="ISO 4217")]
    amount: Annotated[Numeral, Meta(description="in its currency; below 0: paid back")]


class PrepaymentRecordedEvent(DecisionEvent, frozen=True, kw_only=True, tag="prepayment.recorded"):
    """A customer paid in advance, or was paid back of that."""

    body: PrepaymentBody


class EventSide(msgspec.Struct, frozen=True, kw_only=True):
    """What one side delivered in a settlement: net and tax add up to gross; credits take back."""

    cdrs: Annotated[int, Meta(description="how many CDRs and credits")]
    energy_wh: WattHours
    net: Amount
    tax: Amount
    gross: Amount


class SettlementBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a roaming partner and we agreed to owe each other for a month, in one currency."""

    number: str
    legal_entity: str
    partner: Annotated[str, Meta(description="its party: NL-TNM")]
    month: Annotated[str, Meta(description="2026-03, in the legal entity's calendar")]
    period: Annotated[str, Meta(description="the month in whose books it stands")]
    currency: Annotated[str, Meta(description="ISO 4217")]
    sent: Annotated[EventSide, Meta(description="our CDRs, which the partner owes")]
    received: Annotated[EventSide, Meta(description="the partner's CDRs, which we owe")]
    due: Annotated[Numeral, Meta(description="in its currency; below 0: we owe it")]
    excluded: Annotated[int, Meta(description="CDRs left out until a dispute is decided")]


class SettlementAgreedEvent(DecisionEvent, frozen=True, kw_only=True, tag="settlement.agreed"):
    """A month with a roaming partner was agreed on; what comes later goes into the next one."""

    body: SettlementBody


class EventAllotment(msgspec.Struct, frozen=True, kw_only=True):
    """What some of the money is for; below 0: given back, or asked for again."""

    account: str
    party: Annotated[str | None, Meta(description="subject id, or partner's id")]
    document: Annotated[str | None, Meta(description="an invoice, a settlement or a payout")]
    amount: Amount


class MoneyBody(msgspec.Struct, frozen=True, kw_only=True):
    """Money that came, went, or was moved between accounts."""

    number: Annotated[int, Meta(description="of the movement, rising")]
    movement: Annotated[str, Meta(description="received, refunded, ...; more may come to be")]
    provider: Annotated[str | None, Meta(description="null: a bank account of ours")]
    reference: Annotated[str | None, Meta(description="the provider's own id; null of a bank's")]
    legal_entity: str
    currency: Annotated[str, Meta(description="ISO 4217")]
    amount: Annotated[Numeral, Meta(description="what the source's account rose by")]
    allotments: Annotated[
        tuple[EventAllotment, ...] | None,
        Meta(description=f"add up to the amount; null where there are more than {ALLOTMENTS_MAX}"),
    ]


class MoneyMovedEvent(DecisionEvent, frozen=True, kw_only=True, tag="money.moved"):
    """A movement of money was booked."""

    body: MoneyBody


class TariffBody(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a tariff, counted from 1."""

    tariff_id: str
    version: int


class TariffStartBody(TariffBody, frozen=True, kw_only=True):
    """A version and from when on it holds."""

    holds_from: Annotated[Instant | None, Meta(description="null: from its approval on")]


class TariffEndBody(TariffBody, frozen=True, kw_only=True):
    """A version and from when on it prices nothing."""

    holds_until: Annotated[Instant | None, Meta(description="null: until its approval")]


class ReplacedBody(TariffBody, frozen=True, kw_only=True):
    """A version and which one was proposed in its place."""

    replaced_by: int


class TariffProposedEvent(DecisionEvent, frozen=True, kw_only=True, tag="tariff.proposed"):
    """A version waits for a second pair of eyes."""

    body: TariffStartBody


class TariffAdoptedEvent(DecisionEvent, frozen=True, kw_only=True, tag="tariff.adopted"):
    """A version that was published without approval is on record, to be retired with it."""

    body: TariffStartBody


class TariffApprovedEvent(DecisionEvent, frozen=True, kw_only=True, tag="tariff.approved"):
    """A proposed version was approved."""

    body: TariffStartBody


class TariffRejectedEvent(DecisionEvent, frozen=True, kw_only=True, tag="tariff.rejected"):
    """A proposed version was turned down."""

    body: TariffBody


class TariffReplacedEvent(DecisionEvent, frozen=True, kw_only=True, tag="tariff.replaced"):
    """A proposed version was given up for a newer proposal."""

    body: ReplacedBody


class RetirementProposedEvent(
    DecisionEvent, frozen=True, kw_only=True, tag="tariff.retirement_proposed"
):
    """The end of a version waits for a second pair of eyes."""

    body: TariffEndBody


class RetirementRejectedEvent(
    DecisionEvent, frozen=True, kw_only=True, tag="tariff.retirement_rejected"
):
    """The end of a version was turned down: it goes on."""

    body: TariffBody


class TariffRetiredEvent(DecisionEvent, frozen=True, kw_only=True, tag="tariff.retired"):
    """The end of a version was approved."""

    body: TariffEndBody
