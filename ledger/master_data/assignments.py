"""Tariff assignments: which tariff prices whose sessions, where."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

ONE_EACH = (
    "an assignment names at most one of token, token_group and partner, "
    "at most one of station and site, and at least one in all"
)


class SessionLimits(NamedTuple):
    """How far a session may go: what it may cost, taxes included, its energy and its time."""

    max_cost: Decimal | None = None
    max_energy_wh: Decimal | None = None
    max_time_s: int | None = None


NO_LIMITS: Final = SessionLimits()


class Assignment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`tariff` (an id) prices the sessions of one driver side at one place.

    At most one of token (its subject id), token group, roaming partner; at most one of station,
    site; at least one in all. Groups compare without case. A missing side means "whoever" or
    "wherever". The driver's side goes before the place, and the narrower condition before the
    wider one: see `keys_for`.
    `max_cost` (in the tariff's currency), `max_energy_wh` and `max_time_s` are how far a session
    may go that it prices: a station that knows limits is told them, another one is told to stop
    once they are reached; what was charged is billed.
    """

    tariff: str
    token: str | None = None
    token_group: str | None = None
    partner: str | None = None
    station: str | None = None
    site: str | None = None
    max_cost: Decimal | None = None
    max_energy_wh: Decimal | None = None
    max_time_s: int | None = None

    def __post_init__(self) -> None:
        drivers = [v for v in (self.token, self.token_group, self.partner) if v is not None]
        places = [v for v in (self.station, self.site) if v is not None]
        if len(drivers) > 1 or len(places) > 1 or not (drivers or places):
            raise ValueError(ONE_EACH)

    @property
    def limits(self) -> SessionLimits:
        """How far a session may go that it prices."""
        return SessionLimits(self.max_cost, self.max_energy_wh, self.max_time_s)

    def with_limits(self, limits: SessionLimits) -> Assignment:
        """Return it with other *limits*."""
        return replace(self, **limits._asdict())

    def key(self) -> str:
        """Return the declaration key: the conditions, so that a new tariff replaces the old."""
        sides = (
            ("token", self.token),
            ("token_group", self.token_group and self.token_group.casefold()),
            ("partner", self.partner),
            ("station", self.station),
            ("site", self.site),
        )
        return ",".join(f"{name}={value}" for name, value in sides if value is not None)


def keys_for(
    *, token: str | None, token_group: str | None, partner: str | None, station: str, site: str
) -> Iterator[str]:
    """Yield the keys of every assignment that may fit a session, the most specific first."""
    at_station, at_site = f"station={station}", f"site={site}"
    group = token_group and token_group.casefold()
    for name, value in (("token", token), ("token_group", group), ("partner", partner)):
        if value is not None:
            driver = f"{name}={value}"
            yield from (f"{driver},{at_station}", f"{driver},{at_site}", driver)
    yield from (at_station, at_site)
