"""Facts: what a station said, in words that know no OCPP version.

A fact is never refused. Times are the station's own (`occurred_at`) beside ours (`received_at`);
a station time without zone stays naive here and is resolved by the fold, which knows the site.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from ledger.facts.station_clock import SessionClock
from ledger.facts.station_quote import StationQuote
from ledger.log.authorization import Authorization
from ledger.log.envelope import SignedRecord


class Measurand(StrEnum):
    """What a reading measured, in the base unit that its value is given in."""

    ENERGY_REGISTER_WH = "energy_register_wh"
    ENERGY_INTERVAL_WH = "energy_interval_wh"
    ENERGY_EXPORT_WH = "energy_export_wh"
    POWER_W = "power_w"
    POWER_EXPORT_W = "power_export_w"
    CURRENT_A = "current_a"
    CURRENT_OFFERED_A = "current_offered_a"


class ReadingContext(StrEnum):
    """Why a reading was taken."""

    BEGIN = "begin"
    END = "end"
    PERIODIC = "periodic"
    CLOCK = "clock"
    OTHER = "other"


class ChargingState(StrEnum):
    """What the EVSE does. Only SUSPENDED_EV and IDLE-like states count as parking."""

    PREPARING = "preparing"
    EV_CONNECTED = "ev_connected"
    CHARGING = "charging"
    SUSPENDED_EV = "suspended_ev"
    SUSPENDED_EVSE = "suspended_evse"
    FINISHING = "finishing"
    IDLE = "idle"
    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"
    FAULTED = "faulted"


# gc=False: no fact leads back to itself, and the collector would walk millions of them.
class Reading(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One sampled value in its base unit.

    `occurred_at` is naive when the station gave no zone and None when it could not be read.
    `phase` is None for the total.
    """

    occurred_at: datetime | None
    measurand: Measurand
    value: Decimal
    context: ReadingContext = ReadingContext.PERIODIC
    phase: str | None = None


