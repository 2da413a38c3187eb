"""Decisions about sessions: what we concluded, from what, in canonical bytes.

A decision names the log record at which it was taken and every input that is not in the log, so
that a replay takes it again and compares it byte for byte. Why it is so, it says in codes with
parameters (`tariffs.phrases`); the words are made when somebody reads them.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple, assert_never

import msgspec

from ledger.master_data.customers import Invoicing
from ledger.partners.elsewhere import ChargedElsewhere
from ledger.partners.share import PartnerShare
from tariffs.adjustments.consumption import Consumption
from tariffs.model.canonical import canonical_json
from tariffs.model.tariff import Dimension
from tariffs.offsets import UtcOffsets, zone_with
from tariffs.phrases.phrase import Phrase
from tariffs.phrases.wording import Context
from tariffs.taxes.sales_taxes import SalesTax

TAX: Final = "tax"
FIRST_REVISION: Final = 1
"""Of a session's first final decision and the held ones before it; a correction has the next."""


class SessionRevision(NamedTuple):
    """A session as it was decided for good once: what lines, postings and invoices refer to."""

    session_id: str
    revision: int


def named(session: SessionRevision) -> str:
    """Return the name of a revision in causes: the first one's is the session's id alone."""
    session_id, revision = session
    return session_id if revision == FIRST_REVISION else f"{session_id}/{revision}"


class DecisionKind(StrEnum):
    """What a decision does to its session; all but HELD are final."""

    RATED = "rated"
    RELEASED = "released"
    CORRECTED = "corrected"
    HELD = "held"
    WRITTEN_OFF = "written_off"


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """The log record at which something is decided; `at` is that record's time of receipt."""

    partition: int
    position: int
    at: datetime


class PayerKind(StrEnum):
    """Who owes a session."""

    CUSTOMER = "customer"
    BEARER = "bearer"
    PARTNER = "partner"


class Payer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who owes a session, and how it becomes an invoice.

    `party` is the customer's key, the partner's id or the bearer's token. `invoicing` None: not
    invoiced here but settled with the partner. `customer` is the buyer's key, where there is one.
    `contract`: the partner's contract, as it was told for the token, sealed with that one's key;
    `reference`: its own name for the permission, where it was asked.
    `cost_centre` and `driver` (a subject id) are the customer's, as declared of the token.
    """

    kind: PayerKind
    party: str
    customer: str | None
    invoicing: Invoicing | None
    contract: str | None = None
    cost_centre: str | None = None
    driver: str | None = None
    reference: str | None = None


class RatedLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One priced line. Volumes in kWh, hours or counts; prices per kWh, hour or once.

    `component` names what the line is about; no other line of the session has it in the same
    period. `element` counts from 0. `net` and `tax` are exact; the minor amounts of all lines add
    up to the session's totals. `tax_percent` None: no VAT applies. `reasons` say why it stands
    here, without what the line says itself (`context`).
    """

    line: int
    component: str
    dimension: Dimension
    element: int | None = None
    element_name: str | None = None
    reasons: tuple[Phrase, ...]
    starts_at: datetime
    ends_at: datetime
    volume: Decimal
    billed_volume: Decimal
    unit_price: Decimal
    net: Decimal
    tax: Decimal
    tax_percent: Decimal | None = None
    net_minor: int
    tax_minor: int

    @property
    def is_tax(self) -> bool:
        """Whether the line is a tax of its own (per kWh), not a price with its VAT."""
        return bool(self.reasons) and self.reasons[0].code == TAX

    def context(self, currency: str) -> Context:
        """Return what the line says itself, for the words of its reasons."""
        return {
            "element": self.element,
            "name": self.element_name,
            "dimension": self.dimension.value,
            "currency": currency,
        }


class Decided(msgspec.Struct, frozen=True, kw_only=True, tag_field="decision"):
    """What every decision carries. `declared_version`: the master data that was looked at.

    `revision` counts the final decisions about the session up to this one, or to the next one.
    """

    session_id: str
    revision: int
    station_id: str
    moment: Moment
    declared_version: int
    flags: tuple[str, ...]

    @property
    def decides(self) -> SessionRevision:
        """Return what it decides about."""
        return SessionRevision(self.session_id, self.revision)


