"""`wattledger payments list`: movements of money."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Group, Parameter

from deploy.commands.data_folder import READ_FOLDER, Limit, ReadingFolder
from deploy.commands.payments.looking.who import subject_of
from deploy.errors import DeployError
from deploy.output import print_json, print_rows, say
from deploy.running.opening import opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

    from projections.payments.movement_list import ListedMovement, MovementFilter

COLUMNS: Final = {
    "no.": "right",
    "when": "left",
    "kind": "left",
    "source": "left",
    "reference": "left",
    "amount": "right",
    "for": "left",
}
_WHICH: Final = Group("Which movements", sort_key=1)
_SHOWN_MAX: Final = 3
_CASH: Final = "cash:"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class WhichMovements:
    """Which movements are listed; all of what is said must hold."""

    customer: Annotated[str | None, Parameter(group=_WHICH)] = None
    """Money of this customer: key or subject id."""

    invoice: Annotated[str | None, Parameter(group=_WHICH)] = None
    """Money for this invoice, or this settlement with a partner."""

    kind: Annotated[str | None, Parameter(group=_WHICH)] = None
    """Of this kind: received, refunded, banked, ... (docs/payments.md)."""

    source: Annotated[str | None, Parameter(group=_WHICH)] = None
    """At this provider ("stripe"), this account ("bank:ACCOUNT"), or any ("bank")."""

    legal_entity: Annotated[str | None, Parameter(group=_WHICH)] = None
    """Of this legal entity."""

    first_day: Annotated[date | None, Parameter(name="--from", group=_WHICH)] = None
    """That moved on this day or later, in UTC."""

    end_day: Annotated[date | None, Parameter(name="--to", group=_WHICH)] = None
    """That moved before this day."""

    unmatched: Annotated[bool, Parameter(negative=(), group=_WHICH)] = False
    """Of which something came to lie on cash:unmatched, or left it."""


class UnknownMoneyKindError(DeployError):
    """There is no such kind of movement."""

    def __init__(self, kind: str, known: Sequence[str]) -> None:
        self.kind = kind
        super().__init__(f"there are no movements of kind {kind}: say {', '.join(known)}")


ALL: Final = WhichMovements()


def listed(
    *,
    which: WhichMovements = ALL,
    before: int | None = None,
    limit: Limit = 50,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """List movements of money, the newest first, each with what it was for.

    Times are UTC. Below stands what the accounts of money hold now, whatever is listed.

    Args:
        which: Which movements.
        before: Those that follow behind this one: the last one shown leads to the next page.
        limit: At most so many.
        folder: Where.
    """
    from projections.balances.booked_sums import kept_trial_balance
    from projections.payments.movement_list import list_movements

    with opened(folder.settings()) as connection:
        wanted = _filter(connection, which)
        found = list_movements(connection, wanted, limit=limit, before=before)
        accounts = kept_trial_balance(connection).accounts
    held = [each for each in accounts if each.account.startswith(_CASH)]
    next_before = found[-1].number if len(found) == limit else None
    if folder.json:
        print_json({"movements": found, "next_before": next_before, "accounts": held})
        return 0
    print_rows("Movements of money", COLUMNS, [_row(each) for each in found])
    if next_before is not None:
        say(f"there may be more: --before {next_before}")
    from projections.invoice_list import amount

    for account in held:
        say(f"{account.account}: {amount(account.balance_minor, account.currency)}")
    return 0


def _filter(connection: Connection[Any], which: WhichMovements) -> MovementFilter:
    from ledger.payments.movement import MoneyKind
    from projections.payments.movement_list import MovementFilter

    if which.kind is not None and which.kind not in {*MoneyKind}:
        raise UnknownMoneyKindError(which.kind, [*MoneyKind])
    return MovementFilter(
        party=subject_of(connection, which.customer),
        document=which.invoice,
        kind=which.kind,
        source=which.source,
        legal_entity=which.legal_entity,
        since=_midnight(which.first_day),
        until=_midnight(which.end_day),
        is_unmatched=which.unmatched,
    )


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)


def _row(movement: ListedMovement) -> tuple[object, ...]:
    from projections.invoice_list import amount

    named = movement.documents or [*dict.fromkeys(each.account for each in movement.allotments)]
    more = len(named) - _SHOWN_MAX
    return (
        movement.number,
        f"{movement.happened_at:%Y-%m-%d %H:%M}",
        movement.kind,
        movement.source,
        movement.reference,
        amount(movement.amount_minor, movement.currency),
        ", ".join(named[:_SHOWN_MAX]) + (f" and {more} more" if more > 0 else ""),
    )
