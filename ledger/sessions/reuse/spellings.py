"""Transaction ids that differ in the case of their letters alone.

By OCPP 2.x an id is the same in either case, and nearly every station writes its own in one. One
that does not has two sessions here, of which each lacks what the other has: both are held, and say
why. They are not put together, as stations count by ids that differ in case, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from ledger.layered import Layered

Spellings = Layered[str, frozenset[str]]
"""By an id in lower case the ids that are written so; of those without letters none."""


def is_spelt_otherwise(transaction: str, spellings: Spellings) -> bool:
    """Whether the id of *transaction* is another one's too, in other letters."""
    return len(spellings.get(transaction.lower(), ())) > 1


def respelt(
    before: Spellings,
    altered: Iterable[str],
    known: Collection[Any],
    spoken: Collection[Any],
) -> tuple[Spellings, set[str]]:
    """Return the spellings once *altered* transactions came among those *known*, or went.

    And all ids of those that are, or were, one in other letters.
    """
    news: dict[str, frozenset[str]] = {}
    alike: set[str] = set()
    for transaction in altered:
        is_known = transaction in spoken
        if is_known == (transaction in known) or not _has_letters(transaction):
            continue
        folded = transaction.lower()
        was = news.get(folded, before.get(folded, frozenset()))
        now = was | {transaction} if is_known else was - {transaction}
        news[folded] = now
        if len(was | now) > 1:
            alike |= was | now
    gone = [folded for folded, ids in news.items() if not ids]
    return before.but({key: ids for key, ids in news.items() if ids}, gone), alike


def _has_letters(transaction: str) -> bool:
    return transaction.lower() != transaction.upper()
