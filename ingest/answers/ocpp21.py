"""Answers to every call that an OCPP 2.1 station may send: those of 2.0.1, and what is new.

Source: OCPP 2.1 part 2; part 4, section 4 (message types 5 and 6).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

import msgspec

from ingest.answers import ocpp201, terms
from ingest.answers.answering import EMPTY, Answer, AnsweringParts, Respond, always, timestamp
from ingest.answers.vehicles import PROCESSING, vehicle_needs
from ingest.receipts import SettledPayment
from ingest.rpc.codec import PayloadError, decode, encode
from ingest.rpc.fields import PayloadFields
from ledger.facts.receipts import receipt_id
from ledger.master_data.policies import RECEIPT
from tariffs.taxes.vat_ids import VatIdCheck, check_vat_id

# IdTokenType.idToken, which had 36.
_TOKEN: Final = replace(ocpp201.TOKEN_WORDS, group_max=255)
_ALGORITHMS: Final = ("SHA256", "SHA384", "SHA512")
_SOURCES: Final = ("OCSP", "CRL")
# CertificateHashDataType, each member with its length.
_HASHES: Final = {"issuerNameHash": 128, "issuerKeyHash": 128, "serialNumber": 40}
_CHAIN_MAX: Final = 4
_PAYMENT: Final = ("transactionId", "pspRef", "settlementAmount", "settlementTime")
"""What makes a payment itself: told again, it gets the same receipt."""
_REFERENCE_MAX: Final = 255
_VAT_NUMBER_MAX: Final = 20
_VAT_REASONS: Final = {
    VatIdCheck.RIGHT: "CheckDigitsRight",
    VatIdCheck.FORM_RIGHT: "FormRight",
    VatIdCheck.WRONG_FORM: "WrongForm",
    VatIdCheck.WRONG_DIGITS: "WrongCheckDigits",
    VatIdCheck.UNKNOWN_COUNTRY: "UnknownCountry",
}
_NOT_ASKED: Final = "checked by its form alone; the register of VAT ids was not asked"


class _ChainStatus(msgspec.Struct, rename="camel"):
    """GetCertificateChainStatusRequest."""

    certificate_status_requests: list[msgspec.Raw]


async def _chain_status(fields: PayloadFields, parts: AnsweringParts) -> Answer:
    """Say of each certificate that its status could not be found: nobody is asked here."""
    try:
        asked = decode(fields.payload, _ChainStatus).certificate_status_requests[:_CHAIN_MAX]
    except PayloadError:
        asked = []
    # The schema wants one, also where none was asked for.
    found = [_status(PayloadFields(each), parts) for each in asked or [msgspec.Raw(b"{}")]]
    return Answer(encode({"certificateStatus": found}))


def _status(asked: PayloadFields, parts: AnsweringParts) -> Mapping[str, Any]:
    hashes = asked.nested("certificateHashData")
    told = {name: (hashes.text(name) or "")[:length] for name, length in _HASHES.items()}
    algorithm, source = hashes.text("hashAlgorithm"), asked.text("source")
    return {
        "certificateHashData": told
        | {"hashAlgorithm": algorithm if algorithm in _ALGORITHMS else _ALGORITHMS[0]},
        "source": source if source in _SOURCES else _SOURCES[0],
        "status": "Failed",
        "nextUpdate": timestamp(parts.clock.now()),
    }


async def _boot(fields: PayloadFields, parts: AnsweringParts) -> Answer:
    """Answer as in 2.0.1; an accepted station is sent its tariff, where the policy says so."""
    answer = await ocpp201.ANSWERS["BootNotification"](fields, parts)
    if PayloadFields(answer.payload).text("status") != "Accepted":
        return answer
    return answer._replace(question=await terms.default_tariff(parts, has_booted=True))


def _with_news(action: str) -> Respond:
    """Answer *action* as in 2.0.1, and bring the station's tariff up to date."""
    respond = ocpp201.ANSWERS[action]

    async def answer(fields: PayloadFields, parts: AnsweringParts) -> Answer:
        found = await respond(fields, parts)
        return found._replace(question=await terms.default_tariff(parts))

    return answer


async def _vehicle_needs(fields: PayloadFields, parts: AnsweringParts) -> Answer:
    """Answer as in 2.0.1; a schedule that changes while it runs is left to who makes some."""
    if fields.nested("chargingNeeds").text("controlMode") == "DynamicControl":
        return PROCESSING
    return await vehicle_needs(fields, parts)


async def _vat_number(fields: PayloadFields, _parts: AnsweringParts) -> Answer:
    """Say whether a VAT id has the form and check digits of its country: no register is asked."""
    number = fields.text("vatNumber") or ""
    check = check_vat_id(number)
    evse = fields.integer("evseId")
    told = {
        "vatNumber": number[:_VAT_NUMBER_MAX],
        "status": "Accepted" if check.is_right else "Rejected",
        "statusInfo": {"reasonCode": _VAT_REASONS[check], "additionalInfo": _NOT_ASKED},
    }
    return Answer(encode(told if evse is None else told | {"evseId": evse}))


async def _settlement(fields: PayloadFields, parts: AnsweringParts) -> Answer:
    """Give a receipt number to a payment that was settled, unless its terminal has one."""
    has_one = fields.text("receiptId") or fields.text("receiptUrl")
    if parts.receipts is None or has_one or fields.text("status") != "Settled":
        return EMPTY
    said = json.dumps([fields.text(name) for name in _PAYMENT])
    reference = (fields.text("transactionId") or "")[:_REFERENCE_MAX].replace("\0", "")
    key = sha256(said.encode()).hexdigest()
    number = await parts.receipts.number(SettledPayment(parts.station_id, key, reference))
    told = {"receiptId": receipt_id(number)}
    address = (await parts.directory.policy_in_force()).receipt_url
    if address is not None:
        told["receiptUrl"] = address.replace(RECEIPT, receipt_id(number))
    return Answer(encode(told))


ANSWERS: Final[Mapping[str, Respond]] = {
    **ocpp201.ANSWERS,
    **ocpp201.about_tokens(
        _TOKEN, ocpp201.TermsToTell(authorize=terms.driver_tariff, event=terms.limit)
    ),
    "BootNotification": _boot,
    **{action: _with_news(action) for action in ("Heartbeat", "StatusNotification")},
    "GetCertificateChainStatus": _chain_status,
    "NotifyEVChargingNeeds": _vehicle_needs,
    "NotifySettlement": _settlement,
    "OpenPeriodicEventStream": always({"status": "Accepted"}),
    "PullDynamicScheduleUpdate": always({"status": "Rejected"}),
    "VatNumberValidation": _vat_number,
    **dict.fromkeys(
        (
            "BatterySwap", "ClosePeriodicEventStream", "NotifyDERAlarm", "NotifyDERStartStop",
            "NotifyPriorityCharging", "ReportDERControl",
        ),
        always({}),
    ),
}  # fmt: skip
"""Schedules that change while they run are not made here."""
DIALECT: Final = replace(
    ocpp201.DIALECT, subprotocol="ocpp2.1", answers=ANSWERS, has_unanswered=True
)
