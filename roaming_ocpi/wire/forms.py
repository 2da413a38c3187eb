"""One model, three wire forms: objects of 2.3.0 to what a version says, and back.

    location = from_wire(ObjectKind.LOCATION, body, OcpiVersion.V2_1_1)
    body, notes = to_wire(ObjectKind.LOCATION, location, OcpiVersion.V2_2_1)

The forms hold only the differences (`tables`). What a version cannot say is a note, for the
partner manager; unknown fields and values go through as they are.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from roaming_ocpi.wire.differences import Tree, UnsayableError
from roaming_ocpi.wire.kinds import ObjectKind
from roaming_ocpi.wire.tables import MODEL_ONLY, STEPS, UNKNOWN_IN_2_1_1, Table
from tariffs.kernel.priced import Note
from tariffs.ocpi.versions import OcpiVersion

_ROOT: Final = ""


def to_wire(
    kind: ObjectKind, value: Tree, version: OcpiVersion, *, partial: bool = False
) -> tuple[Tree, tuple[Note, ...]]:
    """Return *value*, 2.3.0's object as JSON, as *version* says it, and what it cannot say.

    Args:
        kind: What it is.
        value: The object; a Session or CDR may have its Location at `location`, for 2.1.1.
        version: The version that the partner speaks.
        partial: It is a PATCH: nothing is added that it does not say.

    Raises:
        UnsayableError: If the version has no way to say it at all.
    """
    notes: list[Note] = []
    if version is OcpiVersion.V2_1_1 and kind in UNKNOWN_IN_2_1_1:
        raise UnsayableError(_ROOT, f"OCPI {version} has no {kind}")
    said = dict(value)
    if version is not OcpiVersion.V2_1_1:
        for key in MODEL_ONLY.get(kind, ()):
            said.pop(key, None)
    for older, table in STEPS:
        if version in (older, OcpiVersion.V2_1_1):
            said = _Way(version, older, table, notes, partial, is_down=True).nested(kind, said, "")
    return said, tuple(notes)


def from_wire(
    kind: ObjectKind, value: Tree, version: OcpiVersion, *, partial: bool = False
) -> tuple[Tree, tuple[Note, ...]]:
    """Return *value*, as *version* says it, as 2.3.0's object; total.

    What 2.1.1 says in the address of an object (`country_code`, `party_id`) is the caller's to add.
    """
    notes: list[Note] = []
    said = dict(value)
    for older, table in reversed(STEPS):
        if version in (older, OcpiVersion.V2_1_1):
            said = _Way(version, older, table, notes, partial, is_down=False).nested(kind, said, "")
    return said, tuple(notes)


class _Way(NamedTuple):
    """A passage between two neighbouring versions."""

    version: OcpiVersion
    older: OcpiVersion
    table: Table
    notes: list[Note]
    is_partial: bool
    is_down: bool

    def note(self, code: str, message: str, spot: str) -> None:
        """Note what is not said as it was."""
        self.notes.append(Note(code, message, spot))

    def nested(self, kind: ObjectKind, value: Tree, spot: str) -> Tree:
        """Return *value* with the differences of its kind."""
        tree = dict(value)
        differences = self.table.get(kind, ())
        if self.is_down:
            for difference in differences:
                difference.to_older(tree, spot, self)
        else:
            for difference in reversed(differences):
                difference.to_newer(tree, spot, self)
        return tree


__all__ = ["ObjectKind", "UnsayableError", "from_wire", "to_wire"]
