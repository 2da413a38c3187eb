"""Whose sessions a published tariff prices: the options of `tariff publish` that assign it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

if TYPE_CHECKING:
    from ledger.master_data.assignments import Assignment


ASSIGNED = Group("Assign it to (each may be given several times)", sort_key=5)
_Names = Annotated[tuple[str, ...], Parameter(negative=(), group=ASSIGNED)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Assigning:
    """Where a tariff holds and for which drivers; each site and station with each driver."""

    site: _Names = ()
    """A site's sessions."""

    station: _Names = ()
    """A station's sessions."""

    group: _Names = ()
    """Sessions of a token group."""

    partner: _Names = ()
    """Sessions of a roaming partner, by its OCPI party."""

    token: _Names = ()
    """Sessions of one token."""

    def assignments(self, tariff_id: str) -> tuple[Assignment, ...]:
        """Return the assignments of *tariff_id*; none where nothing was named."""
        from ledger.master_data.assignments import Assignment

        return tuple(
            Assignment(tariff=tariff_id, **where, **driver)
            for where, driver in product(self._sites_and_stations(), self._drivers())
            if where or driver
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing was named."""
        return not (self.site or self.station or self.group or self.partner or self.token)

    def _sites_and_stations(self) -> list[dict[str, Any]]:
        named = [{"site": name} for name in self.site]
        return [*named, *({"station": name} for name in self.station)] or [{}]

    def _drivers(self) -> list[dict[str, Any]]:
        return list(self._named_drivers()) or [{}]

    def _named_drivers(self) -> Iterator[dict[str, str]]:
        from ledger.facts.token_uid import canonical_token

        yield from ({"token_group": name} for name in self.group)
        yield from ({"partner": name} for name in self.partner)
        yield from ({"token": canonical_token(uid) or uid} for uid in self.token)


TO_NOBODY = Assigning()
