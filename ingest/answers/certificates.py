"""A station's request to have its certificate signed.

Nothing is signed here. Who asks a station for its request, by a TriggerMessage, has it signed: he
finds it with the station and sends the chain with CertificateSigned. A station that comes with one
of itself is told no: it would wait for ever.

    ExtendedTriggerMessage SignChargePointCertificate    Accepted, for as long as it is connected
    nobody asked                                         Rejected
    what can be no request                               Rejected

Source: OCPP 1.6 security whitepaper edition 2, 4 (A02); OCPP 2.0.1 part 2, A02.FR.11.
"""

from __future__ import annotations

from typing import Final

from ingest.answers.answering import Answer, AnsweringParts
from ingest.rpc.codec import encode
from ingest.rpc.fields import PayloadFields
from ingest.station_records import CertificateRequest

REQUEST_MAX: Final = 5500
"""Characters of a request, in every version."""
_SIGN: Final = "SignCertificate"
_ACCEPTED: Final = Answer(encode({"status": "Accepted"}))
_REJECTED: Final = Answer(encode({"status": "Rejected"}))


async def sign_certificate(fields: PayloadFields, parts: AnsweringParts) -> Answer:
    """Take a request that somebody asked the station for."""
    csr = fields.text("csr") or ""
    is_text = csr.isascii() and "\0" not in csr and 0 < len(csr) <= REQUEST_MAX
    if _SIGN not in parts.triggered or not is_text:
        return _REJECTED
    request = CertificateRequest(parts.station_id, csr, parts.clock.now())
    await parts.records.keep_certificate_request(request)
    return _ACCEPTED
