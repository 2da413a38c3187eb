"""What somebody asks: which draft, over which months, for which sessions, against what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from ledger.rating.decisions import SessionRated
from ledger.users.roles import Reach
from projections.errors import ProjectionError

MONTHS_MAX: Final = 36
_MONTH: Final = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])", re.ASCII)
_LONGEST: Final = timedelta(days=100)
"""How long before a month a session may have begun that ends in it."""
_ZONES: Final = timedelta(days=2)


class Against(StrEnum):
    """What the draft's prices are held against."""

    BILLED = "billed"
    """What was billed."""
    IN_FORCE = "in_force"
    """What the version in force after these months would have made of the same sessions."""


class AskedReach(msgspec.Struct, frozen=True, kw_only=True):
    """Where whoever asks may look: the sessions of elsewhere take no part.

    Others do not see what came of it whose reach is less. `sites`: (legal entity, site) each.
    """

    everywhere: bool
    legal_entities: tuple[str, ...] = ()
    sites: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, reach: Reach) -> AskedReach:
        """Return *reach* as it is kept."""
        if reach.is_everywhere:
            return cls(everywhere=True)
        return cls(
            everywhere=False,
            legal_entities=tuple(sorted(reach.legal_entities)),
            sites=tuple(sorted(reach.sites)),
        )

    @property
    def reach(self) -> Reach:
        """Return it as it is asked."""
        return Reach(self.everywhere, frozenset(self.legal_entities), frozenset(self.sites))

    def is_within(self, other: Reach) -> bool:
        """Say whether *other* covers all of it, as far as names alone tell."""
        return other.is_everywhere or (
            not self.everywhere
            and set(self.legal_entities) <= other.legal_entities
            and set(self.sites) <= other.sites
        )


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """The question. Months ("2026-03") are those in which sessions were billed.

    `tariff`: only sessions that this one priced, "" whichever; `site`: only of this one, "" any.
    """

    draft: int
    first_month: str
    last_month: str
    tariff: str = ""
    site: str = ""
    against: Against = Against.BILLED
    reach: AskedReach

    @property
    def since(self) -> date:
        """Return a day from which sessions may be of these months."""
        return _first_day(self.first_month) - _LONGEST

    @property
    def until(self) -> date:
        """Return a day before which all sessions of these months began."""
        return _first_day(_month_after(self.last_month)) + _ZONES

    @property
    def after(self) -> datetime:
        """Return the moment after these months."""
        last = _first_day(_month_after(self.last_month))
        return datetime(last.year, last.month, last.day, tzinfo=UTC)

    def choose(self, rated: SessionRated) -> str | None:
        """Say of a rated session why it is left out, "" where it is not, None: it was not asked."""
        if not self.first_month <= rated.billing_month <= self.last_month:
            return None
        if self.tariff not in ("", rated.tariff_id) or self.site not in ("", rated.site_id):
            return None
        # What we bill of a partner's station, the partner's prices decide.
        if rated.elsewhere is not None:
            return None
        if not self.reach.reach.covers(rated.legal_entity, rated.site_id):
            return None
        if rated.given_back or rated.not_billed is not None:
            return "it was given back, which no other price changes"
        return ""


class BadMonthsError(ProjectionError):
    """The months are none, or too many."""

    def __init__(self, first: str, last: str) -> None:
        self.first, self.last = first, last
        super().__init__(
            f"{first or '-'} to {last or '-'} are no months: give two as 2026-03, the first one "
            f"first, at most {MONTHS_MAX} in all"
        )


def check_months(first: str, last: str) -> None:
    """Check two months that somebody gave.

    Raises:
        BadMonthsError: If they are none, or too many.
    """
    if not (_MONTH.fullmatch(first) and _MONTH.fullmatch(last) and first <= last):
        raise BadMonthsError(first, last)
    if len(months_between(first, last)) > MONTHS_MAX:
        raise BadMonthsError(first, last)


def months_between(first: str, last: str) -> Sequence[str]:
    """Return the months from *first* to *last*, both among them."""
    found, month = list[str](), first
    while month <= last and len(found) <= MONTHS_MAX:
        found.append(month)
        month = _month_after(month)
    return found


def _first_day(month: str) -> date:
    return date(int(month[:4]), int(month[5:]), 1)


def _month_after(month: str) -> str:
    return f"{_first_day(month) + timedelta(days=31):%Y-%m}"
