"""The journal as beancount's text: an account opened for each of ours, a transaction an entry.

    receivable:unbilled     Assets:Receivable:Unbilled
    vat:DE:19               Liabilities:Vat:DE:19
    tax:CA:GST:5            Liabilities:Tax:CA:GST:5
    revenue:parking_time    Income:Revenue:Parking-time
    rounding                Expenses:Rounding

Source: beancount's language syntax (accounts, strings, metadata).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, timedelta
from types import MappingProxyType
from typing import Final

from msgspec.structs import asdict

from ledger.master_data.charts import ChartAccount
from projections.journal.chart import NO_CHART, Chart
from projections.journal.entries import BookedEntry
from tariffs.phrases.printable import printable

_ROOTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "receivable": "Assets",
        "expected_tax": "Liabilities",
        "vat": "Liabilities",
        "tax": "Liabilities",
        "revenue": "Income",
        "rounding": "Expenses",
        "prepayments": "Liabilities",
        "cash": "Assets",
        "fees": "Expenses",
        "disputes": "Assets",
        "payable": "Liabilities",
        "exchange": "Expenses",
        "cost": "Expenses",
        "input_tax": "Assets",
    }
)
_OTHER: Final = "Equity"
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9]+")
_A_DAY: Final = timedelta(days=1)


def beancount_lines(
    entries: Iterable[BookedEntry], accounts: Sequence[str], chart: Chart = NO_CHART
) -> Iterator[str]:
    """Yield *entries* as text, after their *accounts*: all on which they post anything."""
    names = beancount_accounts(accounts)
    yield 'option "title" "Wattledger"\n'
    is_open = False
    for entry in entries:
        if not is_open:
            # Another legal entity's day may be one behind.
            yield from _opened(names, chart, entry.booked_on - _A_DAY)
            is_open = True
        yield _transaction(entry, names, chart)


def beancount_accounts(accounts: Iterable[str]) -> dict[str, str]:
    """Return what each of *accounts* is called there; no two are called the same."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for account in sorted(accounts):
        parts = account.split(":")
        plain = ":".join([_ROOTS.get(parts[0], _OTHER), *map(_component, parts)])
        name, number = plain, 1
        while name in taken:
            number += 1
            name = f"{plain}-{number}"
        taken.add(name)
        names[account] = name
    return names


def _component(part: str) -> str:
    name = _NOT_IN_NAMES.sub("-", part).strip("-") or "X"
    return name[0].upper() + name[1:]


def _opened(names: Mapping[str, str], chart: Chart, day: date) -> Iterator[str]:
    for account, name in names.items():
        yield f"\n{day.isoformat()} open {name}\n  account: {_string(account)}\n"
        for line in _called(chart.of(account)):
            yield f"  {line}\n"


def _called(account: ChartAccount) -> Iterator[str]:
    for key, text in asdict(account).items():
        if text:
            yield f"{key.replace('_', '-')}: {_string(text)}"


def _transaction(entry: BookedEntry, names: Mapping[str, str], chart: Chart) -> str:
    booked_at = entry.booked_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    lines = [
        "",
        f"{entry.booked_on.isoformat()} * {_string(entry.entry)}",
        f"  legal-entity: {_string(entry.legal_entity)}",
        f"  booked-at: {_string(booked_at)}",
        f"  period: {_string(entry.period)}",
    ]
    if entry.original_period != entry.period:
        lines.append(f"  original-period: {_string(entry.original_period)}")
    if entry.session is not None:
        lines.append(f"  session: {_string(entry.session)}")
        lines.append(f"  revision: {entry.revision}")
    for leg in entry.postings:
        lines.append(f"  {names[leg.account]}  {leg.amount:f} {leg.currency}")
        if leg.party:
            lines.append(f"    party: {_string(leg.party)}")
        # What an account is called stands where it is opened, unless this one calls it otherwise.
        called = chart.of(leg.account, entry.legal_entity)
        if called != chart.of(leg.account):
            lines += [f"    {line}" for line in _called(called)]
    return "\n".join(lines) + "\n"


def _string(text: str) -> str:
    escaped = printable(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
