"""Who may what, as a table: every operation of the real app, asked by everybody over HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import UUID

from deploy.clock import SystemClock
from deploy.interface.access import Scope
from deploy.interface.serving import interface_app
from ledger.database import connect
from ledger.log.postgres import PostgresEventLog
from ledger.users.access_tokens import make_token
from ledger.users.roles import Grant, Role
from tests.deploy.api.people import bearing, token_of_person
from tests.deploy.interface.served_interface import served
from tests.deploy.interface.site_of_stations import site_of_stations

F, P, R, O, A, X = (  # noqa: E741 - a column each
    Role.FINANCE,
    Role.PRICING,
    Role.ROAMING,
    Role.OPERATIONS,
    Role.AUDITOR,
    Role.ADMINISTRATOR,
)
MAY = {
    "read": {F, P, R, O, A, X},
    "command": {O},
    "tokens": {O, X},
    "files": {O},
    "documents": {F, A},
    "tariffs": {F, P, R, A, X},
    "books": {F, A},
    "credit": {F},
    "decide": {F},
    "money": {F},
    "master_data": {O, A, X},
    "declare": {X},
    "webhooks": {X},
}
"""By scope, the roles whose people may do what a token of that scope may do."""
OPERATIONS = """
read GET /calls/{}
read GET /charging-profiles
read GET /reservations
read GET /reservations/{}
read GET /stations
read GET /stations/{}
read GET /stations/{}/files
read GET /live/sessions/{}
read GET /transactions
read GET /transactions/{}
command POST /stations/{}/calls
command POST /stations/{}/password
command PATCH /stations/{}
command PUT /charging-profiles/{}
tokens PUT /tokens/{}
files GET /stations/{}/files/{}
documents GET /invoices/{}/delivery
documents GET /invoices/{}/pdf
documents GET /invoices/{}/xml
tariffs GET /tariffs
tariffs GET /tariffs/{}
tariffs GET /tariffs/{}/file
tariffs GET /tariffs/{}/ocpi
tariffs POST /price-quotes
books GET /sessions
books GET /sessions/{}
books GET /invoices
books GET /invoices/{}
books GET /credit-notes
books GET /credit-notes/{}
credit POST /credit-notes
decide POST /decisions
books GET /payments
books GET /payments/{}
books GET /open-items
books GET /unmatched-payments
money POST /bank-lines/{}/matchings
money POST /payments/{}/matchings
books GET /journal
books GET /customers
books GET /customers/{}
books GET /customers/{}/statement
books GET /reports/trial-balance
books GET /reports/energy-balance
books GET /reports/months/{}
master_data GET /master-data/{}
master_data GET /master-data/{}/{}
declare PUT /master-data/{}/{}
webhooks GET /webhooks
webhooks POST /webhooks
webhooks GET /webhooks/{}
webhooks DELETE /webhooks/{}
webhooks GET /webhooks/{}/deliveries
webhooks GET /webhooks/{}/deliveries/{}
webhooks POST /webhooks/{}/replays
"""
ANYBODYS = {"/documents/{}", "/payments/stripe", "/schema", "/schema/{}", "/schema/openapi.json"}
"""What its address or its body guards."""
ELSEWHERE = re.compile(r"^/(visits?|pay|console)(/|$)")
"""Visits, whose drivers have no token, and pages, which have a door of their own."""


def table() -> Iterator[tuple[str, str, str]]:
    for line in OPERATIONS.split("\n"):
        if line:
            scope, method, path = line.split()
            yield scope, method, path


def address_of(path: str) -> str:
    """Return an address of nothing: calls are named by UUIDs, files by numbers."""
    return path.replace("{}", str(UUID(int=1)) if path.startswith("/calls") else "1")


def operations_of_the_app(dsn: str) -> set[tuple[str, str]]:
    app = interface_app(dsn, SystemClock(), lambda: PostgresEventLog(dsn))
    return {
        (method, re.sub(r"\{[^}]*\}", "{}", route.path))
        for route in app.routes
        for method in getattr(route, "methods", ())
        if method not in {"OPTIONS", "HEAD"}
    }


def test_every_operation_of_the_app_is_in_the_table(database: str) -> None:
    wanted = {(method, path) for _, method, path in table()}
    found = {
        (method, path)
        for method, path in operations_of_the_app(database)
        if path not in ANYBODYS and not ELSEWHERE.match(path)
    }

    assert found == wanted
    assert set(MAY) == {scope.value for scope in Scope}


async def test_each_role_may_do_what_the_table_says_and_nothing_else(database: str) -> None:
    site_of_stations(database)
    bearers: dict[Role | Scope, str] = {
        role: token_of_person(database, f"the {role.value}", Grant(role)) for role in Role
    }
    with connect(database) as connection:
        bearers |= {each: make_token(connection, each.value, [each], by="ann") for each in Scope}
    wrong = []
    async with served(database) as client:
        for scope, method, path in table():
            address = address_of(path)
            nobody = await client.request(method, address, headers={"Authorization": ""}, json=0)
            if nobody.status_code != 401:
                wrong.append(("nobody", method, path, nobody.status_code))
            for whose, token in bearers.items():
                answer = await client.request(method, address, headers=bearing(token), json=0)
                may = whose in MAY[scope] if isinstance(whose, Role) else whose.value == scope
                if (answer.status_code not in {401, 403}) != may or answer.status_code >= 500:
                    wrong.append((whose, method, path, answer.status_code))

    assert wrong == []
