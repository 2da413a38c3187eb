"""`pages_million`, `page_weight_kb`: the console's pages with a million sessions behind them.

The books of `bench.history.reads`, multiplied to 10^6 sessions and invoices, are served as the
product serves them; somebody who may see all of it asks each page a hundred times, other documents,
sessions and filters each time, one after the other: the slowest page's p99 in milliseconds, and
how much the largest page weighs with its styles and scripts, nothing packed.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final
from urllib.parse import quote

import httpx
from psycopg import Connection

from bench.history.closing import APRIL
from bench.history.reads import grown_books
from bench.peers.worked_log import empty_log
from bench.run import Row, beside
from ledger.database import connect
from ledger.users.roles import Role
from tests.projections.console.served_console import served_console

_SESSIONS: Final = 1_000_000
_ASKED: Final = 100
_MILLISECONDS_MAX: Final = 300.0
_KILOBYTES_MAX: Final = 150.0
_STATICS: Final = re.compile(r'(?:href|src)="(/console/static/[^"]+)"')
_ROLES: Final = (Role.AUDITOR, Role.FINANCE)

Address = Callable[[], str]


def rows(_seconds: float) -> list[Row]:
    """Measure each page with a million sessions behind it."""
    with empty_log() as postgres:
        assert [*grown_books(postgres, [_SESSIONS])] == [_SESSIONS]
        spent, weights = _asked(postgres.dsn)
    slowest = max(spent, key=lambda name: spent[name][1])
    told = ", ".join(f"{name} {half:.0f}/{most:.0f}" for name, (half, most) in spent.items())
    heaviest = max(weights, key=weights.__getitem__)
    return [
        beside(
            "pages_million",
            spent[slowest][1],
            f"ms, p99 of {slowest}, with {_SESSIONS:,} sessions; all, p50/p99: {told}",
            "at most",
            _MILLISECONDS_MAX,
            is_cost=True,
        ),
        beside(
            "page_weight_kb",
            weights[heaviest],
            f"kB that {heaviest} weighs with its styles and scripts, nothing packed",
            "at most",
            _KILOBYTES_MAX,
            is_cost=True,
        ),
    ]


def _asked(dsn: str) -> tuple[Mapping[str, tuple[float, float]], Mapping[str, float]]:
    """Return the p50 and p99 of each page in milliseconds, and what each weighs in kB."""
    chance = random.Random(1)
    with (
        connect(dsn) as connection,
        served_console(dsn, APRIL) as served,
        served.client("bench", *_ROLES) as client,
    ):
        pages = dict(_pages(connection, chance))
        spent = {name: _spent(client, address) for name, address in pages.items()}
        weights = {name: _weight(client, address()) / 1000 for name, address in pages.items()}
    return spent, weights


def _spent(client: httpx.Client, address: Address) -> tuple[float, float]:
    _ask(client, address())
    spent = []
    for _ in range(_ASKED):
        path = address()
        began = time.perf_counter()
        _ask(client, path)
        spent.append(1e3 * (time.perf_counter() - began))
    spent.sort()
    return spent[_ASKED // 2], spent[_ASKED * 99 // 100 - 1]


def _ask(client: httpx.Client, path: str) -> str:
    answer = client.get(path)
    assert answer.is_success, (path, answer.status_code, answer.text)
    return answer.text


def _weight(client: httpx.Client, path: str) -> int:
    html = _ask(client, path)
    statics = set(_STATICS.findall(html))
    return len(html.encode()) + sum(len(client.get(each).content) for each in statics)


def _pages(connection: Connection[Any], chance: random.Random) -> Iterator[tuple[str, Address]]:
    """Yield each page with what makes its next address."""
    # What was multiplied is no document of its own: those that were made are.
    made = _column(
        connection,
        "SELECT number FROM issued_invoice WHERE number !~ '~' ORDER BY number LIMIT 500",
    )
    sessions = _column(
        connection,
        "SELECT session_id FROM session WHERE session_id !~ '~' ORDER BY session_id LIMIT 500",
    )
    stations = _column(connection, "SELECT DISTINCT station_id FROM session ORDER BY 1 LIMIT 100")
    first = date(APRIL.year, APRIL.month, APRIL.day) - timedelta(days=2)

    def month() -> str:
        return f"{first - timedelta(days=chance.randrange(400)):%Y-%m}"

    invoices = "/console/invoices"
    yield "invoices", lambda: invoices
    yield "invoices of a month", lambda: f"{invoices}?month={month()}"
    yield "invoices by amount", lambda: f"{invoices}?sort=-due&kind=invoice"
    yield "invoices paid", lambda: f"{invoices}?state=paid"
    yield "invoices open", lambda: f"{invoices}?state=open"
    yield "invoices of nobody", lambda: f"{invoices}?customer=nobody"
    yield "invoices in no currency", lambda: f"{invoices}?currency=SEK"
    yield (
        "invoices within amounts",
        lambda: f"{invoices}?currency=EUR&min={chance.randrange(9)}&max={chance.randrange(9, 40)}",
    )
    yield "invoices by number", lambda: f"{invoices}?number={quote(chance.choice(made)[:-2])}"
    yield "invoice", lambda: f"{invoices}/{quote(chance.choice(made))}"
    yield "invoice line", lambda: f"{invoices}/{quote(chance.choice(made))}/lines/1"
    yield "credit", lambda: f"{invoices}/{quote(chance.choice(made))}/credit?whole=1"
    yield "journal", lambda: f"/console/journal?period={month()}"
    yield "fleet", lambda: "/console/fleet"
    yield "work list", lambda: "/console/work"
    [customer] = _column(
        connection,
        "SELECT name FROM issued_invoice JOIN subject ON subject = customer LIMIT 1",
    )
    yield "customer", lambda: f"/console/customers/{quote(customer)}"
    yield (
        "customer as of",
        lambda: f"/console/customers/{quote(customer)}?as_of={month()}-15",
    )
    yield "customers", lambda: "/console/customers"
    yield "sessions", lambda: "/console/sessions"
    yield "sessions of a station", lambda: f"/console/sessions?station={chance.choice(stations)}"
    yield "session", lambda: f"/console/sessions/{quote(chance.choice(sessions))}"
    yield "months", lambda: "/console/months"
    yield "integrity", lambda: "/console/integrity"
    yield "tariffs", lambda: "/console/tariffs"
    yield "what if", lambda: "/console/what-if"
    yield "access", lambda: "/console/access"


def _column(connection: Connection[Any], query: str) -> Sequence[str]:
    return [value for (value,) in connection.execute(query.encode())]
