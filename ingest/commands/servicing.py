"""Calls about what is in a station: its firmware, logs, certificates and display.

    logs, diagnostics   1.6: GetDiagnostics     2.x: GetLog DiagnosticsLog
    firmware, signed    1.6: SignedUpdateFirmware    2.x: UpdateFirmware with certificate
    display             1.6: there is none      2.x: SetDisplayMessage

Source: OCPP 1.6 edition 2, section 5; security whitepaper edition 2, section 5; OCPP 2.0.1 part 2,
blocks L, M, N, O and P.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from ingest.answers.answering import timestamp
from ingest.commands.typed import CallWordError, TypedCall

_OLD: Final = "ocpp1.6"
_NUMBERS: Final = 2**31 - 1
CERTIFICATE_USES: Final[Mapping[str, str]] = {
    "csms": "CSMSRootCertificate",
    "manufacturer": "ManufacturerRootCertificate",
    "v2g": "V2GRootCertificate",
    "mo": "MORootCertificate",
}
"""What a root certificate is for, in 2.x's words; 1.6 has the first two."""
_OLD_USES: Final = {
    "csms": "CentralSystemRootCertificate",
    "manufacturer": "ManufacturerRootCertificate",
}


class Signed(NamedTuple):
    """Who signed a firmware (PEM), and the signature (base64)."""

    certificate: str
    signature: str


class CertificateId(NamedTuple):
    """By what a station knows a certificate: hashes in hex, and the serial number."""

    algorithm: str
    issuer_name_hash: str
    issuer_key_hash: str
    serial_number: str


def logs(
    protocol: str,
    *,
    location: str,
    is_security: bool = False,
    since: datetime | None = None,
    until: datetime | None = None,
    number: int | None = None,
) -> TypedCall:
    """Return the call that has a station send its diagnostics, or its security log, to a URL.

    By *number*, the request id, the station's later messages name it; 1.6's diagnostics have none.
    """
    if protocol == _OLD and not is_security:
        times = _times("startTime", since, "stopTime", until)
        return TypedCall("GetDiagnostics", {"location": location, **times})
    kind = "SecurityLog" if is_security else "DiagnosticsLog"
    log = {
        "remoteLocation": location,
        **_times("oldestTimestamp", since, "latestTimestamp", until),
    }
    return TypedCall("GetLog", {"logType": kind, "requestId": number or _number(), "log": log})


def firmware(
    protocol: str,
    *,
    location: str,
    at: datetime,
    signed: Signed | None = None,
    number: int | None = None,
) -> TypedCall:
    """Return the call that has a station fetch a firmware, not before *at*, and run it.

    By *number*, the request id, the station's later messages name it; 1.6's plain update has none.
    """
    if protocol == _OLD and signed is None:
        return TypedCall("UpdateFirmware", {"location": location, "retrieveDate": timestamp(at)})
    told: dict[str, Any] = {"location": location, "retrieveDateTime": timestamp(at)}
    if signed is not None:
        told |= {"signingCertificate": signed.certificate, "signature": signed.signature}
    action = "SignedUpdateFirmware" if protocol == _OLD else "UpdateFirmware"
    return TypedCall(action, {"requestId": number or _number(), "firmware": told})


def install_certificate(protocol: str, *, use: str, certificate: str) -> TypedCall:
    """Return the call that adds a root certificate (PEM).

    Raises:
        CallWordError: If the station's version has no such use for one.
    """
    payload = {"certificateType": _use(protocol, use), "certificate": certificate}
    return TypedCall("InstallCertificate", payload)


def installed_certificates(protocol: str, *, use: str | None = None) -> TypedCall:
    """Return the call that asks which certificates a station has; 1.6 wants a *use*.

    Raises:
        CallWordError: If the station's version has no such use for one, or needs one.
    """
    if protocol == _OLD:
        payload: dict[str, Any] = {"certificateType": _use(protocol, use or "csms")}
    else:
        payload = {} if use is None else {"certificateType": [_use(protocol, use)]}
    return TypedCall("GetInstalledCertificateIds", payload)


def delete_certificate(_protocol: str, *, of: CertificateId) -> TypedCall:
    """Return the call that takes a certificate off a station."""
    told = {
        "hashAlgorithm": of.algorithm,
        "issuerNameHash": of.issuer_name_hash,
        "issuerKeyHash": of.issuer_key_hash,
        "serialNumber": of.serial_number,
    }
    return TypedCall("DeleteCertificate", {"certificateHashData": told})


def display(
    protocol: str,
    *,
    number: int,
    text: str,
    priority: str = "NormalCycle",
    transaction: str | None = None,
    language: str | None = None,
) -> TypedCall:
    """Return the call that shows a message on a station's display, or changes it by its number.

    Raises:
        CallWordError: If the station's version knows no displays.
    """
    _has_display(protocol)
    content = {"format": "UTF8", "content": text, **({"language": language} if language else {})}
    place = {"transactionId": transaction} if transaction else {}
    message = {"id": number, "priority": priority, "message": content, **place}
    return TypedCall("SetDisplayMessage", {"message": message})


def clear_display(protocol: str, *, number: int) -> TypedCall:
    """Return the call that takes a message off a display.

    Raises:
        CallWordError: If the station's version knows no displays.
    """
    _has_display(protocol)
    return TypedCall("ClearDisplayMessage", {"id": number})


def displayed(protocol: str) -> TypedCall:
    """Return the call that asks which messages a station shows; they come in messages of its own.

    Raises:
        CallWordError: If the station's version knows no displays.
    """
    _has_display(protocol)
    return TypedCall("GetDisplayMessages", {"requestId": _number()})


def data_transfer(
    _protocol: str, *, vendor: str, message: str | None = None, data: str | None = None
) -> TypedCall:
    """Return the call that carries what a vendor has made up."""
    more = {"messageId": message, "data": data}
    told = {name: value for name, value in more.items() if value is not None}
    return TypedCall("DataTransfer", {"vendorId": vendor, **told})


def _use(protocol: str, use: str) -> str:
    uses = _OLD_USES if protocol == _OLD else CERTIFICATE_USES
    if use not in uses:
        message = f"a station of {protocol} has no certificates for {use!r}: {', '.join(uses)}"
        raise CallWordError(message)
    return uses[use]


def _has_display(protocol: str) -> None:
    if protocol == _OLD:
        message = "OCPP 1.6 knows no display messages; vendors have a data transfer of their own"
        raise CallWordError(message)


def _times(first: str, since: datetime | None, last: str, until: datetime | None) -> dict[str, str]:
    told = {first: since, last: until}
    return {name: timestamp(at) for name, at in told.items() if at is not None}


def _number() -> int:
    return 1 + secrets.randbelow(_NUMBERS)
