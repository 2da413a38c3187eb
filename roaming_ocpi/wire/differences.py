"""How one version of OCPI says differently what the next newer one says: each way as a value.

A difference is total: what is not of the shape that it knows, it leaves as it is, so that unknown
fields and values survive. What the older version cannot say becomes a note.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from roaming_ocpi.errors import RoamingError
from roaming_ocpi.wire.kinds import ObjectKind
from tariffs.ocpi.versions import OcpiVersion

Tree = dict[str, Any]
"""An object as JSON: its values are never changed in place."""

NOT_SAID = "not_said"
INSTEAD = "said_otherwise"
REQUIRED = "required"
LEFT_OUT = "element_left_out"


class UnsayableError(RoamingError):
    """An object that a version of OCPI has no way to say as a whole."""

    def __init__(self, spot: str, why: str) -> None:
        super().__init__(f"{spot}: {why}" if spot else why)
        self.spot, self.why = spot, why


class Passage(Protocol):
    """One object on its way between two neighbouring versions."""

    @property
    def version(self) -> OcpiVersion:
        """The one that the partner speaks, which may be older still."""

    @property
    def older(self) -> OcpiVersion:
        """The older of the two."""

    @property
    def is_partial(self) -> bool:
        """Whether the object is a PATCH: what is not in it is not meant."""

    def note(self, code: str, message: str, spot: str) -> None:
        """Note what the older version does not say as the newer one does."""

    def nested(self, kind: ObjectKind, value: Tree, spot: str) -> Tree:
        """Return *value*, of the same direction.

        Raises:
            UnsayableError: If the older version cannot say it.
        """


class VersionDifference(Protocol):
    """One difference; `tree` is the object's own copy, to be changed."""

    def to_older(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Say it as the older version does."""

    def to_newer(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Say it as the newer version does."""


@dataclass(frozen=True, slots=True)
class Renamed:
    """The same under another name."""

    newer: str
    older: str

    def to_older(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Take the older name."""
        del spot, passage
        if self.newer in tree:
            tree[self.older] = tree.pop(self.newer)

    def to_newer(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Take the newer name."""
        del spot, passage
        if self.older in tree:
            tree[self.newer] = tree.pop(self.older)


@dataclass(frozen=True, slots=True)
class Unsaid:
    """A field that the older version does not have; `is_silent` where nothing is lost by that."""

    key: str
    is_silent: bool = False

    def to_older(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Leave it out."""
        value = tree.pop(self.key, None)
        if not self.is_silent and value not in (None, [], {}, ""):
            message = f"OCPI {passage.version} has no {self.key}"
            passage.note(NOT_SAID, message, at(spot, self.key))

    def to_newer(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Nothing: what an older version says there is its own."""


@dataclass(frozen=True, slots=True)
class OtherValues:
    """Values of a field that the other version says otherwise; others stay.

    `is_noted`: those of the older version are not quite the same.
    """

    key: str
    older: Mapping[str, str]
    newer: Mapping[str, str]
    is_noted: bool = True

    def to_older(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Say the nearest that the older version has."""
        value = tree.get(self.key)
        instead = self.older.get(value) if isinstance(value, str) else None
        if instead is not None:
            tree[self.key] = instead
            if self.is_noted:
                message = f"OCPI {passage.version} has no {self.key} {value}; said as {instead}"
                passage.note(INSTEAD, message, at(spot, self.key))

    def to_newer(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Say what the newer version has."""
        del spot, passage
        value = tree.get(self.key)
        if isinstance(value, str) and value in self.newer:
            tree[self.key] = self.newer[value]


@dataclass(frozen=True, slots=True)
class NewValues:
    """Values in a list that only the newer version knows."""

    key: str
    values: frozenset[str]

    def to_older(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Leave them out."""
        listed = tree.get(self.key)
        if not isinstance(listed, list):
            return
        unknown = [one for one in listed if isinstance(one, str) and one in self.values]
        if unknown:
            tree[self.key] = [one for one in listed if one not in unknown]
            message = f"OCPI {passage.version} has no {self.key} {', '.join(unknown)}"
            passage.note(NOT_SAID, message, at(spot, self.key))

    def to_newer(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Nothing: the newer version knows what the older one does."""


@dataclass(frozen=True, slots=True)
class Needed:
    """Values of a field without which the object is of no use, and that only the newer knows."""

    key: str
    values: frozenset[object]
    why: str

    def to_older(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Refuse to say the object."""
        value = tree.get(self.key)
        if isinstance(value, str | bool) and value in self.values:
            shown = str(value).lower() if isinstance(value, bool) else value
            why = f"OCPI {passage.version} has no {self.key} {shown}: {self.why}"
            raise UnsayableError(at(spot, self.key), why)

    def to_newer(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Nothing: the newer version knows what the older one does."""


@dataclass(frozen=True, slots=True)
class Defaulted:
    """A field that one version requires, and what to say where it is absent.

    `is_noted`: the older version requires it and the newer one may leave it out.
    """

    key: str
    older: object = None
    newer: object = None
    is_noted: bool = False

    def to_older(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Say the default."""
        if self.older is None or passage.is_partial or tree.get(self.key) is not None:
            return
        tree[self.key] = self.older
        if self.is_noted:
            message = f"OCPI {passage.version} requires {self.key}, which there is none of"
            passage.note(REQUIRED, message, at(spot, self.key))

    def to_newer(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Say the default; the older version's says nothing."""
        del spot
        if passage.is_partial:
            return
        if self.older is not None and tree.get(self.key) == self.older:
            del tree[self.key]
        if self.newer is not None:
            tree.setdefault(self.key, self.newer)


@dataclass(frozen=True, slots=True)
class Shorter:
    """A text that has fewer characters in the older version."""

    key: str
    length: int

    def to_older(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Cut it."""
        text = tree.get(self.key)
        if isinstance(text, str) and len(text) > self.length:
            tree[self.key] = text[: self.length].rstrip()
            message = f"OCPI {passage.version} has {self.length} characters for {self.key}: cut"
            passage.note("text_cut", message, at(spot, self.key))

    def to_newer(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Nothing: the newer version has more."""


@dataclass(frozen=True, slots=True)
class Within:
    """An object, or a list of them, with differences of its own.

    One of a list that cannot be said is left out, with a note; `may_be_empty` is False where the
    object then cannot be said either.
    """

    key: str
    kind: ObjectKind
    may_be_empty: bool = True

    def to_older(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Say each as the older version does."""
        self._pass(tree, spot, passage)

    def to_newer(self, tree: Tree, spot: str, passage: Passage) -> None:
        """Say each as the newer version does."""
        self._pass(tree, spot, passage)

    def _pass(self, tree: Tree, spot: str, passage: Passage) -> None:
        value, here = tree.get(self.key), at(spot, self.key)
        if isinstance(value, dict):
            tree[self.key] = passage.nested(self.kind, value, here)
        elif isinstance(value, list):
            said = []
            for index, each in enumerate(value):
                if not isinstance(each, dict):
                    said.append(each)
                    continue
                try:
                    said.append(passage.nested(self.kind, each, f"{here}[{index}]"))
                except UnsayableError as error:
                    passage.note(LEFT_OUT, f"{error.why}; the {self.kind} is left out", error.spot)
            if value and not said and not self.may_be_empty:
                raise UnsayableError(here, f"OCPI {passage.version} can say none of its {self.key}")
            tree[self.key] = said


def at(spot: str, key: str) -> str:
    """Return the path of *key* in the object at *spot*."""
    return f"{spot}.{key}" if spot else key


def object_of(value: object) -> Mapping[str, Any]:
    """Return *value* where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def first_object(value: object) -> Mapping[str, Any]:
    """Return the first object of a list, or an empty one."""
    return object_of(value[0]) if isinstance(value, list) and value else {}
