"""`wattledger payouts`: what a provider paid out, held against the books and the bank."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from deploy.commands.closing.gathering import LegalEntity
from deploy.commands.data_folder import READ_FOLDER, Limit, ReadingFolder
from deploy.errors import DeployError
from deploy.output import print_json, print_rows, say
from deploy.running.opening import opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

    from deploy.settings import Settings
    from projections.payments.payout_list import ListedPayout, WaitingObject
    from projections.payments.provider_check import MovementAtProvider, ProviderCheck

COLUMNS: Final = {
    "payout": "left",
    "made": "left",
    "arrives": "left",
    "charges": "right",
    "fees": "right",
    "refunds": "right",
    "disputes": "right",
    "other": "right",
    "payout amount": "right",
    "at the bank": "right",
    "difference": "right",
    "state": "left",
}
LINES: Final = {
    "line": "left",
    "kind": "left",
    "of": "left",
    "amount": "right",
    "fee": "right",
    "net": "right",
    "booked as": "left",
    "movement": "right",
    "for": "left",
}
_AT_PROVIDER: Final = {"movement": "right", "moved": "left", "what": "left", "amount": "right"}
_CHECKED: Final = {
    "currency": "left",
    "in the books": "right",
    "to be booked": "right",
    "at the provider": "right",
    "difference": "right",
}
_UNBOOKED: Final = {"line": "left", "kind": "left", "of": "left", "net": "right"}
_SHOWN_MAX: Final = 20


class NoPaymentProviderError(DeployError):
    """There is no provider to hold the books against."""

    def __init__(self) -> None:
        super().__init__(
            "no key of a payment provider is set: WATTLEDGER_STRIPE_KEY (docs/settings)"
        )


class UnknownPayoutError(DeployError):
    """No payout of that id was taken."""

    def __init__(self, payout_id: str) -> None:
        super().__init__(
            f"there is no payout {payout_id}: `wattledger payouts` lists what there is"
        )
        self.payout_id = payout_id


def listed(
    *,
    first_day: Annotated[date | None, Parameter(name="--from")] = None,
    end_day: Annotated[date | None, Parameter(name="--to")] = None,
    check: Annotated[bool, Parameter(negative=())] = False,
    legal_entity: LegalEntity = None,
    limit: Limit = 50,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """List payouts, the newest first: what each consists of, and what the bank had.

    Below stands what is not booked yet, and what of ours is in no payout after two weeks. Exits 1
    while a payout differs from its lines or from the bank's, is late, has money that nobody knows
    what it is for, or waits for long; with --check also where the provider's balance is another.

    Args:
        first_day: Payouts made on this day or later, in UTC.
        end_day: Payouts made before this day.
        check: Ask the provider for its balance, and hold it against the books.
        legal_entity: Only this one's.
        limit: At most so many.
        folder: Where.
    """
    from deploy.clock import SystemClock
    from projections.payments.payout_list import list_payouts, waiting_objects
    from projections.payments.provider_check import OLD_AFTER, movements_at_provider

    settings, now = folder.settings(), SystemClock().now()
    since, until = map(_midnight, (first_day, end_day))
    with opened(settings) as connection:
        found = list_payouts(
            connection, now, legal_entity=legal_entity, since=since, until=until, limit=limit
        )
        old = movements_at_provider(
            connection, legal_entity=legal_entity, before=now - OLD_AFTER, limit=_SHOWN_MAX
        )
        waiting = waiting_objects(connection)
        checked = _check(connection, settings, now) if check else None
    stuck = [each for each in waiting if not each.is_settled]
    is_settled = not (old or stuck) and all(each.is_settled for each in found)
    is_settled = is_settled and (checked is None or checked.is_equal)
    if folder.json:
        told = {"payouts": found, "waiting": waiting, "in_no_payout": old, "check": checked}
        print_json({**told, "is_settled": is_settled})
        return 0 if is_settled else 1
    _print_payouts(found)
    _print_waiting(waiting)
    _print_movements("In no payout for two weeks: ask the provider why", old)
    _print_check(checked)
    return 0 if is_settled else 1


def show(payout_id: str, /, *, limit: Limit = 100, folder: ReadingFolder = READ_FOLDER) -> int:
    """Show a payout line by line, each with the movement of ours behind it.

    Exits 1 where something about it is to be looked into.

    Args:
        payout_id: The provider's id of it.
        limit: At most so many lines.
        folder: Where.
    """
    from deploy.clock import SystemClock
    from projections.invoice_list import amount
    from projections.payments.payout_list import find_payout, payout_lines

    with opened(folder.settings()) as connection:
        found = find_payout(connection, payout_id, SystemClock().now())
        if found is None:
            raise UnknownPayoutError(payout_id)
        lines = payout_lines(connection, payout_id, limit=limit)
    if folder.json:
        print_json({"payout": found, "lines": lines})
        return 0 if found.is_settled else 1
    _print_payouts([found])
    rows = [
        (
            each.line_id,
            each.kind,
            each.source_id or "",
            amount(each.amount_minor, found.currency),
            amount(each.fee_minor, found.currency),
            amount(each.net_minor, found.currency),
            each.rule.replace("_", " "),
            "" if each.movement is None else each.movement,
            ", ".join(each.documents[:3]) + ("..." if len(each.documents) > 3 else ""),  # noqa: PLR2004
        )
        for each in lines
    ]
    print_rows(f"Lines of {payout_id}", LINES, rows)
    if found.lines > len(lines):
        say(f"{found.lines} lines in all: --limit shows more of them")
    return 0 if found.is_settled else 1


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)


def _check(connection: Connection[Any], settings: Settings, now: datetime) -> ProviderCheck:
    from deploy.payments.account_holder import account_holder
    from ledger.declared.store import load_declarations
    from ledger.payments.stripe.provider import StripeProvider
    from projections.payments.provider_check import LOOKED_BACK, check_provider

    if not settings.stripe_key:
        raise NoPaymentProviderError
    whose = account_holder(load_declarations(connection), settings, now)
    with closing(StripeProvider(settings.stripe_key, url=settings.stripe_url)) as provider:
        return check_provider(connection, provider, whose, now - LOOKED_BACK)


def _print_payouts(found: Sequence[ListedPayout]) -> None:
    from projections.invoice_list import amount
    from projections.payments.payout_list import STATES

    rows = []
    for each in found:
        sums = (each.charges_minor, each.fees_minor, each.refunds_minor, each.disputes_minor)
        more = (each.other_minor, each.amount_minor, each.bank_minor, each.difference_minor)
        named = (each.payout_id, f"{each.created_at:%Y-%m-%d}", each.arrives_on or "")
        money = [amount(minor, each.currency) for minor in (*sums, *more)]
        rows.append((*named, *money, each.state.replace("_", " ")))
    print_rows("Payouts", COLUMNS, rows)
    for each in found:
        if not each.is_settled:
            say(f"{each.payout_id}: {STATES[each.state]}")


def _print_waiting(waiting: Sequence[WaitingObject]) -> None:
    for each in waiting:
        why = each.reason.replace("_", " ")
        say(f"{each.kind} {each.object_id} is not booked yet: {why} ({each.attempts} looks)")


def _print_movements(title: str, found: Sequence[MovementAtProvider]) -> None:
    from projections.invoice_list import amount

    rows = [
        (
            each.number,
            f"{each.happened_at:%Y-%m-%d}",
            f"{each.kind.replace('_', ' ')} {each.reference}",
            amount(each.left_minor, each.currency),
        )
        for each in found[:_SHOWN_MAX]
    ]
    if rows:
        print_rows(title, _AT_PROVIDER, rows)


def _print_check(checked: ProviderCheck | None) -> None:
    from projections.invoice_list import amount

    if checked is None:
        return
    rows = [
        (
            each.currency,
            amount(each.books_minor, each.currency),
            amount(each.to_be_booked_minor, each.currency),
            amount(each.provider_minor, each.currency),
            amount(each.difference_minor, each.currency),
        )
        for each in checked.balances
    ]
    print_rows("The balance at the provider", _CHECKED, rows)
    if checked.unbooked:
        lines = [
            (each.line_id, each.kind, each.source_id or "", amount(each.net_minor, each.currency))
            for each in checked.unbooked[:_SHOWN_MAX]
        ]
        print_rows("At the provider, and not in the books", _UNBOOKED, lines)
    _print_movements("In the books, and not at the provider", checked.only_ours)
