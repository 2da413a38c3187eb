"""What is to be declared, and what of it would be news: pure, for a dry run too."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from ledger.declared.declarations import BEGINNING, Declarations, Entity, Kind

# Declarations that change a price never reach back by themselves: the driver must have seen it.
_NEVER_BACKDATED = frozenset({Kind.TARIFF, Kind.ASSIGNMENT, Kind.POLICY})


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Something to declare. `entity` None withdraws.

    `valid_from` None: from the moment of declaring; the first declaration of a site, station,
    legal entity, customer or token holds from the beginning, as there was nothing else before it.
    """

    kind: Kind
    key: str
    entity: Entity | None
    valid_from: datetime | None = None


class PlannedChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change that would be written, and what it replaces (None: nothing)."""

    kind: Kind
    key: str
    valid_from: datetime
    before: Entity | None
    after: Entity | None


def plan_changes(
    known: Declarations, changes: Iterable[Change], *, at: datetime
) -> tuple[PlannedChange, ...]:
    """Return what declaring *changes* at the moment *at* would write; pure, for a dry run."""
    planned = []
    for change in changes:
        valid_from = change.valid_from or _default_start(known, change, at)
        before = known.in_force(change.kind, change.key, valid_from)
        entity = before.entity if before else None
        if entity != change.entity:
            planned.append(
                PlannedChange(
                    kind=change.kind,
                    key=change.key,
                    valid_from=valid_from,
                    before=entity,
                    after=change.entity,
                )
            )
    return tuple(planned)


def _default_start(known: Declarations, change: Change, at: datetime) -> datetime:
    is_first = not known.history(change.kind, change.key)
    return BEGINNING if is_first and change.kind not in _NEVER_BACKDATED else at
