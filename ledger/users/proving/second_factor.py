"""The second factor: codes of six digits every 30 seconds (TOTP, RFC 6238, with SHA-1 as apps do).

The key is sealed in the account's row with a key of its own in the schema `persons`. A code holds
in its step, the one before and the one after; each is taken once, and none before one taken.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from datetime import datetime
from typing import Any, Final, LiteralString

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from psycopg import Connection

from ledger.persons.holders import user_holder
from ledger.persons.sealing import Subject, seal_bytes, unseal_bytes
from ledger.persons.store import find_or_make

STEP_SECONDS: Final = 30
DIGITS: Final = 6
ISSUER: Final = "Wattledger"
_KEY_BYTES: Final = 20
_STEPS_AROUND: Final = 1
_OFFER: LiteralString = "UPDATE user_account SET factor_offered = %s WHERE name = %s"
_OFFERED: LiteralString = "SELECT factor_offered FROM user_account WHERE name = %s"
_KEPT: LiteralString = "SELECT second_factor, factor_step FROM user_account WHERE name = %s"
_SET: LiteralString = """
UPDATE user_account SET second_factor = factor_offered, factor_offered = NULL, factor_step = %s
WHERE name = %s AND factor_offered = %s
"""
# Of two that come with the same code at once, one finds the step taken.
_TAKE: LiteralString = """
UPDATE user_account SET factor_step = %(step)s
WHERE name = %(name)s AND factor_step < %(step)s AND second_factor IS NOT NULL
"""
_REMOVE: LiteralString = """
UPDATE user_account SET second_factor = NULL, factor_offered = NULL WHERE name = %s
"""


def offer_factor(connection: Connection[Any], name: str) -> None:
    """Make a key for *name*, to be shown by `offered_address` until a code of it comes."""
    sealed = seal_bytes(_subject(connection, name), secrets.token_bytes(_KEY_BYTES))
    connection.execute(_OFFER, (sealed, name))


def offered_address(connection: Connection[Any], name: str) -> str | None:
    """Return the `otpauth:` address of the key that is offered to *name*, None where none is."""
    sealed = _asked(connection, _OFFERED, name)
    if sealed is None:
        return None
    key = unseal_bytes(_subject(connection, name), bytes(sealed))
    return _totp(key).get_provisioning_uri(name, ISSUER)


def typed_key(address: str) -> str:
    """Return of an `otpauth:` address the key, in groups as people type it."""
    key = address.partition("secret=")[2].partition("&")[0]
    return " ".join(key[at : at + 4] for at in range(0, len(key), 4))


def set_factor(connection: Connection[Any], name: str, code: str, now: datetime) -> bool:
    """Make the key that is offered the factor of *name*, if *code* is one of it; say whether."""
    sealed = _asked(connection, _OFFERED, name)
    if sealed is None:
        return False
    step = _step_of(unseal_bytes(_subject(connection, name), bytes(sealed)), code, now)
    if step is None:
        return False
    return bool(connection.execute(_SET, (step, name, sealed)).rowcount)


def take_code(connection: Connection[Any], name: str, code: str, now: datetime) -> bool:
    """Say whether *code* is one of the factor of *name* that was not taken; it is taken by that."""
    row = connection.execute(_KEPT, (name,)).fetchone()
    if row is None or row[0] is None:
        return False
    step = _step_of(unseal_bytes(_subject(connection, name), bytes(row[0])), code, now)
    if step is None or step <= row[1]:
        return False
    return bool(connection.execute(_TAKE, {"step": step, "name": name}).rowcount)


def remove_factor(connection: Connection[Any], name: str) -> None:
    """Let *name* have no second factor."""
    connection.execute(_REMOVE, (name,))


def code_at(key: bytes, moment: datetime) -> str:
    """Return the code of a key at a moment."""
    return _totp(key).generate(int(moment.timestamp())).decode()


def key_in(address: str) -> bytes:
    """Return the key that stands in an `otpauth:` address."""
    text = typed_key(address).replace(" ", "")
    return base64.b32decode(text + "=" * (-len(text) % 8))


def _step_of(key: bytes, code: str, now: datetime) -> int | None:
    """Return the step whose code it is, of those that hold now."""
    typed = "".join(code.split())
    if len(typed) != DIGITS or not typed.isascii() or not typed.isdecimal():
        return None
    totp, current = _totp(key), int(now.timestamp()) // STEP_SECONDS
    fits = [
        step
        for step in range(current - _STEPS_AROUND, current + _STEPS_AROUND + 1)
        if hmac.compare_digest(totp.generate(step * STEP_SECONDS), typed.encode())
    ]
    return fits[-1] if fits else None


def _totp(key: bytes) -> TOTP:
    return TOTP(key, DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303 - what authenticator apps know


def _asked(connection: Connection[Any], statement: LiteralString, name: str) -> bytes | None:
    row = connection.execute(statement, (name,)).fetchone()
    return None if row is None else row[0]


def _subject(connection: Connection[Any], name: str) -> Subject:
    [subject] = find_or_make(connection, [user_holder(name)]).values()
    return subject
