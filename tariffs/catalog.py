"""Which tariff version holds for a session: immutable versions, and who they are assigned to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from tariffs.compiled import CompiledTariff
from tariffs.errors import TariffError
from tariffs.tariff import Tariff


class TariffVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A published tariff: never changed, named by its hash, in force from `valid_from` on."""

    tariff: Tariff
    version: int
    sha256: str
    valid_from: datetime

    @property
    def tariff_id(self) -> str:
        """Return the id that all versions of the tariff share."""
        return self.tariff.id


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """A tariff is used where everything that is named here fits; validity is half open."""

    tariff_id: str
    valid_from: datetime
    valid_until: datetime | None = None
    site: str | None = None
    station: str | None = None
    partner: str | None = None
    group: str | None = None
    token: str | None = None

    @property
    def weight(self) -> tuple[bool, ...]:
        """Return how specific it is: token, group, partner, station, site, in this order."""
        named = (self.token, self.group, self.partner, self.station, self.site)
        return tuple(name is not None for name in named)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where and by whom a session is begun."""

    site: str
    station: str
    partner: str | None = None
    groups: tuple[str, ...] = ()
    token: str | None = None


def assigned_tariff(assignments: Iterable[Assignment], place: Place, at: datetime) -> str | None:
    """Return the tariff id that the most specific fitting assignment names.

    Of equally specific ones the one that began last holds; then the tariff id decides, so that
    the answer never depends on the order in which assignments were written.
    """
    fitting = [a for a in assignments if _fits(a, place, at)]
    if not fitting:
        return None
    return max(fitting, key=lambda a: (a.weight, a.valid_from, a.tariff_id)).tariff_id


def version_at(
    versions: Iterable[TariffVersion], tariff_id: str, at: datetime
) -> TariffVersion | None:
    """Return the version of *tariff_id* in force at *at*: the latest published, still valid.

    A version also ends at its tariff's own end_date_time and waits for its start_date_time.
    """
    in_force = [
        version
        for version in versions
        if version.tariff_id == tariff_id and version.valid_from <= at and is_valid(version, at)
    ]
    return max(in_force, key=lambda v: (v.valid_from, v.version), default=None)


def is_valid(version: TariffVersion, at: datetime) -> bool:
    """Tell whether the tariff's own validity allows *at*."""
    starts, ends = version.tariff.start_date_time, version.tariff.end_date_time
    return (starts is None or starts <= at) and (ends is None or at < ends)


def _fits(assignment: Assignment, place: Place, at: datetime) -> bool:
    if at < assignment.valid_from:
        return False
    if assignment.valid_until is not None and at >= assignment.valid_until:
        return False
    wanted = (
        (assignment.site, (place.site,)),
        (assignment.station, (place.station,)),
        (assignment.partner, (place.partner,)),
        (assignment.group, place.groups),
        (assignment.token, (place.token,)),
    )
    return all(name is None or name in having for name, having in wanted)


class CompiledCatalog:
    """Compiled tariffs by hash: each version is compiled once in a process."""

    __slots__ = ("_compiled",)

    def __init__(self) -> None:
        self._compiled: dict[str, CompiledTariff] = {}

    def compiled(self, version: TariffVersion) -> CompiledTariff:
        """Return *version* compiled.

        Raises:
            TariffChangedError: If the tariff no longer has the hash it was published with.
        """
        compiled = self._compiled.get(version.sha256)
        if compiled is None:
            compiled = CompiledTariff(version.tariff)
            if compiled.hash != version.sha256:
                raise TariffChangedError(version, compiled.hash)
            self._compiled[version.sha256] = compiled
        return compiled


def next_version(versions: Sequence[TariffVersion], tariff_id: str) -> int:
    """Return the number that the next version of *tariff_id* gets."""
    return 1 + max((v.version for v in versions if v.tariff_id == tariff_id), default=0)


class TariffChangedError(TariffError):
    """A published tariff is not what its hash says."""

    def __init__(self, version: TariffVersion, found: str) -> None:
        super().__init__(
            f"tariff {version.tariff_id} version {version.version} was published as "
            f"{version.sha256} and is now {found}"
        )
        self.version, self.found = version, found
