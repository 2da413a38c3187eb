"""The shapes that go in and out. Made from the OpenAPI document by `make client`: change that."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType


class AccountStanding(Struct, frozen=True, kw_only=True):
    """`AccountStanding`, as the interface has it."""

    legal_entity: str
    currency: str
    open: str
    prepaid: str


class AccountStands(Struct, frozen=True, kw_only=True):
    """`AccountStands`, as the interface has it."""

    account: str
    currency: str
    debit: str
    credit: str
    balance: str


class Activity(StrEnum):
    """What the vehicle does. Only a vehicle that requests no power is PARKING.

    An EVSE that withholds energy (SuspendedEVSE) is still CHARGING. Source: OCPI 2.2.1-bugfixes
    (2026-05), mod_tariffs, PARKING_TIME.
    """

    CHARGING = "charging"
    PARKING = "parking"
    RESERVATION = "reservation"


class CallFault(Struct, frozen=True, kw_only=True):
    """`CallFault`, as the interface has it."""

    code: str
    description: str


class CallRequest(Struct, frozen=True, kw_only=True):
    """`CallRequest`, as the interface has it."""

    action: str
    payload: dict[str, Any] | UnsetType = UNSET
    wait_s: float | UnsetType = UNSET
    within_s: float | UnsetType = UNSET
    queue: bool | UnsetType = UNSET


class CommandOutcome(Struct, frozen=True, kw_only=True):
    """`CommandOutcome`, as the interface has it."""

    id: str
    station: str
    action: str
    state: CommandState
    payload: Any
    response: Any
    error: CallFault | None
    problem: str | None
    asked_by: str
    asked_at: datetime
    deadline: datetime
    sent_at: datetime | None
    ended_at: datetime | None


class CommandState(StrEnum):
    """How far a call is.

    `sent`: it is on its way, or was when its process died; `unknown`: the station had it, and
    nobody will learn what it made of it. Only a `queued` one may still be carried out.
    """

    QUEUED = "queued"
    SENT = "sent"
    ANSWERED = "answered"
    ERROR = "error"
    TIMED_OUT = "timed_out"
    UNKNOWN = "unknown"


class CreditGiven(Struct, frozen=True, kw_only=True):
    """`CreditGiven`, as the interface has it."""

    invoice: str
    is_recorded: bool
    total: DocumentTotal
    sessions: list[GivenBackPart]


class CreditWish(Struct, frozen=True, kw_only=True):
    """`CreditWish`, as the interface has it."""

    invoice: str
    reason: str
    lines: list[int] | UnsetType = UNSET
    sessions: list[str] | UnsetType = UNSET
    preview: bool | UnsetType = UNSET
    expected_due: str | UnsetType | None = UNSET


class CustomerDetail(Struct, frozen=True, kw_only=True):
    """`CustomerDetail`, as the interface has it."""

    key: str
    subject: str
    is_declared: bool
    kind: CustomerKind | None
    invoicing: Invoicing | None
    delivery: Delivery | None
    vat_id: str | None
    payment_days: int | None
    pays_in_advance: bool
    accounts: list[AccountStanding]


class CustomerKind(StrEnum):
    """What kind of contract a customer has."""

    PRIVATE = "private"
    BUSINESS = "business"
    FLEET = "fleet"
    AD_HOC = "ad_hoc"


class CustomerPage(Struct, frozen=True, kw_only=True):
    """`CustomerPage`, as the interface has it."""

    items: list[ListedCustomer]
    next: str | None


class CustomerStatement(Struct, frozen=True, kw_only=True):
    """`CustomerStatement`, as the interface has it."""

    customer: str
    legal_entity: str
    currency: str
    first_day: date
    day_after: date
    opening: str
    closing: str
    movements: list[StatementRow]


class DecisionWish(Struct, frozen=True, kw_only=True):
    """`DecisionWish`, as the interface has it."""

    session: str
    choice: Literal["release", "write_off", "correct", "attest", "take_back"]
    reason: str
    ended_at: datetime | UnsetType | None = UNSET
    register_wh: str | UnsetType | None = UNSET
    is_sure: bool | UnsetType = UNSET
    moves: str | UnsetType | None = UNSET
    preview: bool | UnsetType = UNSET


class DeclaredPage(Struct, frozen=True, kw_only=True):
    """`DeclaredPage`, as the interface has it."""

    items: list[DeclaredThing]
    next: str | None


class DeclaredThing(Struct, frozen=True, kw_only=True):
    """`DeclaredThing`, as the interface has it."""

    kind: str
    key: str
    version: int
    holds_from: datetime
    entity: dict[str, Any]


class DeclaredVersion(Struct, frozen=True, kw_only=True):
    """`DeclaredVersion`, as the interface has it."""

    sha256: str | None
    name: str | None
    currency: str | None
    holds_from: datetime
    holds_until: datetime | None
    declared_version: int


class Delivery(StrEnum):
    """How a customer gets its documents; where each way leads is a setting."""

    NONE = "none"
    EMAIL = "email"
    LINK = "link"
    FOLDER = "folder"
    WEBHOOK = "webhook"


class DeliveryDetail(Struct, frozen=True, kw_only=True):
    """`DeliveryDetail`, as the interface has it."""

    number: int
    event: str
    kind: str
    state: str
    attempts: int
    made_at: datetime
    ended_at: datetime | None
    next_at: datetime | None
    log: list[WebhookAttempt]


class DeliveryPage(Struct, frozen=True, kw_only=True):
    """`DeliveryPage`, as the interface has it."""

    items: list[WebhookDelivery]
    next: str | None


class Document(Struct, frozen=True, kw_only=True):
    """`Document`, as the interface has it."""

    number: str
    credits: str | None
    issued_on: date
    issued_at: datetime
    legal_entity: str
    customer: str | None
    sessions: int
    total: DocumentTotal
    open: str
    sha256: str
    seller: str
    buyer: str
    month: str | None
    due_on: date | None
    notes: list[str]
    lines: list[DocumentLine]


class DocumentAfterwards(Struct, frozen=True, kw_only=True):
    """`DocumentAfterwards`, as the interface has it."""

    number: str
    open: str
    open_afterwards: str


class DocumentLine(Struct, frozen=True, kw_only=True):
    """`DocumentLine`, as the interface has it."""

    net: str
    tax: str
    gross: str
    currency: str
    line: int
    session: str | None
    revision: int
    description: str
    reason: str
    starts_at: datetime
    ends_at: datetime
    quantity: str
    unit: str
    unit_price: str
    tax_included: bool
    tax_name: str
    tax_percent: str | None
    credits_line: int | None


class DocumentRows(Struct, frozen=True, kw_only=True):
    """`DocumentRows`, as the interface has it."""

    items: list[ListedDocumentOf]
    next: str | None


class DocumentTotal(Struct, frozen=True, kw_only=True):
    """`DocumentTotal`, as the interface has it."""

    net: str
    tax: str
    gross: str
    currency: str
    due: str


class EnergyInMonth(Struct, frozen=True, kw_only=True):
    """`EnergyInMonth`, as the interface has it."""

    day: date
    metered_wh: str
    billed_wh: str
    free_wh: str
    held_wh: str
    unattributed_wh: str
    dropped_wh: str
    difference_wh: str


class EnergyReport(Struct, frozen=True, kw_only=True):
    """`EnergyReport`, as the interface has it."""

    is_balanced: bool
    days: int
    days_off: int
    items: list[EnergyRow]


class EnergyRow(Struct, frozen=True, kw_only=True):
    """`EnergyRow`, as the interface has it."""

    station: str
    day: date
    metered_wh: str
    billed_wh: str
    free_wh: str
    held_wh: str
    unattributed_wh: str
    dropped_wh: str
    difference_wh: str


class GivenBackPart(Struct, frozen=True, kw_only=True):
    """`GivenBackPart`, as the interface has it."""

    session: str
    revision: int
    lines: list[int]
    is_done: bool


class HeardFact(Struct, frozen=True, kw_only=True):
    """`HeardFact`, as the interface has it."""

    spot: str
    kind: str
    received_at: datetime
    occurred_at: datetime | None
    register_wh: str | None
    oddities: list[str]


class Invoicing(StrEnum):
    """How a customer's sessions become invoices."""

    PER_SESSION = "per_session"
    PER_MONTH = "per_month"
    ON_THRESHOLD = "on_threshold"


