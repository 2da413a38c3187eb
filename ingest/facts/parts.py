"""Parts of facts: where a version has one, and by which reader; and readers that know words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from ingest.facts.lenient import (
    Oddities,
    energy_of,
    note_grouping,
    read_int,
    read_number,
    read_text,
)
from ingest.facts.rpc_call import RpcCall
from ledger.facts.flags import Flag
from ledger.facts.station_facts import ChargingState

PLACES: Final = 2**31
"""A place is an int32 in every version, and in our tables."""
WORD_MAX: Final = 50
"""Characters of a word that is kept for people, of which no standard allows more."""
Reader = Callable[[object, Oddities], Any]
"""Returns what JSON of any type says, and notes what is odd; most are in `lenient`."""


class At(NamedTuple):
    """A part that `read` makes of what stands under `name`, or under `inner` in that."""

    name: str
    inner: str | None
    read: Reader


def at(path: str, read: Reader) -> At:
    """Return a part that *read* makes of what stands at *path*: "name" or "name.inner"."""
    name, _, inner = path.partition(".")
    return At(name, inner or None, read)


FromCall = Callable[[RpcCall], Any]
Part = At | FromCall | None
"""How one part of a fact is read: at a path, from the whole call, or not at all."""


def among(words: Collection[str]) -> Reader:
    """Return a reader of text; what is none of the known *words* is odd."""

    def read(raw: object, oddities: Oddities) -> str | None:
        found = read_text(raw)
        if found is not None and found not in words:
            oddities.add(Flag.ENUM_UNKNOWN)
        return found

    return read


def at_most(characters: int) -> Reader:
    """Return a reader of text that is kept for people, cut where no standard lets it go on."""

    def read(raw: object, _oddities: Oddities) -> str | None:
        found = read_text(raw)
        return None if found is None else found[:characters]

    return read


States = Mapping[str | None, ChargingState | None]


def state_among(states: States) -> Reader:
    """Return a reader of the name of a state; an unknown one is odd."""

    def read(raw: object, oddities: Oddities) -> ChargingState | None:
        name = raw if isinstance(raw, str) else read_text(raw)
        if name not in states:
            oddities.add(Flag.ENUM_UNKNOWN)
        return states.get(name)

    return read


def read_truth(raw: object, _oddities: Oddities) -> bool:
    """Return whether *raw* is true, also as text."""
    return raw in (True, "true")


def read_place(raw: object, oddities: Oddities) -> int | None:
    """Return the number of a place; 0 is the whole station, which is odd."""
    number = read_number_of_place(raw, oddities)
    if number == 0:
        oddities.add(Flag.CONNECTOR_ZERO)
    return number


def read_number_of_place(raw: object, oddities: Oddities) -> int | None:
    """Return the number of a place, 0 too; one below 0, or that is no int32, is none."""
    number = read_int(raw)
    if number is not None and not 0 <= number < PLACES:
        oddities.add(Flag.PLACE_UNREADABLE)
        return None
    return number


def read_place_of_session(raw: object, oddities: Oddities) -> int | None:
    """Return the number of the place of a session, which none has at the whole station."""
    number = read_number_of_place(raw, oddities)
    if number == 0:
        oddities.add(Flag.PLACE_ZERO)
    return number


def read_reservation(raw: object, _oddities: Oddities) -> int | None:
    """Return the number of a reservation; with one below 0 stations say that there is none."""
    number = read_int(raw)
    return None if number is None or number < 0 else number


def read_register(raw: object, oddities: Oddities) -> Decimal | None:
    """Return the register that *raw* says; none at all is not odd."""
    value = None if raw is None else read_number(raw, oddities)
    if Flag.DECIMAL_COMMA in oddities:
        note_grouping(raw, oddities)
    return None if value is None else energy_of(value, oddities)
