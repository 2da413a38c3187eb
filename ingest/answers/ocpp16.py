"""Answers to every call that an OCPP 1.6 station may send (Core, firmware, security extension).

Source: OCPP 1.6 edition 2, section 6; security whitepaper edition 2, section 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ingest.answers.answering import (
    EMPTY,
    Answer,
    AnsweringParts,
    Dialect,
    Respond,
    TokenWords,
    always,
    heartbeat,
    subject_of,
    use_reservation,
)
from ingest.answers.certificates import sign_certificate
from ingest.answers.registration import boot
from ingest.answers.transactions import content_key
from ingest.directory import AuthorizationStatus, Purpose
from ingest.rpc.codec import encode
from ingest.rpc.fields import PayloadFields

_UNREADABLE: Final = "FormationViolation"
_TOKEN: Final = TokenWords(
    info="idTagInfo",
    expires_at="expiryDate",
    group=lambda uid: {"parentIdTag": uid},
    group_max=20,  # CiString20Type
    statuses={
        AuthorizationStatus.NOT_HERE: AuthorizationStatus.BLOCKED,
        AuthorizationStatus.NOT_NOW: AuthorizationStatus.BLOCKED,
        AuthorizationStatus.NO_CREDIT: AuthorizationStatus.BLOCKED,
    },
    knows_master_pass=False,
)


async def _authorize(fields: PayloadFields, parts: AnsweringParts) -> Answer:
    # Never repeated: a token that was blocked a second ago is blocked.
    found = await _TOKEN.about(await subject_of(fields.text("idTag"), parts), parts)
    return Answer(encode(found.info), authorization=found.authorization)


async def _start_transaction(fields: PayloadFields, parts: AnsweringParts) -> Answer:
    """Give the id of this content; the station charges or not by the token's status."""
    token = await subject_of(fields.text("idTag"), parts)
    found = await _TOKEN.about(token, parts, Purpose.START, told_at=fields.text("timestamp"))
    # Whatever the status: a station may charge all the same, and then needs an id to report with.
    await use_reservation(fields, parts)
    transaction_id = await parts.ids.assign(parts.station_id, content_key(fields, token))
    return Answer(
        encode({**found.info, "transactionId": transaction_id}),
        is_repeated=True,
        authorization=found.authorization,
    )


async def _stop_transaction(fields: PayloadFields, parts: AnsweringParts) -> Answer:
    if fields.text("idTag") is None:
        return EMPTY
    found = await _TOKEN.about(await subject_of(fields.text("idTag"), parts), parts, Purpose.STOP)
    return Answer(encode(found.info), authorization=found.authorization)


ANSWERS: Final[Mapping[str, Respond]] = {
    "Authorize": _authorize,
    "BootNotification": boot,
    "DataTransfer": always({"status": "UnknownVendorId"}),
    "Heartbeat": heartbeat,
    "SignCertificate": sign_certificate,
    "StartTransaction": _start_transaction,
    "StopTransaction": _stop_transaction,
    **dict.fromkeys(
        (
            "DiagnosticsStatusNotification", "FirmwareStatusNotification", "LogStatusNotification",
            "MeterValues", "SecurityEventNotification", "SignedFirmwareStatusNotification",
            "StatusNotification",
        ),
        always({}),
    ),
}  # fmt: skip
"""No vendor's data transfer is understood."""
DIALECT: Final = Dialect(
    subprotocol="ocpp1.6",
    answers=ANSWERS,
    # One code for all (1.6-J, 4.2.3).
    unreadable=_UNREADABLE,
    without_id=_UNREADABLE,
    unknown_type=_UNREADABLE,
)