class JournalPosting(Struct, frozen=True, kw_only=True):
    """`JournalPosting`, as the interface has it."""

    account: str
    party: str
    amount: str
    currency: str


class JournalRow(Struct, frozen=True, kw_only=True):
    """`JournalRow`, as the interface has it."""

    entry: str
    booked_on: date
    booked_at: datetime
    legal_entity: str
    period: str
    original_period: str
    session: str | None
    revision: int | None
    postings: list[JournalPosting]


class JournalRows(Struct, frozen=True, kw_only=True):
    """`JournalRows`, as the interface has it."""

    items: list[JournalRow]
    next: str | None


class LineMatchWish(Struct, frozen=True, kw_only=True):
    """`LineMatchWish`, as the interface has it."""

    documents: dict[str, str | None] | UnsetType = UNSET
    balance: str | UnsetType | None = UNSET
    account: str | UnsetType | None = UNSET
    is_returned: bool | UnsetType = UNSET
    is_undone: bool | UnsetType = UNSET
    preview: bool | UnsetType = UNSET
    digest: str | UnsetType | None = UNSET


class ListedCustomer(Struct, frozen=True, kw_only=True):
    """`ListedCustomer`, as the interface has it."""

    key: str
    subject: str
    is_declared: bool
    kind: CustomerKind | None
    invoicing: Invoicing | None
    delivery: Delivery | None
    vat_id: str | None
    payment_days: int | None
    pays_in_advance: bool


