"""Passwords of stations as master data keeps them: salted scrypt, never the password itself.

Keys of stations are random, at least 16 bytes, and so need no expensive hash; scrypt at a low cost
keeps those safe that were chosen badly.

Source: OCPP 1.6 security whitepaper edition 2, 2.3; OCPP 2.0.1 part 2, A00.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets

from ledger.errors import LedgerError

_COST, _BLOCK, _LANES = 4096, 8, 1
# 16 to 20 bytes (security whitepaper edition 2, 2.3).
_HEX_KEY = re.compile(rb"[0-9A-Fa-f]{32,40}")


class BadHashError(LedgerError):
    """A declared password hash is not one of ours."""

    def __init__(self) -> None:
        super().__init__("a password hash must read scrypt$cost$block$lanes$salt$hash")


def hash_password(password: str | bytes) -> str:
    """Return a salted hash of *password* for the master data."""
    salt = secrets.token_bytes(16)
    digest = _scrypt(key_bytes(password), salt, _COST, _BLOCK, _LANES)
    return f"scrypt${_COST}${_BLOCK}${_LANES}${_base64(salt)}${_base64(digest)}"


def password_matches(password: str | bytes, password_hash: str) -> bool:
    """Say whether *password* is the one behind *password_hash*, in constant time.

    Raises:
        BadHashError: If the hash is not one that `hash_password` makes.
    """
    try:
        scheme, cost, block, lanes, salt, digest = password_hash.split("$")
        expected = base64.b64decode(digest, validate=True)
        salted = base64.b64decode(salt, validate=True)
        if scheme != "scrypt":
            raise BadHashError
        given = _scrypt(key_bytes(password), salted, int(cost), int(block), int(lanes))
    except ValueError as error:
        raise BadHashError from error
    return hmac.compare_digest(given, expected)


def key_bytes(password: str | bytes) -> bytes:
    """Return the bytes of a key: 1.6 stations send it as hex text or as what the hex stands for."""
    raw = password.encode() if isinstance(password, str) else password
    if _HEX_KEY.fullmatch(raw) and len(raw) % 2 == 0:
        return bytes.fromhex(raw.decode())
    return raw


def _scrypt(key: bytes, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    return hashlib.scrypt(key, salt=salt, n=cost, r=block, p=lanes, dklen=32)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
