"""Who or what a subject id stands for, as the deletable table knows it."""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple

from ledger.facts.token_uid import NO_HABITS, TokenHabits, canonical_token

NAME_MAX: Final = 200
"""Characters of a name: an index takes a few thousand bytes, a frame may hold a million."""
_SPELT_MAX: Final = 255
_DIGEST_CHARACTERS: Final = 64


class HolderKind(StrEnum):
    """What has a subject id."""

    TOKEN = "token"  # noqa: S105 - the name of a kind, no secret
    CUSTOMER = "customer"
    DRIVER = "driver"
    """Who drives with a token of a fleet, by the name that the fleet's operator gives."""
    STATION = "station"
    """Texts of a station in which somebody may stand whom no rule finds."""
    PARTNER = "partner"
    """The same of a roaming partner."""
    PAYER = "payer"
    """Who paid us by transfer, or was paid, by the account or the name that the bank tells."""
    SECRET = "secret"  # noqa: S105 - the name of a kind, no secret
    """Passwords that a station is told, what a partner lets us in by, second factors of people who
    work here: nobody is shown them."""


class Holder(NamedTuple):
    """Who has a subject id: `name` is compared, `spelt` is how it was first written."""

    kind: HolderKind
    name: str
    spelt: str


def token_holder(raw: str | None, habits: TokenHabits = NO_HABITS) -> Holder | None:
    """Return the holder that the token *raw* is, None where it says nothing.

    Args:
        raw: The token as a station or a file writes it.
        habits: What the station's model makes of tokens.
    """
    # No table holds a NUL, and none may stand between a station and its answer.
    if raw is not None and "\0" in raw:
        habits = habits._replace(ignored=habits.ignored + "\0")
    name = canonical_token(raw, habits)
    return None if raw is None or name is None else _holder(HolderKind.TOKEN, name, raw)


def customer_holder(customer_id: str) -> Holder:
    """Return the holder that a customer is."""
    return _holder(HolderKind.CUSTOMER, customer_id, customer_id)


def driver_holder(name: str) -> Holder:
    """Return the holder that a driver is."""
    return _holder(HolderKind.DRIVER, " ".join(name.split()), name)


def station_holder(station_id: str) -> Holder:
    """Return the holder of what a station says in words that no rule understands."""
    return _holder(HolderKind.STATION, station_id, station_id)


def secret_holder(station_id: str) -> Holder:
    """Return the holder of the passwords that a station is told."""
    return _holder(HolderKind.SECRET, station_id, station_id)


def roaming_holder(party: str) -> Holder:
    """Return the holder of the token by which a roaming partner lets us in."""
    # No station's id has a space.
    return _holder(HolderKind.SECRET, f"roaming {party}", f"roaming {party}")


def user_holder(name: str) -> Holder:
    """Return the holder of what lets an account of somebody who works here in."""
    return _holder(HolderKind.SECRET, f"user {name}", f"user {name}")


def webhook_holder(webhook: str) -> Holder:
    """Return the holder of what signs a webhook's messages."""
    return _holder(HolderKind.SECRET, f"webhook {webhook}", f"webhook {webhook}")


def partner_holder(party: str) -> Holder:
    """Return the holder of what a partner says in words that no rule understands."""
    return _holder(HolderKind.PARTNER, party, party)


def payer_holder(account: str, name: str) -> Holder:
    """Return the holder that the other side of a bank's line is: its account, else its name."""
    known = "".join(account.split()).upper() or " ".join(name.split()).casefold()
    return _holder(HolderKind.PAYER, known, known)


def account_holder(source: str) -> Holder:
    """Return the holder of the key by which lines of a bank account of ours are told apart."""
    return _holder(HolderKind.SECRET, f"lines {source}", f"lines {source}")


def _holder(kind: HolderKind, name: str, spelt: str) -> Holder:
    return Holder(kind, _bounded(_storable(name)), _storable(spelt).strip()[:_SPELT_MAX])


def _storable(text: str) -> str:
    if text.isascii() and "\0" not in text:
        return text
    # Half of a surrogate pair is written out: two tokens must not become one.
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "")


def _bounded(name: str) -> str:
    if len(name) <= NAME_MAX:
        return name
    kept = name[: NAME_MAX - _DIGEST_CHARACTERS - 1]
    return f"{kept}#{sha256(name.encode()).hexdigest()}"
