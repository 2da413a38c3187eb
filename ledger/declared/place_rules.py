"""What sites and stations must fulfil that roaming partners are told of."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from ledger.master_data.sites import Site
from ledger.master_data.stations import PLUG_STANDARDS, Station
from tariffs.phrases.phrase import bounded

_ADDRESS_MAX: Final = {"street": 255, "city": 45, "postal_code": 10}
"""Characters. Source: OCPI 2.2.1, mod_locations, Location."""
_VOLTAGE_MAX_V: Final = 2_000
_AMPERAGE_MAX_A: Final = 6_000


def site_problems(site: Site) -> Iterator[str]:
    """Yield what is wrong with where a site is, and when it is open."""
    if (site.latitude is None) != (site.longitude is None):
        yield "latitude and longitude go together: say both, or neither"
    for name, degrees, most in (
        ("latitude", site.latitude, 90),
        ("longitude", site.longitude, 180),
    ):
        if degrees is not None and not (degrees.is_finite() and abs(degrees) <= Decimal(most)):
            yield f"{name} must be from -{most} to {most} degrees"
    if site.address.country not in ("", site.country):
        yield f"address.country is {bounded(site.address.country)!r} and the site's {site.country}"
    for name, length in _ADDRESS_MAX.items():
        if len(getattr(site.address, name)) > length:
            yield f"address.{name} has at most {length} characters"
    for hours in site.opening:
        for moment in (hours.start, hours.end):
            if moment.second or moment.microsecond or moment.tzinfo is not None:
                yield f"opening has whole minutes of local time, not {moment.isoformat()}"


def plug_problems(station: Station) -> Iterator[str]:
    """Yield what is wrong with the plugs of a station."""
    plugs = dict.fromkeys((station.plug, *(each.plug for each in station.connectors)))
    for plug in plugs:
        if plug is None:
            continue
        if plug.standard not in PLUG_STANDARDS:
            near = difflib.get_close_matches(plug.standard, sorted(PLUG_STANDARDS), n=1)
            hint = f": did you mean {near[0]}?" if near else ", as OCPI names it"
            yield f"there is no plug standard {bounded(plug.standard)!r}{hint}"
        if not 0 < plug.voltage_v <= _VOLTAGE_MAX_V:
            yield f"voltage_v must be from 1 to {_VOLTAGE_MAX_V}"
        if not 0 < plug.amperage_a <= _AMPERAGE_MAX_A:
            yield f"amperage_a must be from 1 to {_AMPERAGE_MAX_A}"
