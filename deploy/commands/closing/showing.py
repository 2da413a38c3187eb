"""`wattledger period list|check|show`: months of the books, what is left to do, what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from deploy.commands.closing.gathering import LegalEntity, WithoutReplay, gathering, month_of
from deploy.commands.data_folder import READ_FOLDER, Limit, ReadingFolder
from deploy.output import print_json, print_rows, say, utc
from deploy.running.opening import opened, opened_with_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.periods.record import AccountingPeriod, ChecklistItem, PeriodClose, SignOff
    from projections.closing.month_reports import AccountSum, MonthReports
    from projections.closing.period_list import CameAfterwards

_LISTED: Final = {
    "month": "left",
    "legal entity": "left",
    "state": "left",
    "entries": "right",
    "soft-closed by": "left",
    "closed by": "left",
    "closed at": "left",
}
_ITEMS: Final = {"item": "left", "left": "right", "settled": "left", "what it lists": "left"}
_ACCOUNTS: Final = {"account": "left", "debit": "right", "credit": "right", "balance": "right"}
_SUMS: Final = {"account": "left", "amount": "right"}
_ENTRIES: Final = {"entry": "left", "month": "left", "booked at": "left"}


def listed(*, legal_entity: LegalEntity = None, folder: ReadingFolder = READ_FOLDER) -> int:
    """List the months of the books: which are open, and who closed the others.

    Args:
        legal_entity: Only this one's books.
        folder: Where.
    """
    from ledger.database import dsn_of
    from ledger.declared.store import load_declarations
    from ledger.desk.closing.legal_entity import the_legal_entity
    from ledger.periods.periods import AccountingPeriods
    from projections.closing.period_list import listed_periods

    with opened(folder.settings()) as connection:
        if legal_entity is not None:
            legal_entity = the_legal_entity(load_declarations(connection), legal_entity)
        with AccountingPeriods(dsn_of(connection)) as periods:
            found = listed_periods(connection, periods, legal_entity)
    if folder.json:
        print_json(found)
        return 0
    rows = [
        (
            each.month,
            each.legal_entity,
            each.state.replace("_", "-"),
            each.entries,
            each.soft_closed_by or "",
            each.closed_by or "",
            utc(each.closed_at) if each.closed_at else "",
        )
        for each in found
    ]
    print_rows("Months of the books", _LISTED, rows)
    return 0


def check(
    month: str,
    *,
    legal_entity: LegalEntity = None,
    without_replay: WithoutReplay = False,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Show what is left to do before a month is closed.

    Each item is empty, or somebody else than who soft-closed the month signs it off. Exits 1 while
    anything is left that nobody signed off. The log is replayed, which may take long.

    Args:
        month: Which month ("2026-03"), in the legal entity's calendar.
        legal_entity: Whose books.
        without_replay: Do not replay the log.
        folder: Where.
    """
    from ledger.database import dsn_of
    from ledger.periods.periods import AccountingPeriods
    from ledger.periods.record import unsettled
    from projections.closing.period_scope import PeriodScope

    month, settings = month_of(month), folder.settings()
    with opened_with_log(settings) as (connection, log):
        scope = PeriodScope(connection, legal_entity, month)
        with AccountingPeriods(dsn_of(connection)) as periods:
            period = periods.find(scope.legal_entity, month)
        with gathering(
            *(connection, log, settings, scope),
            with_replay=not without_replay,
            is_shown=not folder.json,
        ) as looking:
            items = looking.checklist()
    left = unsettled(items, period.signed)
    if folder.json:
        found = [_item(each, period.signed, is_left=each in left) for each in items]
        of_what = {"legal_entity": period.legal_entity, "month": month, "state": period.state}
        print_json({**of_what, "items": found, "is_settled": not left})
    else:
        _print_items(f"Checklist of {month}", items, period.signed)
        for each in left:
            for line in each.shown:
                say(f"{each.item.replace('_', ' ')}: {line}")
    return 1 if left else 0


