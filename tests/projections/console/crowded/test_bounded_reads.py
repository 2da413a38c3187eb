"""What every page and every list over HTTP costs, where there are thousands of everything.

Counted are rows, not time: those that came back from the database, those that it looked at for
them, and how often the same was asked. A route that needs more than a page of them says why.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

import httpx

from deploy.clock import SystemClock
from deploy.interface.access import Scope
from deploy.interface.serving import interface_app
from ledger.database import connect
from ledger.log.postgres import PostgresEventLog
from ledger.users.access_tokens import make_token
from ledger.users.roles import Role
from tests.projections.console.crowded.asked_statements import (
    AskedStatement,
    StatementLog,
    statements_logged,
)
from tests.projections.console.crowded.crowded_books import CrowdedBooks, crowd
from tests.projections.console.demo_month import demo_now
from tests.projections.console.served_console import served_console

TIMES: Final = 2_000
"""So many more there are of everything: whatever reads them all is over each bound."""
ROWS_MAX: Final = 1_300
READ_MAX: Final = 1_900
SAME_MAX: Final = 6
"""So often one statement is asked: a page asks for its rows together, not one by one."""
BYTES_MAX: Final = 150_000
READER: Final = "lead"
_FLEET: Final = "each station and connector of the fleet once, whatever they did"
_LEFT: Final = "what waits, and the lines of a payout, are added up: they go when they are matched"
MORE: Final = {
    "/console/fleet": (2_200, 11_000, _FLEET),
    "/console/fleet/stations": (2_200, 11_000, _FLEET),
    "/console/fleet/stations/{}": (1_300, 8_500, _FLEET),
    "/stations": (ROWS_MAX, 2_500, _FLEET),
    "/stations/{}": (1_300, 8_500, _FLEET),
    "/reports/energy-balance": (ROWS_MAX, 4_500, _FLEET),
    "/console/integrity": (ROWS_MAX, 4_500, _FLEET),
    "/console/work": (ROWS_MAX, 35_000, "a thousand of each kind are counted, 5,000 numbers"),
    "/console/work/{}": (ROWS_MAX, 5_000, "a thousand are counted by their reasons"),
    "/console/invoices": (ROWS_MAX, 20_000, "up to 20,000 documents are added up"),
    "/console/sessions": (5_000, 6_000, "for a flag 5,000 sessions are looked through"),
    "/console/customers/{}": (ROWS_MAX, 4_500, "what is open of the customer, in an index"),
    "/customers/{}": (ROWS_MAX, 4_500, "what is open of the customer, in an index"),
    "/open-items": (ROWS_MAX, 2_500, "what is open is added up"),
    "/console/payments/{}": (ROWS_MAX, 4_500, _LEFT),
    "/console/payments/lines/{}": (ROWS_MAX, 4_500, _LEFT),
    "/console/payments/payouts": (ROWS_MAX, 4_500, _LEFT),
    "/console/payments/payouts/{}": (ROWS_MAX, 4_500, _LEFT),
    "/console/payments/unmatched": (ROWS_MAX, 12_000, _LEFT),
}
"""Of a route: how many rows come back, how many are looked at, and why that is bounded."""
ELSEWHERE: Final = re.compile(
    r"/(schema|visits?|pay|documents)(/|$)"  # what its address guards, or describes itself
    r"|/live/"  # a stream, as long as its session lasts
    r"|/console/?$|/console/(static|login|link|first|oidc|me/factor)|.*nowhere"
    r"|.*/(pdf|xml|html)$|.*/files(/|$)|.*/again/|/charging-profiles$|/console/frames/"
    r"|/calls/|/reservations/|.*/delivery$|/tariffs/.*/(file|ocpi)$|/console/decide|/console/what-if/."
)
"""What is one thing, or a number of them that the product itself holds (files, profiles)."""
QUERIES: Final = {
    "/console/invoices": (
        "",
        "month=2026-03",
        "state=paid",
        "state=open",
        "sort=-due&kind=invoice",
    ),
    "/console/sessions": ("", "flag=seq_gap", "station={station}", "state=held"),
    "/console/customers/{}": ("", "as_of=2026-03-01"),
    "/console/journal": ("", "period={month}"),
    "/console/integrity/account": ("account=receivable:invoiced",),
    "/console/invoices/{}/credit": ("whole=1",),
    "/console/access/person": ("name=ann1",),
    "/console/search": ("q={station}", "q=HC-2026"),
    "/console/tariffs/-/of": ("id={tariff}",),
    "/console/tariffs/-/text": ("id={tariff}",),
    "/console/payments/unmatched": ("", "source=bank"),
    "/console/fleet/stations": ("", "site=harbour"),
    "/customers/{}/statement": ("from=2026-02-27&until=2026-02-28",),
    "/invoices": ("", "customer={key}", "open=true"),
    "/journal": ("legal_entity={legal_entity}", "legal_entity={legal_entity}&period={month}"),
    "/reports/months/{}": ("legal_entity={legal_entity}",),
    "/sessions": ("", "station={station}"),
}


class Asked(NamedTuple):
    """An address, the route that it is of, and what it cost."""

    route: str
    address: str
    status: int
    bytes: int
    statements: Sequence[AskedStatement]

    def troubles(self) -> Iterator[str]:
        """Yield what is too much."""
        rows_max, read_max, _ = MORE.get(self.route, (ROWS_MAX, READ_MAX, ""))
        rows = sum(each.rows for each in self.statements)
        read = sum(each.read for each in self.statements)
        [(text, same)] = Counter(e.text for e in self.statements).most_common(1) or [("", 0)]
        worst = max(self.statements, key=lambda each: each.read, default=None)
        if self.status not in {200, 303}:
            yield f"{self.address}: {self.status}"
        if rows > rows_max or read > read_max:
            yield f"{self.address}: {rows} rows of {read}, most by {worst}"
        if same > SAME_MAX:
            yield f"{self.address}: {same} times {text}"
        if self.bytes > BYTES_MAX and self.route.startswith("/console"):
            yield f"{self.address}: {self.bytes} bytes"


def addresses(dsn: str, books: CrowdedBooks) -> Iterator[tuple[str, str]]:
    """Yield every route that is read, with the addresses by which it is asked for its most."""
    app = interface_app(dsn, SystemClock(), lambda: PostgresEventLog(dsn))
    named = {each: quote(value) for each, value in books._asdict().items()}
    of_path = {
        "station_id": books.station, "session": quote(books.session), "ref": quote(books.session),
        "customer": books.customer, "key": books.key, "legal_entity": books.legal_entity,
        "month": books.month, "webhook": "wh1", "line": "1", "subject": books.token,
        "tariff_id": books.tariff, "line_name": books.bank_line, "payout_id": books.payout,
        "kind": "held", "section": "stations",
    }  # fmt: skip
    for path in sorted({each.path for each in app.routes if "GET" in getattr(each, "methods", ())}):
        route = re.sub(r"\{[^}]*\}", "{}", path)
        if ELSEWHERE.match(path):
            continue
        of_path["number"] = books.document if "invoices" in path or "credit-notes" in path else "1"
        of_path["key"] = books.station if "master-data" in path else books.key
        address = re.sub(r"\{(\w+):?\w*\}", lambda found: of_path[found[1]], path)
        for query in QUERIES.get(route, ("",)):
            yield route, address + f"?{query.format(**named)}" * bool(query)


def asked(client: httpx.Client, log: StatementLog, route: str, address: str) -> Asked:
    """Ask twice: what is looked up once for all is known by then."""
    client.get(address)
    log.new()
    answer = client.get(address)
    return Asked(route, address, answer.status_code, len(answer.content), log.new())


def test_no_route_reads_all_that_there_is(demo_copy: str, demo_folder: Path) -> None:
    with connect(demo_copy) as connection:
        books = crowd(connection, TIMES, READER)
        token = make_token(connection, "machine", list(Scope), by="ann")
        database = connection.info.dbname
        # Small tables are read whole where they may be: as large ones they are asked by an index.
        connection.execute(f"ALTER DATABASE {database} SET enable_seqscan = off".encode())
    with (
        statements_logged(demo_copy) as log,
        served_console(demo_copy, demo_now(demo_folder)) as served,
        served.client(READER, *Role) as person,
        httpx.Client(
            base_url=served.url,
            headers={"Authorization": f"Bearer {token}"},
            trust_env=False,
            timeout=60,
        ) as machine,
    ):
        found = [
            asked(person if route.startswith("/console") else machine, log, route, address)
            for route, address in addresses(demo_copy, books)
        ]

    assert len(found) > 70
    troubles = [trouble for each in found for trouble in each.troubles()]
    assert not troubles, "\n".join(troubles)
    assert {each.route for each in found} >= set(MORE) | set(QUERIES)
