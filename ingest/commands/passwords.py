"""New passwords of stations: how each version is told one, and which may be right meanwhile.

    told        the call is on its way, or nobody knows what came of it (also where the answer says
                neither yes nor no, against its schema): old and new are tried
    accepted    by the station (also RebootRequired): still both, until the new one is seen right
    proven      it was seen right, or somebody said that it is the one: the older ones are gone
    refused     the row goes, the old one holds

So no kill between the station and our table locks a station out. What is kept is a hash; in the
frames the password itself is sealed as a secret (`ingest.persons.cuts`), which is opened for the
station alone. Source: OCPP 1.6 security whitepaper edition 2, 2.3 and 4 (A01); OCPP 2.0.1 part 2,
A01, BasicAuthPassword.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, LiteralString, NamedTuple
from uuid import UUID

import msgspec
import psycopg

from ingest.commands.answered import AnsweredCall
from ingest.commands.command import CommandState
from ingest.commands.typed import TypedCall
from ingest.errors import IngestError

CHANGE: Final = "ChangeConfiguration"
SET: Final = "SetVariables"
_KEY: Final = "AuthorizationKey"
_COMPONENT: Final = "SecurityCtrlr"
_VARIABLE: Final = "BasicAuthPassword"
_TAKEN: Final = ("Accepted", "RebootRequired")
_REFUSED: Final = (
    "Rejected", "NotSupported", "UnknownComponent", "UnknownVariable", "NotSupportedAttributeType",
)  # fmt: skip
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2}){16,20}")
_BYTES_MIN, _BYTES_MAX = 16, 20
_CHARACTERS_MIN, _CHARACTERS_MAX = 16, 40
_GIVE: LiteralString = """
INSERT INTO station_password (station_id, declared_hash, hash, command_id, state, given_by)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::uuid[], %s::text[], %s::text[])
ON CONFLICT (command_id) DO NOTHING
"""
_ACCEPT: LiteralString = """
UPDATE station_password SET state = 'accepted' WHERE command_id = ANY(%s) AND state = 'told'
"""
_DROP: LiteralString = """
DELETE FROM station_password WHERE command_id = ANY(%s) AND state = 'told'
"""


class UnfitPasswordError(IngestError):
    """No station of that version takes such a password; the error does not repeat it."""


class GivenPassword(NamedTuple):
    """A password that a station is given, as its row: what is declared of it, and the new hash.

    Without a call (`command_id` None) the station has to use it from now on.
    """

    station_id: str
    declared_hash: str | None
    hash: str
    command_id: UUID | None
    state: str
    given_by: str


class _Named(msgspec.Struct):
    name: str = ""


class _Variable(msgspec.Struct, rename="camel"):
    component: _Named
    variable: _Named
    attribute_value: str = ""
    attribute_status: str = ""


class _Configuration(msgspec.Struct):
    key: str = ""
    value: str = ""


class _Variables(msgspec.Struct, rename="camel"):
    set_variable_data: list[_Variable] = []
    set_variable_result: list[_Variable] = []


def password_call(protocol: str, password: str) -> TypedCall:
    """Return the call that tells a station its new *password*.

    1.6 takes 16 to 20 bytes in hex: what is no such text is sent as the hex of its bytes.

    Raises:
        UnfitPasswordError: If the version takes no such password.
    """
    if protocol != "ocpp1.6":
        if not _CHARACTERS_MIN <= len(password) <= _CHARACTERS_MAX or not password.isprintable():
            message = f"a password of {protocol} has {_CHARACTERS_MIN} to {_CHARACTERS_MAX} signs"
            raise UnfitPasswordError(message)
        where = {"component": {"name": _COMPONENT}, "variable": {"name": _VARIABLE}}
        data = [{"attributeValue": password, **where}]
        return TypedCall(SET, {"setVariableData": data})
    digits = password if _HEX.fullmatch(password) else password.encode().hex()
    if not _HEX.fullmatch(digits):
        message = (
            f"a password of OCPP 1.6 has {_BYTES_MIN} to {_BYTES_MAX} bytes, "
            "as text or as 32 to 40 hex digits"
        )
        raise UnfitPasswordError(message)
    return TypedCall(CHANGE, {"key": _KEY, "value": digits})


def password_in(action: str, payload: str) -> str | None:
    """Return the password that a call tells its station, None for any other call."""
    try:
        if action == CHANGE:
            said = msgspec.json.decode(payload, type=_Configuration)
            return said.value if said.key.casefold() == _KEY.casefold() else None
        if action == SET:
            data = msgspec.json.decode(payload, type=_Variables).set_variable_data
            return next((each.attribute_value for each in data if _is_password(each)), None)
    except msgspec.DecodeError:  # its schema refuses it
        pass
    return None


async def note_given(
    connection: psycopg.AsyncConnection, given: Iterable[GivenPassword]
) -> Sequence[None]:
    """Note new passwords; what calls tell, in the transaction of the calls."""
    rows = list(given)
    if rows:
        await connection.execute(_GIVE, [list(column) for column in zip(*rows, strict=True)])
    return [None] * len(rows)


async def note_told(connection: psycopg.AsyncConnection, ended: Sequence[AnsweredCall]) -> None:
    """Note which stations took the passwords that they were told, in the transaction of the end."""
    over = [each for each in ended if each.action in (CHANGE, SET) and each.is_answered]
    if taken := [each.id for each in over if _is_taken(each)]:
        await connection.execute(_ACCEPT, (taken,))
    if refused := [each.id for each in over if _is_taken(each) is False]:
        await connection.execute(_DROP, (refused,))


def _is_taken(each: AnsweredCall) -> bool | None:
    """Say whether a station took its password, None where its answer does not."""
    if each.state is CommandState.ERROR:
        return False
    words = _words(each)
    if any(word in _TAKEN for word in words):
        return True
    return False if words and all(word in _REFUSED for word in words) else None


def _words(each: AnsweredCall) -> list[str]:
    """Return what a station says of its password, in OCPP's words."""
    if each.action == CHANGE:
        return [each.answer.text("status") or ""]
    try:
        told: Any = msgspec.json.decode(each.answer.payload, type=_Variables)
    except msgspec.DecodeError:
        return []
    return [v.attribute_status for v in told.set_variable_result if _is_password(v)]


def _is_password(each: _Variable) -> bool:
    return (
        each.component.name.casefold() == _COMPONENT.casefold()
        and each.variable.name.casefold() == _VARIABLE.casefold()
    )
