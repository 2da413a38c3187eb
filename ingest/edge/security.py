"""What a station shows of itself: HTTP Basic, over TLS where it is configured.

Source: OCPP 1.6 security whitepaper edition 2, 2.3; OCPP 2.0.1 part 2, A00.
"""

from __future__ import annotations

import base64
import binascii
import ssl
from typing import Final, NamedTuple

_AND: Final = ","
_WITH_SECRECY: Final = (
    "@SECLEVEL=2:ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:DHE+AES:!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM"
)
"""Said, as Python may be built to leave it to the system: Debian's offers exchange by RSA alone."""
_WITHOUT_SECRECY: Final = ("AES128-GCM-SHA256", "AES256-GCM-SHA384")
"""TLS_RSA_WITH_AES_128_GCM_SHA256 and TLS_RSA_WITH_AES_256_GCM_SHA384, as OpenSSL says them."""


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


def tls_context(certificates: str, keys: str) -> ssl.SSLContext:
    """Return a server context of TLS 1.2 or newer for PEM files (OCPP security profile 2).

    Two certificates, one of elliptic curves and one of RSA, stand with a comma between them, their
    keys likewise: each station is shown the one that it can check. Who has both also gets what the
    standard wants beside it (A00.FR.318): the two suites that exchange keys by RSA alone, after all
    others, for old stations that know none with forward secrecy.

    Raises:
        OSError: If a file cannot be read, or a key is not its certificate's.
        ValueError: If there are not as many keys as certificates.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_WITH_SECRECY)
    pairs = list(zip(certificates.split(_AND), keys.split(_AND), strict=True))
    for certificate, key in pairs:
        context.load_cert_chain(certificate.strip(), key.strip())
    if len(pairs) > 1:
        known = [each["name"] for each in context.get_ciphers() if each["protocol"] != "TLSv1.3"]
        context.set_ciphers(":".join((*known, *_WITHOUT_SECRECY)))
    return context