class SignedReading(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A signed meter value: `text` exactly as it came, kept for the verifier.

    `record`: what was read of it before it reached the log; None: nothing was.
    """

    occurred_at: datetime | None
    context: ReadingContext
    text: str
    record: SignedRecord | None = None


class Fact(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """What every fact carries: where its raw frame stands and when we received it.

    `position` is the log record's position in the station's partition, `line` the frame's index
    in that record. `oddities` are flags (see ledger.facts.flags) that the translator raised.
    """

    station_id: str
    position: int
    line: int
    received_at: datetime
    oddities: tuple[str, ...] = ()


class SessionStarted(Fact, frozen=True, kw_only=True, array_like=True, gc=False, tag="started"):
    """A transaction began at an EVSE. `transaction_ref` is the id the station uses for it.

    `seq_no` is None exactly when the protocol numbers nothing; then the id was given by us, and a
    fact with an id that no start of this station carries is loose (ledger.sessions.loose_frames).
    Where a protocol knows no EVSEs, `evse_id` is the connector's number. `authorization` is what
    the token was found to be when the frame was logged, `quote` what the station says of
    its price.
    """

    transaction_ref: str
    evse_id: int | None
    connector_id: int | None
    token_uid: str | None
    occurred_at: datetime | None
    meter_start_wh: Decimal | None = None
    readings: tuple[Reading, ...] = ()
    charging_state: ChargingState | None = None
    seq_no: int | None = None
    offline: bool = False
    reservation_id: int | None = None
    signed: tuple[SignedReading, ...] = ()
    authorization: Authorization | None = None
    quote: StationQuote | None = None


class SessionUpdated(Fact, frozen=True, kw_only=True, array_like=True, gc=False, tag="updated"):
    """Readings or a state while (or after, or outside) a transaction.

    `transaction_ref` None: the station named no transaction.
    """

    transaction_ref: str | None
    evse_id: int | None
    connector_id: int | None
    occurred_at: datetime | None
    token_uid: str | None = None
    readings: tuple[Reading, ...] = ()
    charging_state: ChargingState | None = None
    seq_no: int | None = None
    offline: bool = False
    signed: tuple[SignedReading, ...] = ()
    authorization: Authorization | None = None
    quote: StationQuote | None = None
    reservation_id: int | None = None


class SessionEnded(Fact, frozen=True, kw_only=True, array_like=True, gc=False, tag="ended"):
    """A transaction ended. `token_uid` is who stopped it: evidence, never who pays."""

    transaction_ref: str | None
    evse_id: int | None
    connector_id: int | None
    token_uid: str | None
    occurred_at: datetime | None
    meter_stop_wh: Decimal | None = None
    readings: tuple[Reading, ...] = ()
    charging_state: ChargingState | None = None
    reason: str | None = None
    seq_no: int | None = None
    offline: bool = False
    signed: tuple[SignedReading, ...] = ()
    quote: StationQuote | None = None


class StopAttested(
    SessionEnded, frozen=True, kw_only=True, array_like=True, gc=False, tag="attested"
):
    """A person says when a transaction ended, and what its register showed then.

    No station's word: `occurred_at` is UTC, by no station's clock, `meter_stop_wh` in Wh whatever
    unit the station is wrong in; `by` said so, because of `why`. Its line is a person's choice.
    """

    by: str = ""
    why: str = ""


class ConnectorStatusChanged(
    Fact, frozen=True, kw_only=True, array_like=True, gc=False, tag="status"
):
    """A connector changed its state (OCPP 1.6 StatusNotification and its like).

    `status` is the protocol's own word, `problem` what the vendor says of an error.
    """

    evse_id: int | None
    connector_id: int | None
    occurred_at: datetime | None
    charging_state: ChargingState | None
    error_code: str | None = None
    status: str | None = None
    problem: str | None = None


class StationBooted(Fact, frozen=True, kw_only=True, array_like=True, gc=False, tag="booted"):
    """A station (re)started. It never closes a session: the same transaction may go on."""

    vendor: str | None = None
    model: str | None = None
    serial: str | None = None
    firmware: str | None = None
    reason: str | None = None


class SecurityEventTold(Fact, frozen=True, kw_only=True, array_like=True, gc=False, tag="security"):
    """A station noticed something that concerns its security; it changes nothing.

    What else it says of it stands in the frame alone, sealed: it may name a person.
    """

    event_type: str | None
    occurred_at: datetime | None


class ComponentProblem(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A component of a station has a problem, or has it no more; place 0 is the whole station."""

    component: str
    evse_id: int
    connector_id: int
    is_over: bool
    code: str | None
    occurred_at: datetime | None


class ProblemsTold(Fact, frozen=True, kw_only=True, array_like=True, gc=False, tag="problems"):
    """What does not work at a station, or works again; it changes no session."""

    problems: tuple[ComponentProblem, ...]


class TransferKind(StrEnum):
    """Which way a file goes."""

    FIRMWARE = "firmware"
    LOGS = "logs"


class TransferTold(Fact, frozen=True, kw_only=True, array_like=True, gc=False, tag="transfer"):
    """How far a station is with a firmware, or with its logs; it changes no session.

    `status` is the protocol's own word; `request_id` None: the station named no request.
    """

    kind: TransferKind
    status: str | None
    request_id: int | None = None


class QueueReported(Fact, frozen=True, kw_only=True, array_like=True, gc=False, tag="queue"):
    """The station said whether it still holds messages of a transaction (GetTransactionStatus)."""

    transaction_ref: str | None
    messages_in_queue: bool
    ongoing: bool | None = None


class PriceTold(Fact, frozen=True, kw_only=True, array_like=True, gc=False, tag="price_told"):
    """A station was told what a session costs, taxes included: as far as it was known then.

    It is what we said, not the station: it changes no session, and is kept on its row alone.
    """

    transaction_ref: str | None
    gross: Decimal


class PaymentReported(Fact, frozen=True, kw_only=True, array_like=True, gc=False, tag="payment"):
    """A payment terminal said what became of a payment for a session, most often after its end.

    It prices, books and decides nothing. `psp_ref` is the payment's reference at its provider,
    `amount` in major units of the currency that the station sells in.
    """

    transaction_ref: str | None
    psp_ref: str | None
    status: str | None
    amount: Decimal | None
    settled_at: datetime | None
    receipt_id: str | None = None


class FrameSetAside(Fact, frozen=True, kw_only=True, array_like=True, gc=False, tag="set_aside"):
    """A frame that says nothing we could use; it stays in the log and is counted by `reason`."""

    reason: str
    transaction_ref: str | None = None


StationFact = (
    SessionStarted
    | SessionUpdated
    | SessionEnded
    | StopAttested
    | ConnectorStatusChanged
    | StationBooted
    | SecurityEventTold
    | ProblemsTold
    | TransferTold
    | QueueReported
    | PriceTold
    | PaymentReported
    | FrameSetAside
)

OF_NO_FOLD: Final = (SecurityEventTold, ProblemsTold, TransferTold)
"""What is told for people alone."""

SessionFact = SessionStarted | SessionUpdated | SessionEnded
"""The facts that carry readings and belong to one session."""


def happened_at(fact: SessionFact, clock: SessionClock) -> datetime:
    """Return when *fact* happened, in UTC: by the station's *clock*, or as a person attests."""
    if type(fact) is StopAttested and fact.occurred_at is not None:
        return fact.occurred_at
    return clock.effective(fact.occurred_at, fact.received_at)


NO_ID: Final = "-"
"""The `transaction_ref` by which a station says that it knows no id, as its protocol lets it."""


def transaction_of(fact: StationFact) -> str:
    """Return the transaction that *fact* is kept under, "" where it names none."""
    return getattr(fact, "transaction_ref", None) or ""
