"""Answers to every call that an OCPP 2.0.1 station may send (blocks A to P).

Source: OCPP 2.0.1 part 2, edition 3; part 4, section 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ingest.answers.answering import (
    EMPTY,
    Answer,
    AnsweringParts,
    Question,
    Respond,
    UnknownActionError,
    always,
    boot,
    heartbeat,
    look_up,
    timestamp,
)
from ingest.directory import AuthorizationStatus
from ingest.rpc.codec import Call, Fault, encode
from ingest.rpc.fields import PayloadFields

SUBPROTOCOL: Final = "ocpp2.0.1"
# A longer id would make our answer or call break its schema.
_ID_TOKEN_MAX: Final = 36
_TRANSACTION_ID_MAX: Final = 36


def error_code(fault: Fault, *, has_id: bool) -> str:
    """Return the CALLERROR code for a frame that could not be read (part 4, 4.3)."""
    if fault is Fault.UNKNOWN_TYPE:
        return "MessageTypeNotSupported"
    return "FormatViolation" if has_id else "RpcFrameworkError"


async def answer(call: Call, parts: AnsweringParts) -> Answer:
    """Return the answer to *call*; its content never makes this fail.

    Raises:
        UnknownActionError: If no station may send such a call.
    """
    respond = ANSWERS.get(call.action)
    if respond is None:
        raise UnknownActionError
    return await respond(PayloadFields(call.payload), parts)


async def _authorize(fields: PayloadFields, parts: AnsweringParts) -> Answer:
    info = await _id_token_info(fields.nested("idToken"), parts)
    return Answer(encode({"idTokenInfo": info}), is_repeated=True)


async def _transaction_event(fields: PayloadFields, parts: AnsweringParts) -> Answer:
    """Accept the event; ask what the station still holds if one before the last is missing."""
    is_offline = fields.is_true("offline")
    question = _question(fields, parts, is_offline=is_offline)
    id_token = fields.nested("idToken")
    if id_token.text("idToken") is None:
        return EMPTY._replace(question=question)
    # What was charged offline is history: refusing it now would change nothing but the driver's
    # next charge (field notes, quirk 26).
    info = (
        {"status": AuthorizationStatus.ACCEPTED}
        if is_offline
        else await _id_token_info(id_token, parts)
    )
    return Answer(encode({"idTokenInfo": info}), is_repeated=True, question=question)


def _question(fields: PayloadFields, parts: AnsweringParts, *, is_offline: bool) -> Question | None:
    """Return GetTransactionStatus for a transaction that ended with an event missing or offline."""
    transaction_id = fields.nested("transactionInfo").text("transactionId")
    if transaction_id is None:
        return None
    parts.sequences.add(transaction_id, fields.integer("seqNo"))
    # Only at the end: until then a missing event may simply be under way.
    if fields.text("eventType") != "Ended" or len(transaction_id) > _TRANSACTION_ID_MAX:
        return None
    if not is_offline and not parts.sequences.has_gap(transaction_id):
        return None
    return Question("GetTransactionStatus", {"transactionId": transaction_id})


async def _id_token_info(id_token: PayloadFields, parts: AnsweringParts) -> dict[str, Any]:
    # A start by button: there is no token to look up.
    if id_token.text("type") == "NoAuthorization":
        return {"status": AuthorizationStatus.ACCEPTED}
    status, token = await look_up(id_token.text("idToken"), parts)
    info: dict[str, Any] = {"status": status}
    if token is not None and token.expires_at is not None:
        info["cacheExpiryDateTime"] = timestamp(token.expires_at)
    if token is not None and token.group and len(token.group) <= _ID_TOKEN_MAX:
        info["groupIdToken"] = {"idToken": token.group, "type": "Central"}
    return info


_EMPTY: Final = always({})
_REJECTED: Final = always({"status": "Rejected"})
_FAILED: Final = always({"status": "Failed"})
ANSWERS: Final[Mapping[str, Respond]] = {
    "Authorize": _authorize,
    "BootNotification": boot,
    "ClearedChargingLimit": _EMPTY,
    "DataTransfer": always({"status": "UnknownVendorId"}),
    "FirmwareStatusNotification": _EMPTY,
    "Get15118EVCertificate": always({"status": "Failed", "exiResponse": ""}),
    "GetCertificateStatus": _FAILED,
    "Heartbeat": heartbeat,
    "LogStatusNotification": _EMPTY,
    "MeterValues": _EMPTY,
    "NotifyChargingLimit": _EMPTY,
    "NotifyCustomerInformation": _EMPTY,
    "NotifyDisplayMessages": _EMPTY,
    "NotifyEVChargingNeeds": _REJECTED,
    "NotifyEVChargingSchedule": _REJECTED,
    "NotifyEvent": _EMPTY,
    "NotifyMonitoringReport": _EMPTY,
    "NotifyReport": _EMPTY,
    "PublishFirmwareStatusNotification": _EMPTY,
    "ReportChargingProfiles": _EMPTY,
    "ReservationStatusUpdate": _EMPTY,
    "SecurityEventNotification": _EMPTY,
    "SignCertificate": _REJECTED,
    "StatusNotification": _EMPTY,
    "TransactionEvent": _transaction_event,
}
"""Certificates and charging schedules are not served yet; their calls get a plain no."""