class AllowanceUse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a session found used of a grant that it shares with others, and what it used itself.

    `key` names tariff, grant and whose it is, `period` the day, night or month. `number` is this
    use's rank among all of that key and period, from 1: which session came before which is the
    one input of a rating that neither the log nor the declarations hold.

    A correction is priced with what its session `found` at first, and uses the difference to what
    it had used by then: `in_all` is what it uses now. None: `used_before`, and `used`.
    """

    key: str
    period: str
    number: int
    used_before: Consumption
    used: Consumption
    found: Consumption | None = None
    in_all: Consumption | None = None

    @property
    def priced_with(self) -> Consumption:
        """Return what others had used, as the session was priced."""
        return self.used_before if self.found is None else self.found

    @property
    def of_session(self) -> Consumption:
        """Return what the session uses, by all decisions up to this one."""
        return self.used if self.in_all is None else self.in_all


class ZoneOffsets(msgspec.Struct, frozen=True, array_like=True):
    """What the clocks of the time zone `zone` showed over the session, by the decision's tzdata."""

    zone: str
    offsets: UtcOffsets


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """Who let a held session be rated as it is, and why."""

    by: str
    reason: str


class CorrectionCause(StrEnum):
    """Why a session is decided again after a final decision."""

    LATE_FACT = "late_fact"
    PERSON = "person"
    CREDIT = "credit"
    DISPUTE = "dispute"
    RELEASE_TAKEN_BACK = "release_taken_back"
    WRITE_OFF_TAKEN_BACK = "write_off_taken_back"
    DISSOLVED = "session_dissolved"
    PARTNER = "partner_bills_otherwise"


