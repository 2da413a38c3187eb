"""What answering a station needs, whatever its OCPP version."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

from ingest.answers.schedules import VehicleSchedules
from ingest.answers.sequences import Sequences
from ingest.answers.transactions import TransactionIds
from ingest.clock import Clock
from ingest.commands.reservations import EndedReservation, whole
from ingest.directory import (
    RECORDED_AS,
    AuthorizationStatus,
    Purpose,
    Showing,
    StationAccess,
    StationDirectory,
)
from ingest.errors import IngestError
from ingest.facts.lenient import read_time
from ingest.persons.subjects import Subjects
from ingest.prices.price import Prices, Stops
from ingest.receipts import Receipts
from ingest.rpc.codec import Call, Fault, encode
from ingest.rpc.fields import PayloadFields
from ingest.station_records import NO_RECORDS, Registration, StationRecords
from ledger.declared.identities import canonical
from ledger.log.authorization import Authorization
from ledger.persons.holders import token_holder

_BELIEVED: Final = timedelta(days=30)
"""A station that tells of an earlier time was offline no longer than that: its clock is not set."""


class Question(NamedTuple):
    """A call of ours that an answer gives rise to, so many seconds after it at the soonest."""

    action: str
    payload: Mapping[str, Any]
    after_seconds: float = 0.0


class Answer(NamedTuple):
    """The payload of a CALLRESULT, as JSON.

    `is_logged` False: the call only shows that the station lives. `is_repeated`: the same call on
    the same connection gets the same answer again, though it depends on more than the call.
    `authorization`: what the token in the call was found to be, for its line in the log.
    `registration`: how the station is registered from now on.
    """

    payload: bytes
    is_logged: bool = True
    is_repeated: bool = False
    question: Question | None = None
    authorization: Authorization | None = None
    registration: Registration | None = None


EMPTY: Final = Answer(b"{}")


@dataclass(slots=True)
class SentTariff:
    """Which tariff of whoever comes a station was sent last on its connection, by its name."""

    tariff_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweringParts:
    """The parts that answers to one station draw on.

    Without `prices` it is told none; without `stops` no limit stops its transactions.
    """

    station: StationAccess
    directory: StationDirectory
    subjects: Subjects
    ids: TransactionIds
    clock: Clock
    sequences: Sequences
    heartbeat_seconds: int
    records: StationRecords = NO_RECORDS
    registration: Registration = Registration.ACCEPTED
    """As it was when the station connected."""
    prices: Prices | None = None
    price_seconds: float = 0.0
    stops: Stops | None = None
    receipts: Receipts | None = None
    sent_tariff: SentTariff = field(default_factory=SentTariff)
    triggered: set[str] = field(default_factory=set)
    """What a TriggerMessage of ours asked the station for on this connection."""
    vehicles: VehicleSchedules = field(default_factory=VehicleSchedules)

    @property
    def station_id(self) -> str:
        """The station as declared."""
        return self.station.station_id


class UnknownActionError(IngestError):
    """The protocol knows no such call from a station."""


Respond = Callable[[PayloadFields, AnsweringParts], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How to answer in one OCPP version: a table from action to responder, and words for errors.

    `unreadable`, `without_id` and `unknown_type` are CALLERROR codes for a frame that could not be
    read. `has_unanswered`: the version knows messages that nobody answers (types 5 and 6).
    `asked_for`: what a station that is not accepted may say all the same; None: everything.
    """

    subprotocol: str
    answers: Mapping[str, Respond]
    unreadable: str
    without_id: str
    unknown_type: str
    has_unanswered: bool = False
    asked_for: frozenset[str] | None = None

    def error_code(self, fault: Fault, *, has_id: bool) -> str:
        """Return the CALLERROR code for a frame that could not be read."""
        if fault is Fault.UNKNOWN_TYPE:
            return self.unknown_type
        return self.unreadable if has_id else self.without_id

    async def answer(self, call: Call, parts: AnsweringParts) -> Answer:
        """Return the answer to *call*; its content never makes this fail.

        Raises:
            UnknownActionError: If no station may send such a call.
        """
        respond = self.answers.get(call.action)
        if respond is None:
            raise UnknownActionError
        return await respond(PayloadFields(call.payload), parts)


