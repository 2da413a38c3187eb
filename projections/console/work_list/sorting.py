"""How what waits is sorted: by its age, or by its amount where it has one; and where it goes on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from litestar.exceptions import ValidationException

from projections.console.addresses import AFTER, SORT
from projections.console.listing import Column
from projections.console.page import ConsolePage
from projections.waiting.counts import BehindItem, WaitingItem
from projections.waiting.kinds import KINDS, WaitingOrder

BY_AMOUNT: Final = frozenset({WaitingOrder.LEAST, WaitingOrder.MOST})
_MINOR: Final = re.compile(r"-?\d{1,18}", re.ASCII)


def order_of(page: ConsolePage, kind: str) -> WaitingOrder:
    """Return how the list of a kind is sorted by its address.

    Raises:
        ValidationException: If it has no such column, or an order that the kind has not.
    """
    said = page.address.of(SORT)
    order = next((each for each in KINDS[kind].queries if each == said), None)
    if said and order is None:
        message = page.text("{value} is no column that sorts", value=said[:100])
        raise ValidationException(message)
    return order or WaitingOrder.OLDEST


def sorting(kind: str, columns: Sequence[Column]) -> list[Column]:
    """Return *columns*, each saying whether it sorts the list of that kind."""
    return [each._replace(sorts=each.key in set(KINDS[kind].queries)) for each in columns]


def written(item: WaitingItem, order: WaitingOrder) -> str:
    """Return where a list goes on behind an item, as it stands in an address."""
    if order in BY_AMOUNT:
        return f"{item.minor or 0} {item.key}"
    return f"{item.at.isoformat() if item.at else ''} {item.key}"


def behind(page: ConsolePage, order: WaitingOrder) -> BehindItem | None:
    """Return where a page goes on; None, from the beginning, where its address says nothing."""
    said, _, key = page.address.of(AFTER).partition(" ")
    if not key:
        return None
    if order in BY_AMOUNT:
        return BehindItem(None, key, int(said)) if _MINOR.fullmatch(said) else None
    try:
        moment = datetime.fromisoformat(said) if said else None
    except ValueError:
        return None
    if moment is not None and moment.tzinfo is None:
        return None
    return BehindItem(None if moment is None else moment.astimezone(UTC), key)
