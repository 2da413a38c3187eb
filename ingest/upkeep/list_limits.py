"""How long a station's local list may be, and one message of it: what it is asked, what it says.

Source: OCPP 1.6 edition 2, 9.3 (LocalAuthListMaxLength, SendLocalListMaxLength); OCPP 2.0.1 part 2,
2.9 (LocalAuthListCtrlr.ItemsPerMessage).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from ingest.commands.typed import TypedCall, get_variables
from ingest.facts.lenient import read_int, read_list, read_object, read_text

ITEMS_MAX: Final = 50
"""Entries of one message to a station that does not say how many it takes, and at most."""
_OLD: Final = "ocpp1.6"
_LENGTH, _ITEMS = "LocalAuthListMaxLength", "SendLocalListMaxLength"
_VARIABLE: Final = "LocalAuthListCtrlr.ItemsPerMessage"


class ListLimits(NamedTuple):
    """Entries of a message, and of the whole list; None: the station does not say."""

    items_max: int = ITEMS_MAX
    length_max: int | None = None


def limits_wanted(protocol: str) -> TypedCall:
    """Return the call that asks for the limits."""
    return get_variables(protocol, names=(_LENGTH, _ITEMS) if protocol == _OLD else (_VARIABLE,))


def limits_in(protocol: str, answer: object) -> ListLimits:
    """Return the limits in a station's *answer*; what is no number above 0 limits nothing."""
    said = dict(_keys(answer) if protocol == _OLD else _variables(answer))
    items, length = read_int(said.get(_ITEMS)), read_int(said.get(_LENGTH))
    return ListLimits(
        min(items, ITEMS_MAX) if items is not None and items > 0 else ITEMS_MAX,
        length if length is not None and length > 0 else None,
    )


def _keys(answer: object) -> Iterator[tuple[Any, Any]]:
    for each in read_list(read_object(answer).get("configurationKey")):
        row = read_object(each)
        yield read_text(row.get("key")), row.get("value")


def _variables(answer: object) -> Iterator[tuple[Any, Any]]:
    for each in read_list(read_object(answer).get("getVariableResult")):
        yield _ITEMS, read_object(each).get("attributeValue")
