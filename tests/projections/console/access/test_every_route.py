"""Every page of the real app, asked by somebody of each role: a permission opens it, or nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import httpx

from deploy.clock import SystemClock
from deploy.interface.serving import interface_app
from ledger.log.postgres import PostgresEventLog
from ledger.users.roles import PERMISSIONS, Permission, Role
from tests.projections.console.access.somebody_in import form_key
from tests.projections.console.served_console import served_console

NOON = datetime(2026, 4, 1, 10, tzinfo=UTC)
NOTHING = "1"
"""What every address here names, and nothing is called."""
STARTS_JOBS = re.compile(r"/console/(months/1/1/check|integrity/1|invoices/(views|1/again))")
"""Work that changes nothing of the books, and views of one's own: who sees may ask for it."""


class ConsoleRoute(NamedTuple):
    """A method, an address of nothing, and what its page asks for."""

    method: str
    address: str
    wanted: str


def routes_of(dsn: str) -> Iterator[ConsoleRoute]:
    """Yield every route of the console but those of nobody's choice (OPTIONS)."""
    app = interface_app(dsn, SystemClock(), lambda: PostgresEventLog(dsn))
    for route in app.routes:
        if route.path.startswith("/console"):
            address = re.sub(r"\{[^}]*\}", NOTHING, route.path)
            for handler in getattr(route, "route_handlers", ()):
                for method in sorted({*handler.http_methods} - {"OPTIONS"}):
                    yield ConsoleRoute(str(method), address, handler.opt.get("permission", ""))


def answer(client: httpx.Client, route: ConsoleRoute, key: str) -> int:
    """Ask for a route, with a form where it wants one."""
    form = {"form_key": key} if route.method == "POST" else None
    return client.request(route.method, route.address, data=form).status_code


def test_each_role_gets_where_its_permissions_lead_and_nowhere_else(database: str) -> None:
    routes = [*routes_of(database)]
    asked = [each for each in routes if each.wanted not in {"everybody", "any_user"}]
    wrong: list[object] = []
    with served_console(database, NOON) as console:
        for role in Role:
            with console.client(f"the {role}", role) as client:
                key = form_key(client)
                for each in asked:
                    may = Permission(each.wanted) in PERMISSIONS[role]
                    status = answer(client, each, key)
                    if (status != 403) != may or status >= 500:
                        wrong.append((role, *each, status))
        with console.client("nobody") as client:
            key = form_key(client)
            wrong += [each for each in asked if answer(client, each, key) != 403]
            client.cookies.clear()
            wrong += [each for each in asked if answer(client, each, "") not in {303, 403}]

    assert len(asked) > 70
    assert wrong == []


def test_what_changes_something_asks_for_more_than_seeing(database: str) -> None:
    seen = {
        each.address
        for each in routes_of(database)
        if each.method != "GET" and each.wanted.startswith("see_")
    }
    unsaid = [each for each in routes_of(database) if not each.wanted]

    assert unsaid == []
    assert [each for each in sorted(seen) if not STARTS_JOBS.fullmatch(each)] == []
