"""What a station shows of itself: HTTP Basic, over TLS where it is configured.

Source: OCPP 1.6 security whitepaper edition 2, 2.3; OCPP 2.0.1 part 2, A00.
"""

from __future__ import annotations

import base64
import binascii
import ssl
from typing import NamedTuple


class Credentials(NamedTuple):
    """What a station presented; the key is binary."""

    identity: str
    key: bytes


def basic_credentials(header: str) -> Credentials | None:
    """Return what an Authorization *header* holds, or None if it is not HTTP Basic."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, key = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return Credentials(name.decode(), key) if colon else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def tls_context(certificate: str, key: str) -> ssl.SSLContext:
    """Return a server context of TLS 1.2 or newer for PEM files (OCPP security profile 2)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context
