"""A Location of a partner and its parts: what it must have, and how a part takes its place. Pure.

Source: OCPI 2.3.0, mod_locations, Location, EVSE and Connector objects.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from roaming_ocpi.places.taken import updated_at
from roaming_ocpi.wire.differences import Tree
from roaming_ocpi.wire.forms import ObjectKind
from tariffs.ocpi.documents import OcpiError
from tariffs.ocpi.fields import JsonFields

EVSES_MAX: Final = 20_000
CONNECTORS_MAX: Final = 100
UID_MAX: Final = 255
"""Characters of a uid that is kept: a path names none of more than 39."""
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
        if len(name) > UID_MAX:
            raise OcpiError(part.spot(id_key), f"has more than {UID_MAX} characters")
        if name in seen:
            raise OcpiError(part.spot(id_key), "stands there twice")
        seen.add(name)


def check_room(kind: ObjectKind, count: int) -> None:
    """Check that an object of *kind* may have *count* parts.

    Raises:
        OcpiError: If that is too many.
    """
    key, _, _, most = _PARTS[kind]
    if count > most:
        raise OcpiError(key, f"has more than {most:,}")


def parts_of(kind: ObjectKind, whole: Tree) -> list[Tree]:
    """Return the parts of a checked Location, or EVSE: one alone may stand there without a list."""
    listed = whole.get(_PARTS[kind][0])
    if isinstance(listed, dict):
        return [listed]
    return listed if isinstance(listed, list) else []


def find_connector(evse: Tree, connector_id: str) -> Tree | None:
    """Return a Connector of *evse*, None if it is not there; *connector_id* in lower case."""
    parts = parts_of(ObjectKind.EVSE, evse)
    return next((each for each in parts if _is_named(each, connector_id)), None)


def with_connector(evse: Tree, connector_id: str, connector: Tree) -> Tree:
    """Return *evse* with *connector* in its place, new or not.

    What it is a part of was updated when it was. Source: OCPI 2.2.1, mod_locations, PUT method.
    """
    parts: list[Tree] = parts_of(ObjectKind.EVSE, evse)
    if find_connector(evse, connector_id) is None:
        parts = [*parts, connector]
    else:
        parts = [connector if _is_named(each, connector_id) else each for each in parts]
    is_newer = updated_at(connector) > updated_at(evse)
    newest = connector if is_newer else evse
    return evse | {"connectors": parts, "last_updated": newest["last_updated"]}


def _is_named(connector: object, connector_id: str) -> bool:
    return isinstance(connector, dict) and str(connector.get("id")).lower() == connector_id
