"""Guesses are slowed: by account and by address each more than the last, and nobody for ever.

An attempt is counted before its password is looked at, so that a hundred at once are no more than
one after another; who comes in is counted no more. A browser in which somebody came in before (a
random cookie) has a count of its own and waits for no other: who guesses elsewhere locks nobody
out, nor does a clock that was ahead and is set back. Codes of a second factor have a longer wait
beside: who guesses at one knows the password, and a million codes are few. Kept are digests, for a
day.
Source: OWASP, "Slow Down Online Guessing Attacks with Device Cookies".
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.errors import LedgerError
from ledger.four_eyes import letters_of

FREE: Final = 5
"""Guesses before the first wait, which is a second; each later one is twice as long."""
ACCOUNT_SECONDS_MAX: Final = 60
CODE_SECONDS_MAX: Final = 900
"""So a day of guesses at codes, of which three hold, finds one in some three thousand times."""
ADDRESS_FREE: Final = 50
ADDRESS_SECONDS_MAX: Final = 10
FORGOTTEN: Final = timedelta(hours=1)
"""Since the last guess: then it begins anew."""
CODES_FORGOTTEN: Final = timedelta(days=1)
BROWSER_KNOWN: Final = timedelta(days=90)
AHEAD_MAX: Final = timedelta(seconds=ACCOUNT_SECONDS_MAX)
"""What was counted later than that from now was so by a clock that was set back since."""
_DOUBLINGS_MAX: Final = 20
_COUNT: LiteralString = """
INSERT INTO login_refusal AS kept (whose, count, since) VALUES (%(whose)s, 1, %(now)s)
ON CONFLICT (whose) DO UPDATE SET
    count = CASE WHEN kept.since <= %(forgotten)s THEN 1 ELSE kept.count + 1 END, since = %(now)s
WHERE kept.since <= %(forgotten)s OR kept.since > %(ahead)s
    OR kept.since + make_interval(secs => CASE WHEN kept.count < %(free)s THEN 0
        ELSE least(%(most)s, 2 ^ least(kept.count - %(free)s, %(doublings)s)) END) <= %(now)s
"""
_LEFT: LiteralString = """
SELECT count, since FROM login_refusal WHERE whose = %s
"""
_CLEAR: LiteralString = "DELETE FROM login_refusal WHERE whose = ANY (%s)"
_UNDO: LiteralString = "UPDATE login_refusal SET count = greatest(count - 1, 0) WHERE whose = %s"
_OLD: LiteralString = "DELETE FROM login_refusal WHERE since <= %s"
_KNOWN: LiteralString = (
    "SELECT FROM known_browser WHERE digest = %s AND name = %s AND known_at > %s"
)
_KNOW: LiteralString = "INSERT INTO known_browser (digest, name, known_at) VALUES (%s, %s, %s)"
_OLD_BROWSERS: LiteralString = "DELETE FROM known_browser WHERE known_at <= %s"
_FORGET: LiteralString = "DELETE FROM known_browser WHERE name = %s"


class TooManyGuessesError(LedgerError):
    """So many guesses came that one has to wait."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(f"too many attempts: try again in {seconds} s")


class Comer(NamedTuple):
    """Who tries to come in: the address, and the cookie of a browser that was in before."""

    address: str
    browser: str = ""


class _Count(NamedTuple):
    whose: str
    free: int
    seconds_max: int
    forgotten: timedelta = FORGOTTEN


def count_attempt(
    connection: Connection[Any], name: str, comer: Comer, now: datetime, *, is_code: bool = False
) -> None:
    """Count an attempt to come in as *name*, in no transaction: what fails stays counted.

    Args:
        connection: To the database.
        name: As whom.
        comer: Who tries.
        now: The time.
        is_code: By a code of the second factor, after the password was right.

    Raises:
        TooManyGuessesError: If it has to wait; such an attempt is not counted.
    """
    codes, *others = _counts(connection, name, comer, now)
    for each in (*reversed(others), *([codes] if is_code else ())):
        asked = {
            "whose": each.whose,
            "now": now,
            "forgotten": now - each.forgotten,
            "ahead": now + AHEAD_MAX,
            "free": each.free,
            "most": each.seconds_max,
            "doublings": _DOUBLINGS_MAX,
        }
        if not connection.execute(_COUNT, asked).rowcount:
            raise TooManyGuessesError(_seconds_left(connection, each, now))


def clear_attempts(connection: Connection[Any], name: str, comer: Comer, now: datetime) -> None:
    """Forget what was counted of *name*, who came in; of an address only this attempt."""
    codes, mine, *address = _counts(connection, name, comer, now)
    connection.execute(_CLEAR, ([codes.whose, mine.whose],))
    for each in address:
        connection.execute(_UNDO, (each.whose,))
    connection.execute(_OLD, (now - timedelta(days=1),))


def know_browser(connection: Connection[Any], name: str, comer: Comer, now: datetime) -> str:
    """Return the cookie of a browser in which *name* came in: its own if it has one that holds."""
    if _is_known(connection, name, comer, now):
        return comer.browser
    cookie = secrets.token_urlsafe(32)
    connection.execute(_OLD_BROWSERS, (now - BROWSER_KNOWN,))
    connection.execute(_KNOW, (_digest(cookie), name, now))
    return cookie


def forget_browsers(connection: Connection[Any], name: str) -> None:
    """Let no browser be one that *name* was in before."""
    connection.execute(_FORGET, (name,))


def _counts(
    connection: Connection[Any], name: str, comer: Comer, now: datetime
) -> tuple[_Count, ...]:
    """Return what an attempt counts against: codes', then the account's or the browser's."""
    letters = letters_of(name)
    if _is_known(connection, name, comer, now):
        return (
            _codes("codes of browser", comer.browser),
            _Count(_whose("browser", comer.browser), FREE, ACCOUNT_SECONDS_MAX),
        )
    return (
        _codes("codes of account", letters),
        _Count(_whose("account", letters), FREE, ACCOUNT_SECONDS_MAX),
        _Count(_whose("address", _network(comer.address)), ADDRESS_FREE, ADDRESS_SECONDS_MAX),
    )


def _codes(kind: str, what: str) -> _Count:
    return _Count(_whose(kind, what), FREE, CODE_SECONDS_MAX, CODES_FORGOTTEN)


def _is_known(connection: Connection[Any], name: str, comer: Comer, now: datetime) -> bool:
    if not comer.browser:
        return False
    asked = (_digest(comer.browser), name, now - BROWSER_KNOWN)
    return connection.execute(_KNOWN, asked).fetchone() is not None


def _seconds_left(connection: Connection[Any], each: _Count, now: datetime) -> int:
    row = connection.execute(_LEFT, (each.whose,)).fetchone()
    if row is None:
        return 1
    count, since = row
    doublings = max(0, min(count - each.free, _DOUBLINGS_MAX))
    until = since + timedelta(seconds=min(each.seconds_max, 1 << doublings))
    left: timedelta = until - now
    return max(1, -(-left // timedelta(seconds=1)))


def _network(address: str) -> str:
    """Return whom an address stands for: of IPv6, a household has 64 bits of them."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return parsed.exploded[:19]
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def _whose(kind: str, what: str) -> str:
    return hashlib.sha256(f"{kind} {what}".encode(errors="replace")).hexdigest()


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode(errors="replace")).digest()