def show(
    month: str,
    *,
    legal_entity: LegalEntity = None,
    limit: Limit = 50,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Show what was kept of a closed month, and what came afterwards.

    Exits 1 if what is kept is no longer what was hashed, or the month's trial balance moved.

    Args:
        month: Which month ("2026-03"), in the legal entity's calendar.
        legal_entity: Whose books.
        limit: Show at most so many entries that came afterwards.
        folder: Where.
    """
    from ledger.database import dsn_of
    from ledger.periods.periods import AccountingPeriods
    from projections.closing.month_balance import month_balance, moved_minor, read_balance
    from projections.closing.period_list import came_afterwards
    from projections.closing.period_scope import PeriodScope

    month = month_of(month)
    with opened(folder.settings()) as connection:
        scope = PeriodScope(connection, legal_entity, month)
        with AccountingPeriods(dsn_of(connection)) as periods:
            period = periods.find(scope.legal_entity, month)
        later = came_afterwards(connection, scope.legal_entity, month, limit=limit)
        moved = None
        if period.is_closed:
            now = month_balance(connection, month, legal_entity=scope.legal_entity)
            moved = moved_minor(read_balance(period.closes[-1].trial_balance), now)
    is_intact = not moved and all(each.is_intact for each in period.closes)
    if folder.json:
        print_json(_for_machines(period, later, moved))
    else:
        _print_period(period, later, moved)
    return 0 if is_intact else 1


def _item(item: ChecklistItem, signed: Sequence[SignOff], *, is_left: bool) -> dict[str, object]:
    by = _signed(item, signed)
    return {
        "item": item.item,
        "count": item.count,
        "is_checked": item.is_checked,
        "is_settled": not is_left,
        "signed_off_by": by.by if by else None,
        "reason": by.reason if by else None,
        "shown": item.shown,
        "digest": item.digest,
    }


def _signed(item: ChecklistItem, signed: Sequence[SignOff]) -> SignOff | None:
    found = [each for each in signed if (each.item, each.digest) == (item.item, item.digest)]
    return found[-1] if found and not item.is_empty else None


def _print_items(title: str, items: Sequence[ChecklistItem], signed: Sequence[SignOff]) -> None:
    from projections.closing.checklist import MEANINGS

    rows = [
        (
            each.item.replace("_", " "),
            each.count if each.is_checked else "not looked at",
            _settled(each, _signed(each, signed)),
            MEANINGS.get(each.item, ""),
        )
        for each in items
    ]
    print_rows(title, _ITEMS, rows)


def _settled(item: ChecklistItem, signed: SignOff | None) -> str:
    if item.is_empty:
        return "yes"
    return f"by {signed.by}: {signed.reason}" if signed else "no"


def _for_machines(
    period: AccountingPeriod, later: CameAfterwards, moved: int | None
) -> dict[str, Any]:
    return {
        "legal_entity": period.legal_entity,
        "month": period.month,
        "state": period.state,
        "moves": [
            {"act": act, "by": by, "at": at, "reason": reason}
            for act, by, at, reason in period.moves
        ],
        "closes": [
            {
                **msgspec.to_builtins(each),
                "trial_balance": msgspec.json.decode(each.trial_balance),
                "reports": msgspec.json.decode(each.reports),
                "is_intact": each.is_intact,
            }
            for each in period.closes
        ],
        "trial_balance_moved_minor": moved,
        "came_afterwards": later,
    }


def _print_period(period: AccountingPeriod, later: CameAfterwards, moved: int | None) -> None:
    say(f"{period.month} of {period.legal_entity} is {period.state.replace('_', '-')}")
    for act, by, at, reason in period.moves:
        say(f"{at[:16].replace('T', ' ')}  {act} by {by}{': ' if reason else ''}{reason}")
    if period.is_closed:
        _print_close(period.closes[-1])
        say("Its trial balance is what it was." if not moved else f"It MOVED by {moved} since.")
    if later.count:
        rows = [(each.entry, each.period, utc(each.booked_at)) for each in later.entries]
        print_rows("Came afterwards, and stands in a later month", _ENTRIES, rows)
        print_rows(
            "Which comes to (debits less credits)", _SUMS, [_sum(each) for each in later.sums]
        )
        if later.count > len(later.entries):
            say(f"{later.count} entries in all: --limit shows more of them")


def _print_close(close: PeriodClose) -> None:
    from projections.closing.month_balance import read_balance
    from projections.closing.month_reports import MonthReports
    from projections.invoice_list import amount

    reports: MonthReports = msgspec.json.decode(close.reports, type=MonthReports)
    _print_items("Checklist", close.checklist, close.signed)
    rows = [
        (
            each.account,
            amount(each.debit_minor, each.currency),
            amount(each.credit_minor, each.currency),
            amount(each.balance_minor, each.currency),
        )
        for each in read_balance(close.trial_balance).accounts
    ]
    print_rows(f"Trial balance ({close.trial_balance_sha256[:12]})", _ACCOUNTS, rows)
    print_rows("Revenue of the month", _SUMS, [_sum(each) for each in reports.revenue])
    print_rows("Taxes of the month", _SUMS, [_sum(each) for each in reports.taxes])
    held, energy = reports.held, reports.energy
    say(
        f"{sum(each.sessions for each in reports.unbilled)} sessions were unbilled, "
        f"{held.sessions} held with {held.energy_wh} Wh; "
        f"{sum((each.metered_wh for each in energy), start=held.energy_wh * 0)} Wh were metered"
    )
    for each in reports.uncharged:
        say(
            f"{each.cdrs} CDRs of partners waited for a person, charged to nobody: "
            f"{each.energy_wh:f} Wh, {each.net:f} {each.currency} before taxes"
        )


def _sum(each: AccountSum) -> tuple[str, str]:
    from projections.invoice_list import amount

    return each.account, amount(each.amount_minor, each.currency)