async def subject_of(token_uid: str | None, parts: AnsweringParts) -> str | None:
    """Return the subject id of a token as the station writes it, None where it says nothing."""
    holder = token_holder(token_uid, parts.station.token_habits)
    if holder is None:
        return None
    return (await parts.subjects.of([holder]))[holder].id


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAnswer:
    """What a station is answered about a token, and what the log keeps of it.

    `left`: what its session may cost, in major units, where its payer has only so much for it.
    """

    info: Mapping[str, Any]
    authorization: Authorization | None = None
    left: Decimal | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether the station is told that it may charge."""
        return all(told["status"] == AuthorizationStatus.ACCEPTED for told in self.info.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenWords:
    """How a version writes what a token may do; a longer group would break the whole answer.

    `statuses` are other words for some; where nothing `knows_master_pass`, one may not even ask.
    """

    info: str
    expires_at: str
    group: Callable[[str], Mapping[str, Any]]
    group_max: int
    statuses: Mapping[AuthorizationStatus, AuthorizationStatus] = field(default_factory=dict)
    knows_master_pass: bool = True

    async def about(
        self,
        subject_id: str | None,
        parts: AnsweringParts,
        purpose: Purpose = Purpose.ASK,
        *,
        told_at: str | None = None,
        transaction_ref: str = "",
    ) -> TokenAnswer:
        """Return the present status of a token (`subject_of`) and what is known about it.

        *told_at* is the station's time of what the token is shown for: hours count by it. What a
        transaction costs that has an id already does not count against it.
        """
        if subject_id is None:
            return TokenAnswer(info={self.info: {"status": AuthorizationStatus.INVALID}})
        now = parts.clock.now()
        # As it is declared by now: a connection may last for months.
        station = await parts.directory.station(canonical(parts.station_id)) or parts.station
        showing = Showing(station, _shown_at(told_at, now), purpose, transaction_ref)
        token = await parts.directory.token(subject_id, showing)
        if token is None:
            status = await parts.directory.unknown_token(parts.station_id, subject_id, seen_at=now)
            recorded = Authorization(subject=subject_id, by="policy", status=RECORDED_AS[status])
            return TokenAnswer(info={self.info: {"status": status}}, authorization=recorded)
        if purpose is Purpose.ASK and token.is_master_pass and not self.knows_master_pass:
            showing = showing._replace(purpose=Purpose.START)
        status = token.status_at(now, showing)
        info: dict[str, Any] = {"status": self.statuses.get(status, status)}
        if (until := token.holds_until(showing)) is not None:
            info[self.expires_at] = timestamp(until)
        if token.group and len(token.group) <= self.group_max:
            info |= self.group(token.group)
        return TokenAnswer(
            info={self.info: info},
            authorization=token.authorization(subject_id, now, showing),
            left=token.credit.left if token.credit else None,
        )


async def use_reservation(fields: PayloadFields, parts: AnsweringParts) -> None:
    """Note that a transaction came of the reservation that it names, if it names one."""
    number = whole(fields.text("reservationId"))
    if number is not None:
        await parts.records.end_reservation(EndedReservation(parts.station_id, number, "USED"))


def _shown_at(told_at: str | None, now: datetime) -> datetime:
    """Return when a token was shown: as the station says, where that can be; else now."""
    at = read_time(told_at, set())
    if at is None or at.tzinfo is None or not now - _BELIEVED <= at <= now:
        return now
    return at


def always(payload: Mapping[str, Any]) -> Respond:
    """Return a responder that gives *payload* whatever was sent."""
    answer = Answer(encode(payload)) if payload else EMPTY

    async def respond(_fields: PayloadFields, _parts: AnsweringParts) -> Answer:
        return answer

    return respond


async def heartbeat(_fields: PayloadFields, parts: AnsweringParts) -> Answer:
    """Tell the time. A heartbeat only shows that the station lives, so it is not logged."""
    return Answer(encode({"currentTime": timestamp(parts.clock.now())}), is_logged=False)


def timestamp(moment: datetime) -> str:
    """Return *moment* as stations understand it best: UTC, milliseconds, Z."""
    utc = moment.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
