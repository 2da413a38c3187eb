"""What a partner does not get of our places and prices, and why: for the partner manager."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, LiteralString

from msgspec.structs import replace
from psycopg import Connection

from ledger.declared.declarations import Declarations
from roaming_ocpi.places.audience import audience_of
from roaming_ocpi.places.ours.declared_times import declared_times
from roaming_ocpi.places.ours.our_locations import our_locations
from roaming_ocpi.places.ours.our_tariffs import our_tariffs
from tariffs.kernel.priced import Note
from tariffs.ocpi.versions import OcpiVersion

_REFUSED: LiteralString = """
SELECT kind, key, trouble, told_at FROM place_told
WHERE partner = %s AND trouble IS NOT NULL ORDER BY kind, key
"""


def shortfall(
    connection: Connection[Any],
    declared: Declarations,
    party: str,
    version: OcpiVersion,
    at: datetime,
) -> Iterator[Note]:
    """Yield what *party* is not told, in OCPI *version*: not declared, not sayable, or refused.

    Its spot names what it is about: "sites.harbour", "locations.harbour.evses[0]", "tariffs.DAY".
    """
    audience = audience_of(declared, party, at)
    if audience is None:
        return
    times = declared_times(connection, declared)
    published = our_locations(declared, times, audience, at)
    yield from published.notes
    for location in published.locations:
        yield from _within(f"locations.{location.location_id}", location.form(version).notes)
    for tariff in our_tariffs(declared, times, audience, at):
        yield from _within(f"tariffs.{tariff.tariff_id}", tariff.notes[version])
    for kind, key, trouble, told_at in connection.execute(_REFUSED, (party,)).fetchall():
        message = f"the partner refused it on {told_at:%Y-%m-%d %H:%M} UTC: {trouble}"
        yield Note("refused", message, f"{kind}s.{key}")


def _within(spot: str, notes: Iterable[Note]) -> Iterator[Note]:
    for note in notes:
        yield replace(note, spot=f"{spot}.{note.spot}" if note.spot else spot)
