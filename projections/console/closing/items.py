"""The items of a month's checklist as pages say them, and where each of their lines leads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlencode

from ledger.periods.record import AccountingPeriod, ChecklistItem, SignOff
from projections.console.links import frame_link, session_link, sessions_link


class ItemWords(NamedTuple):
    """What an item is called, and what it lists; in English."""

    title: str
    meaning: str


ITEMS: Final[Mapping[str, ItemWords]] = {
    "held": ItemWords("Held", "Sessions that wait for a person"),
    "waiting": ItemWords(
        "Waiting", "Sessions that ended in the month and wait for what is missing of them"
    ),
    "unbilled": ItemWords(
        "Unbilled", "Rated sessions without invoice, and corrections without credit note"
    ),
    "set_aside": ItemWords("Set aside", "Lines of the log that raised and are in no balance"),
    "numbers": ItemWords(
        "Numbers", "Number series of documents with gaps, or with days that go back"
    ),
    "energy": ItemWords("Energy", "Days of stations whose energy does not add up"),
    "money": ItemWords(
        "Money", "Money nobody can explain, payouts that differ, disputes that are open"
    ),
    "replay": ItemWords("Replay", "What comes out of the log otherwise than it was recorded"),
}
_SESSION_ITEMS: Final = {"held", "waiting", "unbilled"}
_FRAME: Final = re.compile(r"(\d+/\d+/\d+) ")


def item_list(item: str, month: str) -> str:
    """Return the list that an item opens."""
    match item:
        case "held" | "waiting":
            return sessions_link(state=item)
        case "set_aside":
            return "/console/work/set_aside"
        case "energy":
            return _address("/console/integrity", month=month) + "#energy"
        case "numbers" | "replay":
            return f"/console/integrity#{item}"
        case _:
            return "/console/work"


def line_address(item: str, line: str) -> str:
    """Return where a line of an item leads, "" where nowhere."""
    if item in _SESSION_ITEMS:
        return session_link(line.split(" ", maxsplit=1)[0])
    if item == "set_aside" and (frame := _FRAME.match(line)):
        return frame_link(frame[1])
    if item == "energy":
        station, _, rest = line.partition(" ")
        return _address("/console/energy", station=station, day=rest.partition(" ")[0])
    return ""


def sign_off_of(item: ChecklistItem, period: AccountingPeriod) -> SignOff | None:
    """Return who let an item be as it is, None where nobody did, or nothing of it is left."""
    if item.is_empty:
        return None
    fit = (each for each in period.signed if (each.item, each.digest) == (item.item, item.digest))
    return next(fit, None)


def _address(path: str, **query: str) -> str:
    return f"{path}?{urlencode(query)}"
