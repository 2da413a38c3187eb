"""Answers to every call that an OCPP 2.0.1 station may send (blocks A to P).

Source: OCPP 2.0.1 part 2, edition 3; part 4, section 4.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

from ingest.answers.answering import (
    EMPTY,
    Answer,
    AnsweringParts,
    Dialect,
    Question,
    Respond,
    TokenAnswer,
    TokenWords,
    always,
    heartbeat,
    subject_of,
    use_reservation,
)
from ingest.answers.certificates import sign_certificate
from ingest.answers.registration import ASKED_FOR, boot
from ingest.answers.vehicles import promised_schedule, vehicle_needs, vehicle_schedule
from ingest.commands.reservations import EndedReservation, whole
from ingest.directory import AuthorizationStatus, Purpose
from ingest.rpc.codec import encode
from ingest.rpc.fields import PayloadFields

TOKEN_WORDS: Final = TokenWords(
    info="idTokenInfo",
    expires_at="cacheExpiryDateTime",
    group=lambda uid: {"groupIdToken": {"idToken": uid, "type": "Central"}},
    group_max=36,
)
# Since 2.1 also that it was used, and nothing was charged.
_ENDED_AS: Final = {"Expired": "EXPIRED", "Removed": "CANCELLED", "NoTransaction": "USED"}
_STOPPING: Final = ("StopAuthorized", "Deauthorized", "RemoteStop")
# A longer id would make our call break its schema, and our memory grow.
_TRANSACTION_ID_MAX: Final = 36


class TermsToTell(NamedTuple):
    """What a version adds to the answer about a token: to Authorize, and to an event live."""

    authorize: Callable[[TokenAnswer, AnsweringParts], Awaitable[Mapping[str, Any]]]
    event: Callable[[PayloadFields, TokenAnswer, AnsweringParts], Awaitable[Mapping[str, Any]]]


def about_tokens(words: TokenWords, terms: TermsToTell | None = None) -> Mapping[str, Respond]:
    """Return how the calls that may name a token are answered, in a version's *words* for it."""
    accepted = TokenAnswer(info={words.info: {"status": AuthorizationStatus.ACCEPTED}})

    async def found(
        id_token: PayloadFields, parts: AnsweringParts, event: PayloadFields | None = None
    ) -> TokenAnswer:
        # A start by button: there is no token to look up.
        if id_token.text("type") == "NoAuthorization":
            return accepted
        subject_id = await subject_of(id_token.text("idToken"), parts)
        if event is None:
            return await words.about(subject_id, parts)
        named = event.nested("transactionInfo").text("transactionId") or ""
        told_at, purpose = event.text("timestamp"), _purpose(event)
        return await words.about(subject_id, parts, purpose, told_at=told_at, transaction_ref=named)

    async def authorize(fields: PayloadFields, parts: AnsweringParts) -> Answer:
        told = await found(fields.nested("idToken"), parts)
        more = await terms.authorize(told, parts) if terms else {}
        # Never repeated: a token that was blocked a second ago is blocked.
        return Answer(encode({**told.info, **more}), authorization=told.authorization)

    async def transaction_event(fields: PayloadFields, parts: AnsweringParts) -> Answer:
        """Accept the event; ask what the station still holds if one before the last is missing."""
        await use_reservation(fields, parts)
        parts.vehicles.hear(fields)
        is_offline = fields.is_true("offline")
        question = _question(fields, parts, is_offline=is_offline)
        question = question or await promised_schedule(parts)
        id_token = fields.nested("idToken")
        if id_token.text("idToken") is None:
            return EMPTY._replace(question=question)
        # What was charged offline is history: refusing it now would change nothing but the
        # driver's next charge (field notes, quirk 26). The log keeps what the token is all the
        # same.
        told = await found(id_token, parts, fields)
        info = accepted.info if is_offline else told.info
        more = await terms.event(fields, told, parts) if terms and not is_offline else {}
        return Answer(
            encode({**info, **more}),
            is_repeated=True,
            question=question,
            authorization=told.authorization,
        )

    return {"Authorize": authorize, "TransactionEvent": transaction_event}


def _purpose(event: PayloadFields) -> Purpose:
    """Return what the token in an event is shown for: what stops nothing starts."""
    is_stop = event.text("eventType") == "Ended" or event.text("triggerReason") in _STOPPING
    return Purpose.STOP if is_stop else Purpose.START


def _question(fields: PayloadFields, parts: AnsweringParts, *, is_offline: bool) -> Question | None:
    """Return GetTransactionStatus for a transaction that ended with an event missing or offline."""
    transaction_id = fields.nested("transactionInfo").text("transactionId")
    if transaction_id is None or len(transaction_id) > _TRANSACTION_ID_MAX:
        return None
    parts.sequences.add(transaction_id, fields.integer("seqNo"))
    # Only at the end: until then a missing event may simply be under way.
    if fields.text("eventType") != "Ended":
        return None
    if not is_offline and not parts.sequences.has_gap(transaction_id):
        return None
    return Question("GetTransactionStatus", {"transactionId": transaction_id})


async def _reservation_status(fields: PayloadFields, parts: AnsweringParts) -> Answer:
    """Note that a reservation ended without a start that names it."""
    status = _ENDED_AS.get(fields.text("reservationUpdateStatus") or "")
    number = whole(fields.text("reservationId"))
    if status is not None and number is not None:
        await parts.records.end_reservation(EndedReservation(parts.station_id, number, status))
    return EMPTY


ANSWERS: Final[Mapping[str, Respond]] = {
    **about_tokens(TOKEN_WORDS),
    "BootNotification": boot,
    "DataTransfer": always({"status": "UnknownVendorId"}),
    "Get15118EVCertificate": always({"status": "Failed", "exiResponse": ""}),
    "GetCertificateStatus": always({"status": "Failed"}),
    "Heartbeat": heartbeat,
    "NotifyEVChargingNeeds": vehicle_needs,
    "NotifyEVChargingSchedule": vehicle_schedule,
    "ReservationStatusUpdate": _reservation_status,
    "SignCertificate": sign_certificate,
    **dict.fromkeys(
        (
            "ClearedChargingLimit", "FirmwareStatusNotification", "LogStatusNotification",
            "MeterValues", "NotifyChargingLimit", "NotifyCustomerInformation",
            "NotifyDisplayMessages", "NotifyEvent", "NotifyMonitoringReport", "NotifyReport",
            "PublishFirmwareStatusNotification", "ReportChargingProfiles",
            "SecurityEventNotification", "StatusNotification",
        ),
        always({}),
    ),
}  # fmt: skip
"""Vehicles' certificates are not served yet; their calls get a plain no."""
DIALECT: Final = Dialect(
    subprotocol="ocpp2.0.1",
    answers=ANSWERS,
    # Part 4, 4.3.
    unreadable="FormatViolation",
    without_id="RpcFrameworkError",
    unknown_type="MessageTypeNotSupported",
    asked_for=ASKED_FOR,
)