class ListedDocument(Struct, frozen=True, kw_only=True):
    """`ListedDocument`, as the interface has it."""

    number: str
    issued_on: date
    kind: str | None
    language: str | None
    rendered_at: datetime | None
    sha256: str | None
    state: str
    renderings: int
    way: str | None
    delivery: str | None
    attempts: int
    next_at: datetime | None
    why: str | None


class ListedDocumentOf(Struct, frozen=True, kw_only=True):
    """`ListedDocumentOf`, as the interface has it."""

    number: str
    credits: str | None
    issued_on: date
    issued_at: datetime
    legal_entity: str
    customer: str | None
    sessions: int
    total: DocumentTotal
    open: str
    sha256: str


class ListedSession(Struct, frozen=True, kw_only=True):
    """`ListedSession`, as the interface has it."""

    ref: str
    revision: int
    station: str
    evse: int | None
    connector: int | None
    token: str | None
    state: SessionState
    flags: list[str]
    reasons: list[str]
    started_at: datetime | None
    ended_at: datetime | None
    stop_reason: str | None
    energy_wh: str | None
    cost: SessionAmounts | None


class ListedTariff(Struct, frozen=True, kw_only=True):
    """`ListedTariff`, as the interface has it."""

    id: str
    name: str | None
    currency: str | None
    sha256: str | None


class LiveSession(Struct, frozen=True, kw_only=True):
    """`LiveSession`, as the interface has it."""

    ref: str
    state: SessionState
    is_over: bool
    started_at: datetime | None
    ended_at: datetime | None
    energy_wh: str | None
    cost: SessionAmounts | None
    reasons: list[str]


class MadeWebhook(Struct, frozen=True, kw_only=True):
    """`MadeWebhook`, as the interface has it."""

    id: str
    url: str
    kinds: list[str]
    made_by: str
    made_at: datetime
    ended_by: str | None
    ended_at: datetime | None
    secret: str


