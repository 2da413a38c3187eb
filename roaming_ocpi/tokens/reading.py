"""A token as partners write it, in all versions, and as it is kept.

What we do not know stays in the kept object as it came: unknown fields, and unknown values of an
enumeration. A `whitelist` that we do not know is asked about each time, as NEVER: that lets nobody
charge whom the partner might not want.

Source: OCPI 2.1.1, mod_tokens, 12.3; OCPI 2.2.1 and 2.3.0, mod_tokens, 12.4.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from ledger.partners.party import BadPartyError, party_named
from ledger.partners.tokens import (
    BadPartnerTokenError,
    PartnerToken,
    Whitelist,
    token_checked,
)
from ledger.persons.holders import Holder
from tariffs.kernel.priced import Note
from tariffs.ocpi.documents import OcpiError, decode_json
from tariffs.ocpi.fields import JsonFields
from tariffs.ocpi.versions import OcpiVersion

RFID: Final = "RFID"
_OWNER: Final = ("country_code", "party_id")
_WHITELISTS: Final[Mapping[str, Whitelist]] = {
    "ALWAYS": Whitelist.ALWAYS,
    "ALLOWED": Whitelist.ALLOWED,
    "ALLOWED_OFFLINE": Whitelist.ALLOWED_OFFLINE,
    "NEVER": Whitelist.NEVER,
}
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number", order="sorted")


class ReadToken(NamedTuple):
    """A token that can be kept, whose it is, and what was repaired in it."""

    token: PartnerToken
    holder: Holder
    notes: tuple[Note, ...]

    def __repr__(self) -> str:
        return "ReadToken(...)"


def read_token(
    value: object, version: OcpiVersion, party: str, *, uid: str | None = None
) -> ReadToken:
    """Return the token of *party* in an object of *version*; *uid* is that of the address.

    Raises:
        OcpiError: If it cannot be kept; it says where and why, and no value of the token.
    """
    notes: list[Note] = []
    if not isinstance(value, dict):
        raise _refused(at="", why="is no object")
    fields = JsonFields(value, "", notes)
    token = PartnerToken(
        uid=_word(fields, "uid"),
        contract_id=_word(fields, "auth_id" if version is OcpiVersion.V2_1_1 else "contract_id"),
        is_valid=_yes_or_no(fields, "valid"),
        whitelist=_WHITELISTS.get(_word(fields, "whitelist"), Whitelist.NEVER),
        object=_kept(fields.value),
        last_updated=_moment(fields, "last_updated"),
    )
    if token.last_updated is None:
        raise _refused(at="last_updated", why="is missing")
    for name in ("type", "issuer"):
        _word(fields, name)
    if version is not OcpiVersion.V2_1_1:
        _check_owner(fields, party)
    if uid is not None and uid.casefold() != token.uid.casefold():
        raise _refused(at="uid", why="is not the one in the address")
    try:
        holder = token_checked(party, 1, token)
    except BadPartnerTokenError as error:
        raise _refused(at="", why=error.problem) from None
    return ReadToken(token, holder, tuple(notes))


def kept_object(text: str, version: OcpiVersion, party: str) -> dict[str, Any]:
    """Return the object in a kept text as *version* writes it, with exact numbers.

    It may have come in another version: the partner has changed to this one since.
    """
    tree: dict[str, Any] = decode_json(text.encode())
    if version is OcpiVersion.V2_1_1:
        if "contract_id" in tree and "auth_id" not in tree:
            tree["auth_id"] = tree.pop("contract_id")
        return {name: value for name, value in tree.items() if name not in _OWNER}
    if "auth_id" in tree and "contract_id" not in tree:
        tree["contract_id"] = tree.pop("auth_id")
    return dict(zip(_OWNER, party.split("-"), strict=True)) | tree


def merged(kept: Mapping[str, Any], patch: object) -> dict[str, Any]:
    """Return a *kept* object after a PATCH: absent stays as it was, null is gone.

    Raises:
        OcpiError: If the patch is no object, or does not say when it was made.

    Source: OCPI 2.2.1, transport_and_format, 4.1.2, and mod_tokens, PATCH.
    """
    fields = JsonFields(patch, "", [])
    if not fields.has("last_updated"):
        raise _refused(at="last_updated", why="is missing: a PATCH must say when it was made")
    found = {**kept, **fields.value}
    return {name: value for name, value in found.items() if value is not None}


def owner_named(value: object) -> str | None:
    """Return the party that an object says it is of, None where it says none that can be."""
    if not isinstance(value, dict):
        return None
    country, party_id = value.get("country_code"), value.get("party_id")
    if not isinstance(country, str) or not isinstance(party_id, str):
        return None
    try:
        return party_named(country, party_id)
    except BadPartyError:
        return None


def _check_owner(fields: JsonFields, party: str) -> None:
    if not fields.has("country_code") or not fields.has("party_id"):
        missing = "party_id" if fields.has("country_code") else "country_code"
        raise _refused(at=missing, why="is missing")
    if owner_named(fields.value) != party:
        raise _refused(at="party_id", why="names another party")


def _word(fields: JsonFields, name: str) -> str:
    """Return a text that must be there; what is wrong with it is said without quoting it."""
    value = fields.get(name)
    if value is None:
        raise _refused(at=name, why="is missing")
    if not isinstance(value, str):
        raise _refused(at=name, why="is not a text")
    return value


def _yes_or_no(fields: JsonFields, name: str) -> bool:
    value = fields.get(name)
    if not isinstance(value, bool):
        raise _refused(at=name, why="is missing" if value is None else "is neither true nor false")
    return value


def _moment(fields: JsonFields, name: str) -> datetime | None:
    try:
        return fields.moment(name)
    except OcpiError:
        raise _refused(at=name, why="is not a date and time") from None


def _kept(value: Mapping[str, object]) -> str:
    try:
        text = _ENCODER.encode(value).decode()
        # What was no JSON when it came, NaN, is none now.
        msgspec.json.decode(text, type=msgspec.Raw)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise _refused(at="", why="has a value that no JSON can give back") from None
    return text


def _refused(*, at: str, why: str) -> OcpiError:
    return OcpiError(at, why)
