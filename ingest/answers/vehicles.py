"""What a vehicle is told that it may draw, when it tells its needs over ISO 15118.

    NotifyEVChargingNeeds at an EVSE where        -> Accepted, then SetChargingProfile for that
    a transaction goes on                            transaction: what somebody set for it last,
                                                     else what the plug is declared to bring
    at any other one                              -> Processing; set once one is told there
    NotifyEVChargingSchedule within what was set  -> Accepted
    above it                                      -> Rejected, and the same is set once more

Source: OCPP 2.0.1 part 2, K15 to K17.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from ingest.answers.answering import Answer, AnsweringParts, Question
from ingest.answers.schedules import SET, ChargingSchedule
from ingest.directory import power_at
from ingest.rpc.codec import PayloadError, decode, encode
from ingest.rpc.fields import PayloadFields

AFTER_SECONDS: Final = 0.5
"""How long after our answer a schedule comes: a station that handles what comes side by side would
else meet it before it knows that one was promised. Its vehicle waits for a minute."""
_INT32_MAX: Final = 2**31 - 1
_ACCEPTED: Final = Answer(encode({"status": "Accepted"}))
PROCESSING: Final = Answer(encode({"status": "Processing"}))


async def vehicle_needs(fields: PayloadFields, parts: AnsweringParts) -> Answer:
    """Promise the vehicle a schedule, and set it."""
    evse_id = fields.integer("evseId")
    reference = parts.vehicles.at(evse_id)
    if evse_id is None:
        return PROCESSING
    if reference is None:
        parts.vehicles.promise(evse_id)
        return PROCESSING
    return _ACCEPTED._replace(question=await _schedule(evse_id, reference, parts))


async def promised_schedule(parts: AnsweringParts) -> Question | None:
    """Return the schedule that a vehicle was promised before its transaction was told."""
    found = parts.vehicles.promised()
    return None if found is None else await _schedule(*found, parts)


async def vehicle_schedule(fields: PayloadFields, parts: AnsweringParts) -> Answer:
    """Compare what the vehicle will draw with what was set; a new try begins where it is more."""
    # What the station answered just before is noted first.
    await asyncio.sleep(0)
    evse_id = fields.integer("evseId")
    reference = parts.vehicles.at(evse_id)
    found = None if reference is None else parts.vehicles.set_for(reference)
    try:
        wanted = decode(fields.nested("chargingSchedule").payload, ChargingSchedule).most_w()
    except PayloadError:
        wanted = None  # there is nothing to compare
    if evse_id is None or found is None or found.most_w is None or wanted is None:
        return _ACCEPTED
    if wanted <= found.most_w:
        return _ACCEPTED
    return Answer(encode({"status": "Rejected"}), question=_setting(evse_id, found.profile))


async def _schedule(evse_id: int, reference: str, parts: AnsweringParts) -> Question:
    found = parts.vehicles.set_for(reference)
    if found is not None:
        return _setting(evse_id, found.profile)
    power_w = await power_at(parts.directory, parts.station, evse_id)
    return _setting(evse_id, _profile(reference, power_w))


def _setting(evse_id: int, profile: object) -> Question:
    payload = {"evseId": evse_id, "chargingProfile": profile}
    return Question(SET, payload, after_seconds=AFTER_SECONDS)


def _profile(reference: str, power_w: Decimal) -> Mapping[str, Any]:
    """Return the profile of a transaction that may draw *power_w* from its first to its last."""
    period = {"startPeriod": 0, "limit": int(power_w)}
    return {
        # The same one for a transaction: it takes the place of the one before.
        "id": zlib.crc32(reference.encode()) & _INT32_MAX,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Relative",
        "transactionId": reference,
        "chargingSchedule": [
            {"id": 1, "chargingRateUnit": "W", "chargingSchedulePeriod": [period]}
        ],
    }