class MatchDone(Struct, frozen=True, kw_only=True):
    """`MatchDone`, as the interface has it."""

    is_booked: bool
    takes_two: bool
    proposed_by: str | None
    currency: str
    parts: list[MatchedPart]
    documents: list[DocumentAfterwards]
    unmatched: str
    digest: str


class MatchedPart(Struct, frozen=True, kw_only=True):
    """`MatchedPart`, as the interface has it."""

    account: str
    document: str | None
    amount: str


class MoneyKind(StrEnum):
    """What happened; see the table above."""

    RECEIVED = "received"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"
    DISPUTED = "disputed"
    DISPUTE_WON = "dispute_won"
    DISPUTE_LOST = "dispute_lost"
    PAID_OUT = "paid_out"
    PAYOUT_FAILED = "payout_failed"
    BANKED = "banked"
    MATCHED = "matched"


class MonthReport(Struct, frozen=True, kw_only=True):
    """`MonthReport`, as the interface has it."""

    legal_entity: str
    month: str
    state: str
    closed_by: str | None
    closed_at: datetime | None
    revenue: list[SumInMonth]
    taxes: list[SumInMonth]
    unbilled: list[UnbilledInMonth]
    held_sessions: int
    held_wh: str
    uncharged: list[UnchargedInMonth]
    entries_of_earlier: int
    energy: list[EnergyInMonth]


