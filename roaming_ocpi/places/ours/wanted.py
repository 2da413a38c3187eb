"""What a partner should have been told of our places and prices, and what to say to get there.

What it was told is compared with what is, not what happened: whatever was missed meanwhile, one
look is enough. Pure. Sources: OCPI 2.2.1, mod_locations and mod_tariffs, Receiver interfaces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple

from roaming_ocpi.places.ours.evse_status import REMOVED
from roaming_ocpi.places.ours.last_looks import ToldEvse
from roaming_ocpi.places.ours.location_sender import Said, moving_of, whole_location
from roaming_ocpi.places.ours.our_locations import OurLocation
from roaming_ocpi.places.ours.our_tariffs import OurTariff
from roaming_ocpi.wire.differences import Tree
from roaming_ocpi.wire.modules import ModuleId
from roaming_ocpi.wire.moments import wire_moment
from roaming_ocpi.wire.walls import encoded
from tariffs.ocpi.versions import OcpiVersion


class ToldKind(StrEnum):
    """What a partner is told of; of an EVSE its status alone."""

    TARIFF = "tariff"
    LOCATION = "location"
    EVSE = "evse"


class ToldKey(NamedTuple):
    """Of which thing; an EVSE's key is its Location's and its own, "harbour/HB-1*1"."""

    kind: ToldKind
    key: str

    @property
    def module(self) -> ModuleId:
        """The partner's module that takes it."""
        return ModuleId.TARIFFS if self.kind is ToldKind.TARIFF else ModuleId.LOCATIONS


class PartnerTelling(NamedTuple):
    """One request. `body` None: DELETE.

    Once it was taken, `known` holds of the partner, and nothing of `forgotten` any more.
    """

    method: str
    key: ToldKey
    body: bytes | None
    known: Mapping[ToldKey, bytes]
    forgotten: Sequence[ToldKey] = ()


Told = Mapping[ToldKey, bytes]
"""What a partner was told: the digest of each thing."""
_MOVING: Final = ("status", "last_updated")
EVSES_AT_ONCE: Final = 500
"""A Location is put with so many; each one more by itself, for no partner takes bodies without end.

What is put takes the place of all that was there, so the others follow whenever it is.
"""


def tellings(
    told: Told,
    tariffs: Sequence[OurTariff] | None,
    locations: tuple[Sequence[OurLocation], Said] | None,
    version: OcpiVersion,
    now: datetime,
) -> Iterator[PartnerTelling]:
    """Yield what is to be said, in order: a Location names only tariffs that are there.

    *tariffs* or *locations* None: the partner takes none.
    """
    if tariffs is not None:
        yield from _new_tariffs(told, tariffs, version)
    if locations is not None:
        yield from _changed_locations(told, *locations, version)
        yield from _gone_locations(told, locations[0], version, now)
    if tariffs is not None:
        ids = {each.tariff_id for each in tariffs}
        for key in told:
            if key.kind is ToldKind.TARIFF and key.key not in ids:
                yield PartnerTelling("DELETE", key, None, {}, [key])


def _new_tariffs(
    told: Told, tariffs: Sequence[OurTariff], version: OcpiVersion
) -> Iterator[PartnerTelling]:
    for tariff in tariffs:
        key = ToldKey(ToldKind.TARIFF, tariff.tariff_id)
        body = encoded(tariff.said[version])
        digest = _digest(version, body)
        if told.get(key) != digest:
            yield PartnerTelling("PUT", key, body, {key: digest})


def _changed_locations(
    told: Told, locations: Sequence[OurLocation], said: Said, version: OcpiVersion
) -> Iterator[PartnerTelling]:
    for location in locations:
        key = ToldKey(ToldKind.LOCATION, location.location_id)
        standing = _standing(location, version)
        evses = [(location, evse, tree) for evse, tree in location.form(version).evses]
        if told.get(key) != standing:
            tree = whole_location(location, said, version)
            first = tree["evses"][:EVSES_AT_ONCE]
            statuses = {
                evse_key(location, each): _digest(version, each["status"]) for each in first
            }
            evses = evses[EVSES_AT_ONCE:]
            gone = [each for _, _, evse in evses if (each := evse_key(location, evse)) in told]
            body = encoded(tree | {"evses": first})
            yield PartnerTelling("PUT", key, body, {key: standing, **statuses}, gone)
            yield from changed_evses({}, evses, said, version)
            continue
        yield from changed_evses(told, evses, said, version)


def changed_evses(
    told: Told, evses: Iterable[ToldEvse], said: Said, version: OcpiVersion
) -> Iterator[PartnerTelling]:
    """Yield what *evses* are doing that the partner was told otherwise, each by itself.

    One of which it was told nothing is put whole.
    """
    for location, evse, tree in evses:
        key, moving = evse_key(location, tree), moving_of(evse, said)
        known, digest = told.get(key), _digest(version, moving["status"])
        if known is None:
            yield PartnerTelling("PUT", key, encoded(tree | moving), {key: digest})
        elif known != digest:
            yield PartnerTelling("PATCH", key, encoded(moving), {key: digest})


def _gone_locations(
    told: Told, locations: Sequence[OurLocation], version: OcpiVersion, now: datetime
) -> Iterator[PartnerTelling]:
    """Yield that the EVSEs of what the partner may not see any more are REMOVED.

    Source: OCPI 2.2.1, mod_locations: without any valid EVSE a Location is expired.
    """
    ids = {each.location_id for each in locations}
    gone = [key for key in told if key.kind is ToldKind.LOCATION and key.key not in ids]
    removed = _digest(version, REMOVED)
    body = encoded({"status": REMOVED, "last_updated": wire_moment(now)})
    for location in gone:
        evses = [key for key in told if key.key.partition("/")[0] == location.key]
        for key in evses:
            if key.kind is ToldKind.EVSE and told[key] != removed:
                yield PartnerTelling("PATCH", key, body, {key: removed})


def _standing(location: OurLocation, version: OcpiVersion) -> bytes:
    """Return the digest of what of a Location no station changes by what it does, made once."""
    if version not in location.standings:
        tree, evses, _ = location.form(version)
        said = [{key: each[key] for key in each if key not in _MOVING} for _, each in evses]
        whole = {key: tree[key] for key in tree if key != "last_updated"} | {"evses": said}
        location.standings[version] = _digest(version, encoded(whole))
    return location.standings[version]


def evse_key(location: OurLocation, evse: Tree) -> ToldKey:
    """Return by what it is known what a partner was told of an EVSE."""
    return ToldKey(ToldKind.EVSE, f"{location.location_id}/{evse['uid']}")


def _digest(version: OcpiVersion, body: bytes | str) -> bytes:
    """Return the digest of what is said; in another version the partner has not heard it."""
    said = body.encode() if isinstance(body, str) else body
    return sha256(version.encode() + b"\0" + said).digest()
