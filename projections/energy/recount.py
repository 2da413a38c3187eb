"""A full recount: energy from the facts, accounts from the postings, beside what is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
from psycopg import Connection

from ledger.declared.store import load_declarations
from projections.balances.booked_hours import kept_trial_balance
from projections.balances.energy import EnergyBalance, EnergyDay, energy_balance
from projections.balances.trial import AccountBalance, trial_balance
from projections.energy.keeper import EnergyKeeper
from projections.energy.kept_balance import DayDifference, differences, kept_balance

_ALL: Final = 2**31
_STATIONS: LiteralString = """
SELECT station_id FROM energy_station WHERE %(station)s::text IS NULL OR station_id = %(station)s
UNION
SELECT station_id FROM fact WHERE %(station)s::text IS NULL OR station_id = %(station)s
ORDER BY station_id
"""


class AccountDifference(NamedTuple):
    """An account that was not kept as it was posted; None: it has no postings."""

    kept: AccountBalance | None
    counted: AccountBalance | None


class Recount(msgspec.Struct, frozen=True, kw_only=True):
    """What a recount found. `left_out` are stations of which something came meanwhile."""

    stations: int
    days: tuple[DayDifference, ...]
    accounts: tuple[AccountDifference, ...]
    left_out: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether all of it is kept as it is counted."""
        return not self.days and not self.accounts


def recounted_books(
    connection: Connection[Any],
    station_id: str | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Recount:
    """Count every station, or one, and the whole journal anew, and compare with what is kept.

    Each station in a snapshot of its own, after what came of it was taken in.
    """
    keeper = EnergyKeeper(connection)
    known = load_declarations(connection)
    rows = connection.execute(_STATIONS, {"station": station_id}).fetchall()
    found: list[DayDifference] = []
    left_out: list[str] = []
    for number, (station,) in enumerate(rows):
        if progress is not None:
            progress(number, len(rows))
        keeper.take_in(station)
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            if keeper.has_news(station):
                left_out.append(station)
                continue
            kept = kept_balance(connection, station_id=station, limit=_ALL)
            counted = energy_balance(connection, station_id=station, known=known)
            found += differences(kept, counted) or _total_difference(station, kept.total, counted)
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        accounts = _accounts(
            kept_trial_balance(connection).accounts, trial_balance(connection).accounts
        )
    return Recount(
        stations=len(rows), days=tuple(found), accounts=accounts, left_out=tuple(left_out)
    )


def _total_difference(
    station_id: str, kept: EnergyDay, counted: EnergyBalance
) -> list[DayDifference]:
    """Return whether the sum over all days was kept as another one than the days come to."""
    if kept == counted.total:
        return []
    return [DayDifference(station_id, None, kept, counted.total)]


def _accounts(
    kept: Sequence[AccountBalance], counted: Sequence[AccountBalance]
) -> tuple[AccountDifference, ...]:
    both = [{(each.currency, each.account): each for each in some} for some in (kept, counted)]
    return tuple(
        AccountDifference(both[0].get(key), both[1].get(key))
        for key in sorted(both[0].keys() | both[1].keys())
        if both[0].get(key) != both[1].get(key)
    )