class MovementKind(StrEnum):
    """What moves a balance."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    PAYMENT = "payment"
    REFUND = "refund"
    REFUND_FAILED = "refund_failed"
    TAKEN_BACK = "taken_back"


class NamedPolicy(Struct, frozen=True, kw_only=True):
    """`NamedPolicy`, as the interface has it."""

    name: str
    version: str


class NamedProfile(Struct, frozen=True, kw_only=True):
    """`NamedProfile`, as the interface has it."""

    name: str
    profile: Any


class NewPassword(Struct, frozen=True, kw_only=True):
    """`NewPassword`, as the interface has it."""

    password: str
    wait_s: float | UnsetType = UNSET


class Note(Struct, frozen=True, kw_only=True):
    """`Note`, as the interface has it."""

    code: str
    message: str
    place: str | UnsetType | None = UNSET


class OpenPage(Struct, frozen=True, kw_only=True):
    """`OpenPage`, as the interface has it."""

    items: list[OpenRow]
    totals: list[OpenTotal]
    next: str | None


class OpenRow(Struct, frozen=True, kw_only=True):
    """`OpenRow`, as the interface has it."""

    number: str
    legal_entity: str
    account: str
    customer: str | None
    party: str
    issued_on: date
    due_on: date | None
    open: str
    currency: str


class OpenTotal(Struct, frozen=True, kw_only=True):
    """`OpenTotal`, as the interface has it."""

    account: str
    currency: str
    open: str
    documents: int


class PaymentMatchWish(Struct, frozen=True, kw_only=True):
    """`PaymentMatchWish`, as the interface has it."""

    document: str | UnsetType | None = UNSET
    account: str | UnsetType | None = UNSET
    amount: str | UnsetType | None = UNSET
    preview: bool | UnsetType = UNSET
    digest: str | UnsetType | None = UNSET


class PaymentPage(Struct, frozen=True, kw_only=True):
    """`PaymentPage`, as the interface has it."""

    items: list[PaymentRow]
    next: str | None


class PaymentPart(Struct, frozen=True, kw_only=True):
    """`PaymentPart`, as the interface has it."""

    account: str
    customer: str | None
    document: str | None
    amount: str


class PaymentRow(Struct, frozen=True, kw_only=True):
    """`PaymentRow`, as the interface has it."""

    number: int
    kind: MoneyKind
    source: str
    reference: str
    legal_entity: str
    currency: str
    amount: str
    happened_at: datetime
    recorded_by: str
    period: str
    parts: list[PaymentPart]
    parts_left_out: int


class PerMessage(Struct, frozen=True, kw_only=True):
    """`PerMessage`, as the interface has it."""

    get_variables: int | None
    set_variables: int | None


class PriceLine(Struct, frozen=True, kw_only=True):
    """`PriceLine`, as the interface has it."""

    net: str
    tax: str
    gross: str
    currency: str
    line: int
    dimension: str
    element: int | None
    element_name: str | None
    starts_at: datetime
    ends_at: datetime
    volume: str
    billed_volume: str
    unit_price: str
    tax_percent: str | None
    reason: str


class Problem(Struct, frozen=True, kw_only=True):
    """`Problem`, as the interface has it."""

    type: str | UnsetType = UNSET
    title: str
    status: int
    code: str
    detail: str
    spot: str | UnsetType = UNSET


class ProfileRequest(Struct, frozen=True, kw_only=True):
    """`ProfileRequest`, as the interface has it."""

    profile: dict[str, Any]


class Quote(Struct, frozen=True, kw_only=True):
    """`Quote`, as the interface has it."""

    tariff: str
    tariff_sha256: str
    currency: str
    total: QuotedTotal
    total_unrounded: QuotedTotal
    lines: list[QuotedLine]
    policy: NamedPolicy
    notes: list[Note]
    explanation: str


class QuoteWish(Struct, frozen=True, kw_only=True):
    """`QuoteWish`, as the interface has it."""

    tariff: str | UnsetType | None = UNSET
    station: str | UnsetType | None = UNSET
    token: str | UnsetType | None = UNSET
    starts_at: datetime
    ends_at: datetime
    time_zone: str | UnsetType = UNSET
    energy_wh: str | UnsetType | None = UNSET
    readings: list[QuotedReading] | UnsetType = UNSET
    activities: list[QuotedActivity] | UnsetType = UNSET
    validations: list[str] | UnsetType = UNSET


class QuotedActivity(Struct, frozen=True, kw_only=True):
    """`QuotedActivity`, as the interface has it."""

    at: datetime
    activity: Activity


class QuotedLine(Struct, frozen=True, kw_only=True):
    """`QuotedLine`, as the interface has it."""

    dimension: str
    tariff: str
    element: int | None
    volume: str
    billed_volume: str
    unit_price: str
    amount: str
    tax: QuotedTax
    period: QuotedPeriod
    reason: str


class QuotedPeriod(Struct, frozen=True, kw_only=True):
    """`QuotedPeriod`, as the interface has it."""

    starts_at: datetime
    ends_at: datetime


class QuotedReading(Struct, frozen=True, kw_only=True):
    """`QuotedReading`, as the interface has it."""

    at: datetime
    energy_wh: str


class QuotedTax(Struct, frozen=True, kw_only=True):
    """`QuotedTax`, as the interface has it."""

    percent: str | None
    amount: str


class QuotedTotal(Struct, frozen=True, kw_only=True):
    """`QuotedTotal`, as the interface has it."""

    before_taxes: str | None
    after_taxes: str | None


class RegisteredConnector(Struct, frozen=True, kw_only=True):
    """`RegisteredConnector`, as the interface has it."""

    evse: int
    connector: int
    max_power_w: str | None
    is_declared: bool | UnsetType = UNSET
    status: str | UnsetType | None = UNSET
    error: str | UnsetType | None = UNSET
    problem: str | UnsetType | None = UNSET
    since: datetime | UnsetType | None = UNSET


class RegisteredStation(Struct, frozen=True, kw_only=True):
    """`RegisteredStation`, as the interface has it."""

    id: str
    site: str
    vendor: str | None
    model: str | None
    serial: str | None
    firmware: str | None
    booted_at: datetime | None
    last_frame_at: datetime | None
    status: str | None
    error: str | None
    connectors: list[RegisteredConnector]
    max_power_w: str | None
    connection: StationLink | None
    running: list[str]


class Registration(StrEnum):
    """How a station is registered, in the words of every OCPP version."""

    ACCEPTED = "Accepted"
    PENDING = "Pending"
    REJECTED = "Rejected"


class ReplayWish(Struct, frozen=True, kw_only=True):
    """`ReplayWish`, as the interface has it."""

    event: str | UnsetType | None = UNSET
    partition: int | UnsetType | None = UNSET
    number: int | UnsetType = UNSET


class Reservation(Struct, frozen=True, kw_only=True):
    """`Reservation`, as the interface has it."""

    id: int
    station: str
    status: ReservationState
    evse: int | None
    expires_at: datetime | None


class ReservationPage(Struct, frozen=True, kw_only=True):
    """`ReservationPage`, as the interface has it."""

    items: list[Reservation]
    next: str | None


class ReservationState(StrEnum):
    """What became of a reservation."""

    ACCEPTED = "ACCEPTED"
    CANCELLED = "CANCELLED"
    USED = "USED"
    EXPIRED = "EXPIRED"


class RunningSession(Struct, frozen=True, kw_only=True):
    """`RunningSession`, as the interface has it."""

    ref: str
    transaction_id: str | None
    evse: int | None
    connector: int | None
    token: str | None
    started_at: datetime | None
    energy_wh: str | None
    net: str | UnsetType | None = UNSET
    gross: str | UnsetType | None = UNSET
    currency: str | UnsetType | None = UNSET
    reasons: list[str] | UnsetType = UNSET


class SeenVisit(Struct, frozen=True, kw_only=True):
    """`SeenVisit`, as the interface has it."""

    visit: VisitView
    client_secret: str | None
    receipts: list[str]


class Session(Struct, frozen=True, kw_only=True):
    """`Session`, as the interface has it."""

    ref: str
    revision: int
    station: str
    evse: int | None
    connector: int | None
    token: str | None
    state: SessionState
    flags: list[str]
    reasons: list[str]
    started_at: datetime | None
    ended_at: datetime | None
    stop_reason: str | None
    energy_wh: str | None
    cost: SessionAmounts | None
    flags_in_words: dict[str, str]
    rating: SessionRating | None
    documents: list[str]
    facts: list[HeardFact]


class SessionAmounts(Struct, frozen=True, kw_only=True):
    """`SessionAmounts`, as the interface has it."""

    net: str
    tax: str
    gross: str
    currency: str
    is_final: bool


class SessionDecision(Struct, frozen=True, kw_only=True):
    """`SessionDecision`, as the interface has it."""

    session: str
    state: SessionState
    revision: int
    is_recorded: bool
    waits_for_second: bool
    moved: str
    currency: str
    moves: str
    doubts: list[str]
    reasons: list[str]


class SessionPage(Struct, frozen=True, kw_only=True):
    """`SessionPage`, as the interface has it."""

    items: list[ListedSession]
    next: str | None


class SessionRating(Struct, frozen=True, kw_only=True):
    """`SessionRating`, as the interface has it."""

    decided_at: datetime
    tariff: str
    tariff_sha256: str
    assignment: str
    legal_entity: str
    site: str
    billed_wh: str
    free_wh: str
    tax_included: bool
    total: TaxedAmount
    lines: list[PriceLine]


class SessionState(StrEnum):
    """How far a session is."""

    OPEN = "open"
    WAITING = "waiting"
    HELD = "held"
    RATED = "rated"
    RELEASED = "released"
    WRITTEN_OFF = "written_off"
    REPLACED = "replaced"


class ShownPerMessage(Struct, frozen=True, kw_only=True):
    """`ShownPerMessage`, as the interface has it."""

    get_variables: int | None
    set_variables: int | None


class ShownSettings(Struct, frozen=True, kw_only=True):
    """`ShownSettings`, as the interface has it."""

    boot: str
    boot_interval_s: int | None
    registered: str
    items_per_message: ShownPerMessage
    bytes_per_message: ShownPerMessage


class StartedVisit(Struct, frozen=True, kw_only=True):
    """`StartedVisit`, as the interface has it."""

    visit: int
    secret: str
    state: str
    reason: str
    amount: str
    currency: str
    publishable_key: str
    client_secret: str | None
    price: str


class StatementRow(Struct, frozen=True, kw_only=True):
    """`StatementRow`, as the interface has it."""

    day: date
    kind: MovementKind
    reference: str
    amount: str
    balance: str


class StationChange(Struct, frozen=True, kw_only=True):
    """`StationChange`, as the interface has it."""

    password: str | UnsetType = UNSET
    boot: Registration | UnsetType = UNSET
    boot_interval_s: float | UnsetType | None = UNSET
    items_per_message: float | UnsetType | None = UNSET
    bytes_per_message: float | UnsetType | None = UNSET


class StationDetail(Struct, frozen=True, kw_only=True):
    """`StationDetail`, as the interface has it."""

    id: str
    site: str
    vendor: str | None
    model: str | None
    serial: str | None
    firmware: str | None
    booted_at: datetime | None
    last_frame_at: datetime | None
    status: str | None
    error: str | None
    connectors: list[RegisteredConnector]
    max_power_w: str | None
    connection: StationLink | None
    running: list[str]
    settings: ShownSettings
    certificate_request: WantedCertificate | None
    problems: list[StationProblem]
    sessions: list[RunningSession]
    security_events: list[ToldSecurityEvent]


class StationFile(Struct, frozen=True, kw_only=True):
    """`StationFile`, as the interface has it."""

    id: int
    name: str
    size: int
    sha256: str
    received_at: datetime
    request_id: int
    call_id: str | None
    status: str | None


class StationLink(Struct, frozen=True, kw_only=True):
    """`StationLink`, as the interface has it."""

    protocol: str
    since: datetime


class StationPage(Struct, frozen=True, kw_only=True):
    """`StationPage`, as the interface has it."""

    items: list[RegisteredStation]
    next: str | None


class StationProblem(Struct, frozen=True, kw_only=True):
    """`StationProblem`, as the interface has it."""

    component: str
    evse: int
    connector: int
    code: str | None
    since: datetime


class StationSettings(Struct, frozen=True, kw_only=True):
    """`StationSettings`, as the interface has it."""

    id: str
    boot: Registration
    boot_interval_s: int | None
    registered: Registration
    items_per_message: PerMessage
    bytes_per_message: PerMessage


class SumInMonth(Struct, frozen=True, kw_only=True):
    """`SumInMonth`, as the interface has it."""

    account: str
    currency: str
    amount: str


class TariffAsOcpi(Struct, frozen=True, kw_only=True):
    """`TariffAsOcpi`, as the interface has it."""

    version: str
    sha256: str
    tariff: dict[str, Any]
    notes: list[Note]


class TariffAssigned(Struct, frozen=True, kw_only=True):
    """`TariffAssigned`, as the interface has it."""

    token: str | None
    token_group: str | None
    partner: str | None
    station: str | None
    site: str | None
    holds_from: datetime


class TariffDetail(Struct, frozen=True, kw_only=True):
    """`TariffDetail`, as the interface has it."""

    id: str
    name: str | None
    currency: str | None
    sha256: str | None
    versions: list[DeclaredVersion]
    assigned_to: list[TariffAssigned]


class TariffPage(Struct, frozen=True, kw_only=True):
    """`TariffPage`, as the interface has it."""

    items: list[ListedTariff]
    next: str | None


class TaxedAmount(Struct, frozen=True, kw_only=True):
    """`TaxedAmount`, as the interface has it."""

    net: str
    tax: str
    gross: str
    currency: str


class TokenAsLet(Struct, frozen=True, kw_only=True):
    """`TokenAsLet`, as the interface has it."""

    uid: str
    status: TokenStanding
    group: str | None


class TokenChange(Struct, frozen=True, kw_only=True):
    """`TokenChange`, as the interface has it."""

    status: TokenStanding
    group: str | UnsetType | None = UNSET


class TokenStanding(StrEnum):
    """Whether a token may charge; an expired one may not any more."""

    ACCEPTED = "accepted"
    BLOCKED = "blocked"
    EXPIRED = "expired"


class ToldSecurityEvent(Struct, frozen=True, kw_only=True):
    """`ToldSecurityEvent`, as the interface has it."""

    type: str
    spot: str
    told_at: datetime | None
    received_at: datetime


class Transaction(Struct, frozen=True, kw_only=True):
    """`Transaction`, as the interface has it."""

    ref: str
    station: str
    transaction_id: str | None
    token: str | None
    evse: int | None
    connector: int | None
    state: str
    flags: list[str]
    started_at: datetime | None
    stopped_at: str
    stop_reason: str | None
    energy_wh: str | None
    cost: TransactionCost | None


class TransactionCost(Struct, frozen=True, kw_only=True):
    """`TransactionCost`, as the interface has it."""

    net: str
    tax: str
    gross: str
    currency: str
    is_final: bool


class TransactionPage(Struct, frozen=True, kw_only=True):
    """`TransactionPage`, as the interface has it."""

    items: list[Transaction]
    next: str | None


class TrialBalanceReport(Struct, frozen=True, kw_only=True):
    """`TrialBalanceReport`, as the interface has it."""

    legal_entity: str | None
    is_balanced: bool
    differences: dict[str, str]
    accounts: list[AccountStands]


class UnbilledInMonth(Struct, frozen=True, kw_only=True):
    """`UnbilledInMonth`, as the interface has it."""

    currency: str
    sessions: int
    gross: str


class UnchargedInMonth(Struct, frozen=True, kw_only=True):
    """`UnchargedInMonth`, as the interface has it."""

    currency: str
    cdrs: int
    energy_wh: str
    net: str


class UnmatchedRow(Struct, frozen=True, kw_only=True):
    """`UnmatchedRow`, as the interface has it."""

    line: str | None
    payment: int | None
    moved_at: datetime
    source: str
    legal_entity: str
    currency: str
    amount: str
    unmatched: str
    why: str


class UnmatchedRowPage(Struct, frozen=True, kw_only=True):
    """`UnmatchedRowPage`, as the interface has it."""

    items: list[UnmatchedRow]
    next: str | None


class VisitView(Struct, frozen=True, kw_only=True):
    """`VisitView`, as the interface has it."""

    visit: int
    state: str
    reason: str
    station: str
    evse: int
    currency: str
    amount: str
    held: str
    taken: str
    energy_wh: str | None
    cost: str | None
    is_final: bool
    sessions: list[str]
    receipts: list[str]


class VisitWish(Struct, frozen=True, kw_only=True):
    """`VisitWish`, as the interface has it."""

    station: str
    evse: int


class WantedCertificate(Struct, frozen=True, kw_only=True):
    """`WantedCertificate`, as the interface has it."""

    csr: str
    received_at: datetime


class WebhookAttempt(Struct, frozen=True, kw_only=True):
    """`WebhookAttempt`, as the interface has it."""

    attempt: int
    at: datetime
    status: int | None
    why: str


class WebhookDelivery(Struct, frozen=True, kw_only=True):
    """`WebhookDelivery`, as the interface has it."""

    number: int
    event: str
    kind: str
    state: str
    attempts: int
    made_at: datetime
    ended_at: datetime | None
    next_at: datetime | None


class WebhookList(Struct, frozen=True, kw_only=True):
    """`WebhookList`, as the interface has it."""

    items: list[WebhookSubscription]
    next: str | None


class WebhookSubscription(Struct, frozen=True, kw_only=True):
    """`WebhookSubscription`, as the interface has it."""

    id: str
    url: str
    kinds: list[str]
    made_by: str
    made_at: datetime
    ended_by: str | None
    ended_at: datetime | None


class WebhookWish(Struct, frozen=True, kw_only=True):
    """`WebhookWish`, as the interface has it."""

    url: str
    kinds: list[str] | UnsetType = UNSET
    since: Literal["now", "start"] | UnsetType = UNSET
