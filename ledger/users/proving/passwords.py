"""Passwords: argon2id (RFC 9106) with OWASP's parameters, at most a few at a time.

What is kept is the text form with its salt. A check costs 19 MiB and some 30 ms: so many at once
as `_AT_A_TIME`, whoever asks; a name that nobody has costs the same as one that somebody has.
Source: OWASP Password Storage Cheat Sheet; NIST SP 800-63B, 5.1.1.
"""

from __future__ import annotations

import secrets
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from ledger.errors import LedgerError
from ledger.four_eyes import letters_of

CHARACTERS_MIN: Final = 12
BYTES_MAX: Final = 1024
DISTINCT_MIN: Final = 5
_SALT_BYTES: Final = 16
_LENGTH: Final = 32
_MEMORY_KIB: Final = 19_456
_PASSES: Final = 2
_LANES: Final = 1
_AT_A_TIME: Final = 2
_PATIENCE_SECONDS: Final = 5
_TURNS: Final = threading.BoundedSemaphore(_AT_A_TIME)
# Of a password that nobody knows: made once, with the same parameters.
_NOBODYS: Final = (
    f"$argon2id$v=19$m={_MEMORY_KIB},t={_PASSES},p={_LANES}"
    "$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)


class WeakPasswordError(LedgerError):
    """A password that is too short, too long, or guessed at once."""


class BusyError(LedgerError):
    """So many come in at this moment that no turn was free."""

    def __init__(self) -> None:
        super().__init__("many are coming in at this moment: try again in a few seconds")


def hash_password(password: str, name: str) -> str:
    """Return what is kept of a password that *name* chose.

    Raises:
        WeakPasswordError: If it is no good one.
        BusyError: If no turn came free.
    """
    raw = _bytes(password)
    if raw is None or len(raw) > BYTES_MAX:
        message = f"a password has at most {BYTES_MAX} bytes: choose a shorter one"
        raise WeakPasswordError(message)
    if len(password) < CHARACTERS_MIN:
        message = f"a password has at least {CHARACTERS_MIN} characters: choose a longer one"
        raise WeakPasswordError(message)
    letters = letters_of(password)
    own = letters.replace(letters_of(name), "")
    if len(set(password)) < DISTINCT_MIN or (letters and (not own or own.isdecimal())):
        message = "this password is guessed at once: take several words, or other characters"
        raise WeakPasswordError(message)
    with _turn():
        return _kdf(secrets.token_bytes(_SALT_BYTES)).derive_phc_encoded(raw)


def is_password(password: str, kept: str | None) -> bool:
    """Say whether *password* is the one of which *kept* is kept; None: nobody's, at the same cost.

    Raises:
        BusyError: If no turn came free.
    """
    raw = _bytes(password)
    if raw is None or len(raw) > BYTES_MAX:
        raw, kept = b"", None
    with _turn():
        try:
            Argon2id.verify_phc_encoded(raw, kept or _NOBODYS)
        except InvalidKey:
            return False
    return kept is not None


def _kdf(salt: bytes) -> Argon2id:
    return Argon2id(
        salt=salt, length=_LENGTH, iterations=_PASSES, lanes=_LANES, memory_cost=_MEMORY_KIB
    )


def _bytes(password: str) -> bytes | None:
    """Return a password as it is hashed, however a keyboard composes its letters."""
    try:
        return unicodedata.normalize("NFKC", password).encode()
    except UnicodeEncodeError:
        return None


@contextmanager
def _turn() -> Iterator[None]:
    if not _TURNS.acquire(timeout=_PATIENCE_SECONDS):
        raise BusyError
    try:
        yield
    finally:
        _TURNS.release()
