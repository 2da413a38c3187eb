"""Answers to every call that an OCPP 1.6 station may send (Core, firmware, security extension).

Source: OCPP 1.6 edition 2, section 6; security whitepaper edition 2, section 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ingest.answers.answering import (
    Answer,
    AnsweringParts,
    Respond,
    UnknownActionError,
    always,
    boot,
    heartbeat,
    look_up,
    timestamp,
)
from ingest.answers.transactions import content_key
from ingest.rpc.codec import Call, Fault, encode
from ingest.rpc.fields import PayloadFields

SUBPROTOCOL: Final = "ocpp1.6"
# CiString20Type: a longer parent would make the whole answer invalid.
_ID_TAG_MAX: Final = 20


def error_code(_fault: Fault, *, has_id: bool) -> str:  # noqa: ARG001 - 1.6 has one code for all
    """Return the CALLERROR code for a frame that could not be read (1.6-J, 4.2.3)."""
    return "FormationViolation"


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
    info = await _id_tag_info(fields.text("idTag"), parts)
    return Answer(encode({"idTagInfo": info}), is_repeated=True)


async def _start_transaction(fields: PayloadFields, parts: AnsweringParts) -> Answer:
    """Give the id of this content; the station charges or not by the token's status."""
    info = await _id_tag_info(fields.text("idTag"), parts)
    # Whatever the status: a station may charge all the same, and then needs an id to report with.
    transaction_id = await parts.ids.assign(parts.station_id, content_key(fields))
    payload = {"idTagInfo": info, "transactionId": transaction_id}
    return Answer(encode(payload), is_repeated=True)


async def _stop_transaction(fields: PayloadFields, parts: AnsweringParts) -> Answer:
    id_tag = fields.text("idTag")
    if id_tag is None:
        return Answer(b"{}")
    info = await _id_tag_info(id_tag, parts)
    return Answer(encode({"idTagInfo": info}), is_repeated=True)


async def _id_tag_info(id_tag: str | None, parts: AnsweringParts) -> dict[str, str]:
    status, token = await look_up(id_tag, parts)
    info: dict[str, str] = {"status": status}
    if token is not None and token.expires_at is not None:
        info["expiryDate"] = timestamp(token.expires_at)
    if token is not None and token.group and len(token.group) <= _ID_TAG_MAX:
        info["parentIdTag"] = token.group
    return info


_EMPTY: Final = always({})
ANSWERS: Final[Mapping[str, Respond]] = {
    "Authorize": _authorize,
    "BootNotification": boot,
    "DataTransfer": always({"status": "UnknownVendorId"}),
    "DiagnosticsStatusNotification": _EMPTY,
    "FirmwareStatusNotification": _EMPTY,
    "Heartbeat": heartbeat,
    "LogStatusNotification": _EMPTY,
    "MeterValues": _EMPTY,
    "SecurityEventNotification": _EMPTY,
    "SignCertificate": always({"status": "Rejected"}),
    "SignedFirmwareStatusNotification": _EMPTY,
    "StartTransaction": _start_transaction,
    "StatusNotification": _EMPTY,
    "StopTransaction": _stop_transaction,
}
"""Certificates are not signed here yet, and no vendor's data transfer is understood."""
