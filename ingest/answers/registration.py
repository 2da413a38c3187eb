"""How a station is registered, and what one that is not accepted may say.

The answer to its BootNotification says it. Since 2.0.1 a station that is Pending or Rejected says
nothing but that, what we asked for, and what a TriggerMessage of ours asked for; anything else gets
SecurityError, and stands in the log all the same: a transaction that it tells of is a fact. To 1.6
the standard says what such a station should not do, and nothing of an answer: it is answered as
ever. Source: OCPP 1.6 edition 2, 4.2; OCPP 2.0.1 part 2, B02.FR.09 and B03.FR.07.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import msgspec
import psycopg

from ingest.answers.answering import Answer, AnsweringParts, timestamp
from ingest.rpc.codec import encode
from ingest.rpc.fields import PayloadFields
from ingest.station_records import BootAnswer, Registration

INTERVAL_SECONDS: Final = 30
"""After how long a station that is not accepted boots again, unless somebody said so."""
AWAY_SECONDS: Final = 3.0
"""After how long without an answer the database is away: a boot is answered as the last one."""
ASKED_FOR: Final = frozenset(
    {
        "BootNotification", "NotifyCustomerInformation", "NotifyDisplayMessages",
        "NotifyMonitoringReport", "NotifyReport", "ReportChargingProfiles",
    }
)  # fmt: skip
"""What a station of 2.x sends only because we asked, beside its boot."""
_TRIGGERS: Final = ('"TriggerMessage"', '"ExtendedTriggerMessage"')
_PEEK: Final = 80
_LOGGER = logging.getLogger(__name__)


class _Trigger(msgspec.Struct, rename="camel"):
    requested_message: str = ""


async def boot(_fields: PayloadFields, parts: AnsweringParts) -> Answer:
    """Answer as somebody said of this station, else accept: who may connect is decided before."""
    try:
        async with asyncio.timeout(AWAY_SECONDS):
            told = await parts.records.boot(parts.station_id)
    except (psycopg.OperationalError, TimeoutError) as error:
        _LOGGER.warning("the boot of %s is answered as before: %r", parts.station_id, error)
        told = BootAnswer(parts.registration)
    is_accepted = told.registration is Registration.ACCEPTED
    seconds = parts.heartbeat_seconds if is_accepted else told.interval or INTERVAL_SECONDS
    now = timestamp(parts.clock.now())
    payload = encode({"currentTime": now, "interval": seconds, "status": told.registration})
    return Answer(payload, registration=told.registration)


def triggered_by(call: str) -> frozenset[str]:
    """Return what a station will say because of a *call* of ours, if it is a TriggerMessage."""
    if not any(each in call[:_PEEK] for each in _TRIGGERS):
        return frozenset()
    _, _, _, payload = msgspec.json.decode(call, type=tuple[int, str, str, _Trigger])
    asked = payload.requested_message
    return frozenset({"SignCertificate" if asked.startswith("Sign") else asked})
