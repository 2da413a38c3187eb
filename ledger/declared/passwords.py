"""Passwords of stations as master data keeps them: salted hashes, never the password itself.

A key of full length that was drawn at random needs no expensive hash: who has its keyed hash alone
has 2^128 keys to try. What was chosen by somebody is kept as scrypt, which costs 7 ms a try. Which
one a password is, is decided once, where it is declared (`is_random_key`):

    9f86d081884c7d659a2feaa0c55ad015    32 to 40 hex digits without a pattern: hmac-sha256
    deadbeefdeadbeefdeadbeefdeadbeef    a pattern: scrypt
    correct-horse-battery-staple        no hex key: scrypt, however long

Who writes the MD5 of a word takes it for a random key, as no look at it can tell; so stations get
the keys that `wattledger station password` draws.

Source: OCPP 1.6 security whitepaper edition 2, 2.3; OCPP 2.0.1 part 2, A00.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from functools import lru_cache
from itertools import pairwise
from typing import Final

from ledger.errors import LedgerError

LENGTH_MIN: Final = 8
"""Characters of a password that somebody declares or sets; what stations are told has 16."""
_KEYED, _SLOW = "hmac-sha256", "scrypt"
_COST, _BLOCK, _LANES = 4096, 8, 1
# 16 to 20 bytes (security whitepaper edition 2, 2.3).
_HEX_KEY = re.compile(rb"[0-9A-Fa-f]{32,40}")
DISTINCT_MIN: Final = 8
"""Of 32 random hex digits, and of the steps between them, fewer differ once in a million keys."""


class BadHashError(LedgerError):
    """A declared password hash is not one of ours."""

    def __init__(self) -> None:
        super().__init__(
            "a password hash must read scrypt$cost$block$lanes$salt$hash or hmac-sha256$salt$hash; "
            "`wattledger station password` makes one"
        )


def hash_password(password: str | bytes) -> str:
    """Return a salted hash of *password* for the master data."""
    key, salt = key_bytes(password), secrets.token_bytes(16)
    if is_random_key(password):
        return f"{_KEYED}${_base64(salt)}${_base64(_keyed(key, salt))}"
    digest = _scrypt(key, salt, _COST, _BLOCK, _LANES)
    return f"{_SLOW}${_COST}${_BLOCK}${_LANES}${_base64(salt)}${_base64(digest)}"


def password_matches(password: str | bytes, password_hash: str) -> bool:
    """Say whether *password* is the one behind *password_hash*, in constant time.

    Raises:
        BadHashError: If the hash is not one that `hash_password` makes.
    """
    key = key_bytes(password)
    try:
        match password_hash.split("$"):
            case [scheme, salt, digest] if scheme == _KEYED:
                given = _keyed(key, _bytes(salt))
            case [scheme, cost, block, lanes, salt, digest] if scheme == _SLOW:
                given = _scrypt(key, _bytes(salt), int(cost), int(block), int(lanes))
            case _:
                raise BadHashError
        return hmac.compare_digest(given, _bytes(digest))
    except ValueError as error:
        raise BadHashError from error


def check_hash(password_hash: str) -> None:
    """Let pass what `hash_password` makes, without hashing for each of a hundred thousand stations.

    Raises:
        BadHashError: If *password_hash* is something else; no password would ever match it.
    """
    try:
        match password_hash.split("$"):
            case [scheme, salt, digest] if scheme == _KEYED:
                pass
            case [scheme, cost, block, lanes, salt, digest] if scheme == _SLOW:
                _try(int(cost), int(block), int(lanes))
            case _:
                raise BadHashError
        _bytes(salt), _bytes(digest)
    except ValueError as error:
        raise BadHashError from error


@lru_cache(maxsize=64)
def _try(cost: int, block: int, lanes: int) -> None:
    """Hash something at these costs: some are none, and nearly all stations have the same ones.

    Raises:
        ValueError: If nothing can be hashed so.
    """
    _scrypt(b"", b"", cost, block, lanes)


def is_quick(password_hash: str) -> bool:
    """Say whether a password costs next to nothing to compare with *password_hash*."""
    return password_hash.startswith(f"{_KEYED}$")


def is_random_key(password: str | bytes) -> bool:
    """Say whether *password* is a key of full length in hex that nobody chose by its looks."""
    raw = password.encode() if isinstance(password, str) else password
    if not _HEX_KEY.fullmatch(raw) or len(raw) % 2:
        return False
    digits = [int(chr(digit), 16) for digit in raw]
    steps = {(after - before) % 16 for before, after in pairwise(digits)}
    # What repeats itself is found within two of itself, before its end.
    is_periodic = raw.lower() in (raw.lower() * 2)[1:-1]
    return min(len(set(digits)), len(steps)) >= DISTINCT_MIN and not is_periodic


def key_bytes(password: str | bytes) -> bytes:
    """Return the bytes of a key: 1.6 stations send it as hex text or as what the hex stands for."""
    raw = password.encode() if isinstance(password, str) else password
    if _HEX_KEY.fullmatch(raw) and len(raw) % 2 == 0:
        return bytes.fromhex(raw.decode())
    return raw


def _keyed(key: bytes, salt: bytes) -> bytes:
    return hmac.digest(salt, key, "sha256")


def _scrypt(key: bytes, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    return hashlib.scrypt(key, salt=salt, n=cost, r=block, p=lanes, dklen=32)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
