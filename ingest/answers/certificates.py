"""A station's request to have its certificate signed.

Nothing is signed here. Who asks a station for its request, by a TriggerMessage, has it signed: he
reads it in the log and sends the chain with CertificateSigned. A station that comes with one of
itself is told no: it would wait for ever.

    ExtendedTriggerMessage SignChargePointCertificate    Accepted, for as long as it is connected
    nobody asked                                         Rejected

Source: OCPP 1.6 security whitepaper edition 2, 4 (A02); OCPP 2.0.1 part 2, A02.FR.11.
"""

from __future__ import annotations

from typing import Final

from ingest.answers.answering import Answer, AnsweringParts
from ingest.rpc.codec import encode
from ingest.rpc.fields import PayloadFields

_SIGN: Final = "SignCertificate"
_ACCEPTED: Final = Answer(encode({"status": "Accepted"}))
_REJECTED: Final = Answer(encode({"status": "Rejected"}))


async def sign_certificate(_fields: PayloadFields, parts: AnsweringParts) -> Answer:
    """Take a request that somebody asked the station for."""
    return _ACCEPTED if _SIGN in parts.triggered else _REJECTED
