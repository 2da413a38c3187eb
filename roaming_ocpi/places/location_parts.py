"""A Location of a partner and its parts: what it must have, and how a part takes its place. Pure.

Source: OCPI 2.3.0, mod_locations, Location, EVSE and Connector objects.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from roaming_ocpi.places.taken import updated_at
from roaming_ocpi.wire.differences import Tree
from roaming_ocpi.wire.forms import ObjectKind
from tariffs.ocpi.documents import OcpiError
from tariffs.ocpi.fields import JsonFields

EVSES_MAX: Final = 2_000
CONNECTORS_MAX: Final = 100
_TEXTS: Final = {
    ObjectKind.LOCATION: ("id", "address", "city", "country"),
    ObjectKind.EVSE: ("uid", "status"),
    ObjectKind.CONNECTOR: ("id", "standard", "format", "power_type"),
}
_PARTS: Final = {
    ObjectKind.LOCATION: ("evses", ObjectKind.EVSE, "uid", EVSES_MAX),
    ObjectKind.EVSE: ("connectors", ObjectKind.CONNECTOR, "id", CONNECTORS_MAX),
}
NOT_KEPT: Final = "publish_allowed_to"
"""It names tokens of drivers: who may see a place that nobody else may, we do not need to know."""


class PartAsked(NamedTuple):
    """A Location, an EVSE of it or a Connector of that, as a path names it: in lower case."""

    evse_uid: str | None = None
    connector_id: str | None = None

    @property
    def kind(self) -> ObjectKind:
        """What it is."""
        if self.connector_id is not None:
            return ObjectKind.CONNECTOR
        return ObjectKind.LOCATION if self.evse_uid is None else ObjectKind.EVSE


def check_part(kind: ObjectKind, tree: Tree, path: str = "") -> None:
    """Check that an object of the model has what makes it one.

    Raises:
        OcpiError: If it has not; the error names the spot.
    """
    fields = JsonFields(tree, path, [])
    for key in _TEXTS[kind]:
        fields.text(key, required=True)
    updated_at(tree)
    if kind is ObjectKind.LOCATION:
        fields.text("time_zone")
        coordinates = fields.object("coordinates")
        if coordinates is None:
            raise OcpiError(fields.spot("coordinates"), "is missing")
        for key in ("latitude", "longitude"):
            coordinates.text(key, required=True)
    if kind not in _PARTS:
        return
    key, part_kind, id_key, most = _PARTS[kind]
    parts = list(fields.objects(key, required=kind is ObjectKind.EVSE))
    if len(parts) > most:
        raise OcpiError(fields.spot(key), f"has more than {most:,}")
    seen: set[str] = set()
    for part in parts:
        check_part(part_kind, dict(part.value), part.path)
        name = str(part.value[id_key]).lower()
        if name in seen:
            raise OcpiError(part.spot(id_key), "stands there twice")
        seen.add(name)


def check_room(location: Tree, asked: PartAsked) -> None:
    """Check that nothing has too many parts where the one that is *asked* for was put.

    Raises:
        OcpiError: If a Location, or an EVSE of it, has.
    """
    if asked.evse_uid is None:
        return
    evse = find_part(location, PartAsked(asked.evse_uid)) or {}
    for kind, whole in ((ObjectKind.LOCATION, location), (ObjectKind.EVSE, evse)):
        key, _, _, most = _PARTS[kind]
        if len(whole.get(key) or ()) > most:
            raise OcpiError(key, f"has more than {most:,}")


def find_part(location: Tree, asked: PartAsked) -> Tree | None:
    """Return the part of *location* that is asked for, None if it is not there."""
    found: Tree | None = location
    for kind, name in (
        (ObjectKind.LOCATION, asked.evse_uid),
        (ObjectKind.EVSE, asked.connector_id),
    ):
        if name is None or found is None:
            return found
        key, _, id_key, _ = _PARTS[kind]
        found = _named(found.get(key), id_key, name)
    return found


def with_part(location: Tree, asked: PartAsked, part: Tree) -> Tree | None:
    """Return *location* with *part* in its place, new or not; None: there is no such EVSE.

    What it is a part of was updated when it was. Source: OCPI 2.2.1, mod_locations, PUT method.
    """
    if asked.evse_uid is None:
        return part
    evse = part
    if asked.connector_id is not None:
        known = find_part(location, PartAsked(asked.evse_uid))
        if known is None:
            return None
        evse = known | {"connectors": _replaced(known.get("connectors"), "id", part)}
        evse["last_updated"] = _later(known, part)
    evses = _replaced(location.get("evses"), "uid", evse)
    return location | {"evses": evses, "last_updated": _later(location, part)}


def _later(known: Tree, part: Tree) -> object:
    is_newer = updated_at(part) > updated_at(known)
    return part["last_updated"] if is_newer else known["last_updated"]


def _replaced(listed: object, id_key: str, part: Tree) -> list[Any]:
    name = str(part[id_key]).lower()
    parts = listed if isinstance(listed, list) else []
    if _named(parts, id_key, name) is None:
        return [*parts, part]
    return [part if _is_named(each, id_key, name) else each for each in parts]


def _named(listed: object, id_key: str, name: str) -> Tree | None:
    parts: Iterable[Tree] = listed if isinstance(listed, list) else []
    return next((each for each in parts if _is_named(each, id_key, name)), None)


def _is_named(part: object, id_key: str, name: str) -> bool:
    return isinstance(part, dict) and str(part.get(id_key)).lower() == name
