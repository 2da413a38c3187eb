"""How much a partner may tell us: a bound for each kind of thing, so that nobody fills our disk.

Of what stays as it was told last there are so many at once; of what is kept for ever, so many a day
(UTC). What is there already may always be told again as long as it does not grow.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from math import ceil
from types import MappingProxyType
from typing import Final

from ledger.errors import LedgerError

_MOST: Final = 10**15


class Bound(StrEnum):
    """What is counted, as the setting and the reason of a refusal name it."""

    LOCATIONS = "locations"
    EVSES = "evses"
    CONNECTORS = "connectors"
    LOCATION_BYTES = "location_bytes"
    TARIFFS = "tariffs"
    TOKENS = "tokens"
    SESSION_PERIODS = "session_periods"
    """Of one session."""
    TARIFF_CHANGES = "tariff_changes"
    """Of one tariff, within 24 hours."""
    TARIFF_VERSIONS = "tariff_versions"
    TOKEN_CHANGES = "token_changes"  # noqa: S105 - the name of a kind, no secret
    SESSIONS = "sessions"
    MESSAGES = "messages"
    BYTES = "bytes"


A_DAY: Final = frozenset(
    {Bound.TARIFF_VERSIONS, Bound.TOKEN_CHANGES, Bound.SESSIONS, Bound.MESSAGES, Bound.BYTES}
)
"""Of these so many a day."""
DEFAULTS: Final[Mapping[Bound, int]] = MappingProxyType(
    {
        Bound.LOCATIONS: 200_000,
        Bound.EVSES: 1_000_000,
        Bound.CONNECTORS: 2_000_000,
        Bound.LOCATION_BYTES: 5_000_000_000,
        Bound.TARIFFS: 200_000,
        Bound.TOKENS: 5_000_000,
        Bound.SESSION_PERIODS: 5_000,
        Bound.TARIFF_CHANGES: 300,
        Bound.TARIFF_VERSIONS: 2_000_000,
        Bound.TOKEN_CHANGES: 10_000_000,
        Bound.SESSIONS: 1_000_000,
        Bound.MESSAGES: 20_000_000,
        Bound.BYTES: 20_000_000_000,
    }
)


class BadBoundError(LedgerError):
    """A bound that is none, or no number."""


class TooMuchToldError(LedgerError):
    """A partner told more of something than is taken; nothing of it was kept.

    `wait` says after how long there is room again, None where somebody must make some.
    """

    def __init__(
        self, party: str, bound: Bound, most: int, *, wait: timedelta | None = None
    ) -> None:
        self.party, self.bound, self.most, self.wait = party, bound, most, wait
        per = {Bound.TARIFF_CHANGES: " of one tariff within 24 hours"}.get(bound, "")
        per = " of one session" if bound is Bound.SESSION_PERIODS else per
        per = " a day (UTC)" if bound in A_DAY else per
        super().__init__(f"{self.reason}: of {party} at most {most:,}{per} are taken here")

    @property
    def reason(self) -> str:
        """The refusal as a code, `too_many_locations`."""
        return f"too_many_{self.bound}"

    @property
    def wait_s(self) -> int | None:
        """After how many whole seconds to come again."""
        return None if self.wait is None else max(1, ceil(self.wait / timedelta(seconds=1)))


class PartnerBounds:
    """The bounds that hold, for each partner by itself."""

    def __init__(self, named: Mapping[Bound, int] = MappingProxyType({})) -> None:
        self._most = {**DEFAULTS, **named}

    def most(self, bound: Bound) -> int:
        """Return how many may be."""
        return self._most[bound]

    def check(self, party: str, bound: Bound, count: int, at: datetime) -> None:
        """Check that *count* of one kind may be at the moment *at*.

        Raises:
            TooMuchToldError: If that is too much.
        """
        if count > self._most[bound]:
            wait = until_tomorrow(at) if bound in A_DAY else None
            raise TooMuchToldError(party, bound, self._most[bound], wait=wait)


def day_of(bound: Bound, at: datetime) -> date | None:
    """Return the day for which *bound* is counted at *at*, None: it is for all days."""
    return at.date() if bound in A_DAY else None


def until_tomorrow(at: datetime) -> timedelta:
    """Return how long the day of *at* goes on."""
    return datetime.combine(at.date() + timedelta(days=1), time(), at.tzinfo) - at


def read_bounds(text: str) -> PartnerBounds:
    """Return the bounds of a setting, "locations=5000, tokens=20000"; what it leaves out, stays.

    Raises:
        BadBoundError: If it names what is no bound, one twice, or no number that is above 0.
    """
    named: dict[Bound, int] = {}
    for each in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = (part.strip() for part in each.partition("="))
        if name not in set(Bound):
            message = f"{name!r} is no bound: they are {', '.join(Bound)}"
            raise BadBoundError(message)
        if not (number.isascii() and number.isdecimal()) or not 0 < int(number) <= _MOST:
            message = f"{name} must be a number above 0, not {number!r}"
            raise BadBoundError(message)
        if name in named:
            message = f"{name} stands there twice"
            raise BadBoundError(message)
        named[Bound(name)] = int(number)
    return PartnerBounds(named)
