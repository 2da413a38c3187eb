"""A newer snapshot of declarations, read as of an earlier version."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime

from ledger.declared.declarations import Declaration, Declarations, Kind


class EarlierDeclarations(Declarations):
    """What was declared up to *version*, which is no newer than *newer*.

    It costs what is asked of it: of a million tokens that are declared, a session names one.
    """

    def __init__(self, newer: Declarations, version: int) -> None:
        super().__init__()
        self._newer, self.version = newer, version
        self._asked: dict[tuple[Kind, str], list[Declaration]] = {}
        self._keys_then: dict[Kind, tuple[str, ...]] = {}

    def _of(self, kind: Kind, key: str) -> list[Declaration]:
        found = self._asked.get((kind, key))
        if found is None:
            known = self._newer.history(kind, key)
            found = [each for each in known if each.version <= self.version]
            self._asked[kind, key] = found
        return found

    def history(self, kind: Kind, key: str) -> tuple[Declaration, ...]:
        """Return every declaration of one thing, by valid_from and then version."""
        return tuple(self._of(kind, key))

    def in_force(self, kind: Kind, key: str, at: datetime) -> Declaration | None:
        """Return what held at *at*: the newest valid_from up to then, ties to the last version."""
        known = self._of(kind, key)
        index = bisect_right(known, at, key=lambda each: each.valid_from)
        return known[index - 1] if index else None

    def keys(self, kind: Kind) -> tuple[str, ...]:
        """Return every key declared for *kind* by then, sorted."""
        found = self._keys_then.get(kind)
        if found is None:
            found = tuple(key for key in self._newer.keys(kind) if self._of(kind, key))
            self._keys_then[kind] = found
        return found

    def extended(self, rows: Iterable[Declaration]) -> Declarations:
        """Return this snapshot with newer *rows*."""
        return self.at_version(self.version).extended(rows)

    def at_version(self, version: int) -> Declarations:
        """Return what was declared up to an earlier *version*."""
        return self._newer.at_version(min(version, self.version))