class SessionCorrected(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a further decision about a session corrects, and why.

    `revision` is that of the decision that held until now, `net_minor`, `tax_minor` and `energy_wh`
    are what it said. `frames` are the lines (record, line) of its partition that brought it about.
    `by` and `reason`: who had it priced again, and why.
    """

    revision: int
    cause: CorrectionCause
    net_minor: int
    tax_minor: int
    energy_wh: Decimal
    frames: tuple[tuple[int, int], ...] = ()
    by: str | None = None
    reason: str | None = None


class GivenBack(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line that a person gave back: free from that revision on, whatever late facts make of it.

    `component`, `starts_at` and `ends_at` are those of the line as it stood then. `component` None:
    all lines of the session, also those that it has not yet.
    """

    component: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


class SessionRated(Decided, frozen=True, kw_only=True, tag="rated", omit_defaults=True):
    """A session was priced; from here on only a correcting decision changes what is owed.

    `billing_month` ("2026-11") is the month of the end in the legal entity's calendar. Defaults are
    not written: a field that is added later, with a default, changes no byte of older decisions.
    `reverse_charge_vat_id`: under this VAT id the buyer owes the VAT in the seller's place.
    `tax_included`: its prices have their taxes inside; `sales_taxes`: what a rate consists of.
    `offsets` are those of the site's zone and the legal entity's, and of the station's where its
    times needed that, each once: with them a replay under another tzdata comes to the same.
    `by_policy` names the policies that decided what time is billed, where the station's word alone
    would have been billed otherwise. `exported_wh`: what the vehicle gave back, billed to nobody.
    `corrects`: of a correction. `given_back` are its lines that a person said are free.
    `not_billed`: nothing of it is owed until it is decided again, for that cause. `partner_share`:
    what the CDR says of it, where it is settled with a partner. `elsewhere`: it took place at a
    partner's station, for which `station_id` stands; then `site_id` is "".
    """

    site_id: str
    legal_entity: str
    country: str
    time_zone: str
    evse_id: int | None
    connector_id: int | None
    token_uid: str | None
    payer: Payer
    started_at: datetime
    ended_at: datetime
    billing_month: str
    meter_start_wh: Decimal | None
    meter_stop_wh: Decimal | None
    energy_wh: Decimal
    billed_wh: Decimal
    free_wh: Decimal
    tariff_id: str
    tariff_hash: str
    assignment: str
    kernel_version: str
    policy: str
    policy_version: str
    tzdata_version: str
    offsets: tuple[ZoneOffsets, ...]
    currency: str
    lines: tuple[RatedLine, ...]
    net_minor: int
    tax_minor: int
    notes: tuple[Phrase, ...] = ()
    release: Release | None = None
    validations: tuple[str, ...] = ()
    allowances: tuple[AllowanceUse, ...] = ()
    payment_method: str | None = None
    reverse_charge_vat_id: str | None = None
    tax_included: bool = False
    sales_taxes: tuple[SalesTax, ...] = ()
    by_policy: tuple[Phrase, ...] = ()
    exported_wh: Decimal | None = None
    corrects: SessionCorrected | None = None
    given_back: tuple[GivenBack, ...] = ()
    not_billed: CorrectionCause | None = None
    partner_share: PartnerShare | None = None
    elsewhere: ChargedElsewhere | None = None

    @property
    def is_given_back(self) -> bool:
        """Whether nothing of it is owed because a person, or late facts, took all of it back."""
        return bool(self.given_back or self.not_billed) and not any(
            line.net_minor or line.tax_minor for line in self.lines
        )

    @property
    def local_zone(self) -> tzinfo:
        """Return the site's time zone as it was known when the session was rated."""
        offsets = {each.zone: each.offsets for each in self.offsets}[self.time_zone]
        return zone_with(offsets, self.time_zone)

    @property
    def gross_minor(self) -> int:
        """Return what is owed, taxes included, in minor units."""
        return self.net_minor + self.tax_minor


class RatedTotal(msgspec.Struct, frozen=True, kw_only=True, tag_field="decision", tag="rated"):
    """What a `SessionRated` comes to, read without the rest of it: lists ask for nothing else."""

    ended_at: datetime
    currency: str
    net_minor: int
    tax_minor: int


class SessionHeld(Decided, frozen=True, kw_only=True, tag="held", omit_defaults=True):
    """A session is not rated until new facts or a person settle its reasons.

    `offsets` are those of the station's zone, from `tzdata_version`, where its times needed them;
    of a session that was priced first, to be held for its price, those of SessionRated.
    """

    started_at: datetime | None
    energy_wh: Decimal | None
    reasons: tuple[Phrase, ...]
    tzdata_version: str | None = None
    offsets: tuple[ZoneOffsets, ...] = ()


class SessionWrittenOff(Decided, frozen=True, kw_only=True, tag="written_off", omit_defaults=True):
    """A person decided that a held session is never billed; its energy is given away.

    `tzdata_version` and `offsets` as in SessionHeld.
    """

    energy_wh: Decimal | None
    by: str
    reason: str
    tzdata_version: str | None = None
    offsets: tuple[ZoneOffsets, ...] = ()


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing is decided yet. `until`: when the session will be held if nothing changes."""

    until: datetime
    reasons: tuple[Phrase, ...]


Decision = SessionRated | SessionHeld | SessionWrittenOff

_DECODER: msgspec.json.Decoder[Decision] = msgspec.json.Decoder(Decision)


def kind_of(decision: Decision) -> DecisionKind:
    """Return what *decision* does to its session."""
    match decision:
        case SessionRated(corrects=SessionCorrected()):
            return DecisionKind.CORRECTED
        case SessionRated(release=None):
            return DecisionKind.RATED
        case SessionRated():
            return DecisionKind.RELEASED
        case SessionHeld():
            return DecisionKind.HELD
        case SessionWrittenOff():
            return DecisionKind.WRITTEN_OFF
        case _:
            assert_never(decision)


def encode_decision(decision: Decision) -> bytes:
    """Return *decision* as canonical JSON: the same decision, the same bytes."""
    return canonical_json(decision)


def decode_decision(body: bytes | str) -> Decision:
    """Return the decision that `encode_decision` encoded."""
    return _DECODER.decode(body)


def hash_decision(body: bytes) -> str:
    """Return the sha256 (hex) under which a decision's bytes are stored."""
    return sha256(body).hexdigest()
