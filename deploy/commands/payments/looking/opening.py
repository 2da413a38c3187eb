"""`wattledger payments open`: what is still to be paid."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from deploy.commands.data_folder import READ_FOLDER, Limit, ReadingFolder
from deploy.commands.payments.looking.who import subject_of
from deploy.output import print_json, print_rows, say
from deploy.running.opening import opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg import Connection

    from projections.journal.days import BookDays
    from projections.payments.open_list import OpenDocument, OpenSum, OpenWish

COLUMNS: Final = {
    "document": "left",
    "date": "left",
    "due": "left",
    "of": "left",
    "legal entity": "left",
    "open": "right",
}


def open_documents(
    *,
    customer: str | None = None,
    legal_entity: str | None = None,
    as_of: date | None = None,
    after: str | None = None,
    limit: Limit = 200,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """List what is still to be paid, now or at the end of a day, held against the books.

    Invoices less credit notes, prepaid balances and payments, and settlements with partners; below
    0 is to be given back. Their sum is the balance of their accounts; exits 1 where it is not.

    Args:
        customer: Of this customer alone: key or subject id.
        legal_entity: Owed to this one alone.
        as_of: As it was at the end of this day, in each legal entity's calendar.
        after: Documents of a higher number: the highest one shown leads to the next page.
        limit: List at most so many; the sums are of all.
        folder: Where.
    """
    from ledger.declared.store import load_declarations
    from projections.journal.days import book_days
    from projections.payments.open_list import open_documents as listed
    from projections.payments.open_list import open_sums

    with opened(folder.settings()) as connection:
        declared = load_declarations(connection)
        days = book_days(declared, up_to=as_of, legal_entity=legal_entity)
        wishes = list(_wishes(days, as_of, subject_of(connection, customer)))
        found: list[OpenDocument] = []
        for wish in wishes:
            found += listed(connection, wish, limit=limit, after=after)
        found = sorted(found, key=lambda each: each.number)[:limit]
        sums = [each for wish in wishes for each in open_sums(connection, wish)]
        booked = None if customer is not None else _booked(connection, days)
    totals = _totals(sums)
    differences = {} if booked is None else _differences(totals, booked)
    next_after = found[-1].number if len(found) == limit else None
    if folder.json:
        sums_told = _for_machines(totals, differences)
        print_json({"documents": found, "next_after": next_after, **sums_told})
    else:
        _print(found, totals, differences, next_after, is_held=booked is not None)
    return 1 if differences else 0


_Account = tuple[str, str]


def _wishes(days: BookDays, as_of: date | None, subject: str | None) -> Iterator[OpenWish]:
    """Yield what is asked: a day ends when it does where its legal entity is."""
    from projections.payments.open_list import OpenWish

    if as_of is None or as_of == date.max:
        yield OpenWish(subject, days.legal_entity)
        return
    for entity, zone in days.zones.items():
        if days.legal_entity in {None, entity}:
            until = datetime.combine(as_of + timedelta(days=1), time(), zone)
            yield OpenWish(subject, entity, until)


def _totals(sums: Sequence[OpenSum]) -> Counter[_Account]:
    totals: Counter[_Account] = Counter()
    for each in sums:
        totals[each.currency, each.account] += each.open_minor
    return totals


def _booked(connection: Connection[Any], days: BookDays) -> dict[_Account, int]:
    from ledger.books.accounts import PARTNER_RECEIVABLE, RECEIVABLE
    from ledger.settlements.entries import PARTNER_PAYABLE
    from projections.balances.booked_sums import kept_trial_balance

    asked = {RECEIVABLE, PARTNER_RECEIVABLE, PARTNER_PAYABLE}
    return {
        (each.currency, each.account): each.balance_minor
        for each in kept_trial_balance(connection, days).accounts
        if each.account in asked
    }


def _differences(totals: Counter[_Account], booked: dict[_Account, int]) -> dict[_Account, int]:
    """Return by how much the books hold more than what is open comes to, where they do."""
    found = {key: booked.get(key, 0) - totals[key] for key in sorted({*totals, *booked})}
    return {key: minor for key, minor in found.items() if minor}


def _for_machines(
    totals: Counter[_Account], differences: dict[_Account, int]
) -> dict[str, list[dict[str, object]]]:
    return {
        name: [
            {"account": account, "currency": currency, "minor": minor}
            for (currency, account), minor in sorted(found.items())
        ]
        for name, found in (("open", totals), ("differences", differences))
    }


def _print(
    found: Sequence[OpenDocument],
    totals: Counter[_Account],
    differences: dict[_Account, int],
    next_after: str | None,
    *,
    is_held: bool,
) -> None:
    from projections.invoice_list import amount

    rows = [
        (
            each.number,
            each.issued_on,
            each.due_on,
            each.customer or each.party,
            each.legal_entity,
            amount(each.open_minor, each.currency),
        )
        for each in found
    ]
    print_rows("Open", COLUMNS, rows)
    if next_after is not None:
        say(f"there may be more: --after {next_after}")
    for currency, account in sorted(totals):
        agrees = is_held and (currency, account) not in differences
        said = f"{account}: {amount(totals[currency, account], currency)}"
        say(f"{said}, as in the books" if agrees else said)
    for (currency, account), minor in differences.items():
        more = amount(minor, currency)
        say(f"{account}: the books hold {more} more. See: wattledger replay --check")
