"""The pages of who may what: people and their roles, tokens of machines."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from psycopg import Connection

from deploy.interface.access import Scope
from ledger.database import connect
from ledger.master_data.tokens import TokenStatus
from ledger.users.access_tokens import list_tokens
from ledger.users.roles import Grant, Role
from ledger.users.store import find_user, list_changes, user_standing
from tests.projections.console.access.somebody_in import declare_sites, send
from tests.projections.console.access.test_drivers_tokens import token_of
from tests.projections.console.browser import Tab, tab
from tests.projections.console.served_console import ServedConsole, served_console

NOON = datetime(2026, 4, 1, 10, tzinfo=UTC)
CHIEF = ("chief", Role.ADMINISTRATOR)
DORA = ("dora", Grant(Role.ADMINISTRATOR, "watt"))
LINK = re.compile(r"<code>(http://127\.0\.0\.1:\d+/console/link/[\w-]{43})</code>")


@pytest.fixture
def console(database: str, tmp_path: Path) -> Iterator[ServedConsole]:
    with served_console(database, NOON) as served:
        declare_sites(served, tmp_path / "data")
        yield served


@pytest.fixture
def connection(console: ServedConsole) -> Iterator[Connection[Any]]:
    with connect(console.dsn) as opened:
        yield opened


def grants(connection: Connection[Any], name: str) -> tuple[Grant, ...]:
    return user_standing(connection, name).user.grants


def test_a_person_is_added_given_roles_and_blocked(
    console: ServedConsole, connection: Connection[Any]
) -> None:
    with console.client(*CHIEF) as client:
        sent = {"name": "anna", "full_name": "Anna <i>A.</i>", "role": "finance", "where": "watt"}
        added = send(client, "/access/people", **sent)
        assert added.status_code == 200
        assert len(LINK.findall(added.text)) == 1
        assert "Anna &lt;i&gt;A." in added.text
        send(client, "/access/person/give", name="anna", role="auditor", where="")
        where = "volt/hill"
        send(client, "/access/person/give", name="anna", role="operations", where=where)
        assert grants(connection, "anna") == (
            Grant(Role.AUDITOR),
            Grant(Role.FINANCE, "watt"),
            Grant(Role.OPERATIONS, "volt", "hill"),
        )
        send(client, "/access/person/take", name="anna", grant="auditor")
        send(client, "/access/person/factor", name="anna")
        linked = send(client, "/access/person/link", name="anna")
        assert LINK.findall(linked.text) != LINK.findall(added.text)
        send(client, "/access/person/block", name="anna")
        assert find_user(connection, "anna") is None
        shown = client.get("/console/access/person?name=anna").text
        assert "finance@watt, operations@volt/hill" in shown
        assert LINK.findall(shown) == []
        send(client, "/access/person/unblock", name="anna")
        assert find_user(connection, "anna") is not None

    found = [(each.kind, each.changed_by) for each in list_changes(connection, name="anna")]
    kinds = ["added", "linked", "granted", "granted", "granted", "factor_required", "linked"]
    assert found[::-1] == [(kind, "chief") for kind in (*kinds, "blocked", "unblocked")]


def test_what_an_administrator_may_not_is_said_and_not_done(
    console: ServedConsole, connection: Connection[Any]
) -> None:
    console.cookie("bert", Role.FINANCE)
    with console.client(*CHIEF) as client:
        for path, fields, said in (
            ("give", {"name": "chief", "role": "finance"}, "Nobody changes what they"),
            ("block", {"name": "chief"}, "Nobody changes what they"),
            ("give", {"name": "bert", "role": "king"}, "This is no role."),
            ("give", {"name": "bert", "role": "finance", "where": "nowhere"}, "no such legal"),
            ("give", {"name": "bert", "role": "finance", "where": "watt/hill"}, "no such legal"),
            ("give", {"name": "bert", "role": "finance", "where": "/hill"}, "no such legal"),
        ):
            answer = send(client, f"/access/person/{path}", **fields)
            assert answer.status_code == 400, (path, fields)
            assert said in answer.text
        for name in ("BERT", "b.ert", "", "\x00", "x" * 61):
            answer = send(client, "/access/people", name=name, full_name="Bert", role="")
            assert answer.status_code == 400, name
        for name in ("nobody", "\x00", "x" * 500):
            answer = send(client, "/access/person/block", name=name)
            assert answer.status_code == 404, name
        assert send(client, "/access/person/marry", name="bert").status_code == 404

    assert grants(connection, "chief") == (Grant(Role.ADMINISTRATOR),)
    assert grants(connection, "bert") == (Grant(Role.FINANCE),)
    assert list_changes(connection, name="nobody") == []


def test_who_reaches_a_part_sees_and_gives_there_alone(
    console: ServedConsole, connection: Connection[Any]
) -> None:
    for name, grant in (
        ("bert", Grant(Role.FINANCE, "watt", "pier")),
        ("carl", Grant(Role.FINANCE, "volt")),
        ("emil", Grant(Role.AUDITOR)),
    ):
        console.cookie(name, grant)
    with console.client(*DORA) as client:
        shown = client.get("/console/access").text
        assert "name=bert" in shown
        assert "name=dora" in shown
        assert 'value="watt/pier"' in shown
        for foreign in ("volt", "hill"):
            assert foreign not in shown + client.get("/console/access/person?name=bert").text
        for hidden in ("carl", "emil"):
            assert f"name={hidden}" not in shown
            assert client.get(f"/console/access/person?name={hidden}").status_code == 404
            assert send(client, "/access/person/link", name=hidden).status_code == 404
        for path in ("tokens", "changes"):
            assert client.get(f"/console/access/{path}").status_code == 404
        assert send(client, "/access/tokens", name="app", scope=["read"]).status_code == 404
        assert send(client, "/access/tokens/revoke", token="app").status_code == 404
        nobody = {"name": "fred", "full_name": "Fred", "role": ""}
        assert send(client, "/access/people", **nobody).status_code == 400
        sent = {"name": "bert", "role": "administrator"}
        assert send(client, "/access/person/give", **sent).status_code == 400
        assert send(client, "/access/person/give", **sent, where="volt").status_code == 400
        assert send(client, "/access/person/give", **sent, where="watt/quay").status_code == 303

    assert grants(connection, "bert") == (
        Grant(Role.ADMINISTRATOR, "watt", "quay"),
        Grant(Role.FINANCE, "watt", "pier"),
    )


def test_no_other_role_changes_anything(
    console: ServedConsole, connection: Connection[Any]
) -> None:
    console.cookie("bert", Role.FINANCE)
    for role in (each for each in Role if each is not Role.ADMINISTRATOR):
        try_all(console, role)

    assert find_user(connection, "eve") is None
    assert grants(connection, "bert") == (Grant(Role.FINANCE),)
    assert list_tokens(connection) == []


def try_all(console: ServedConsole, role: Role) -> None:
    """Try as somebody of *role* what an administrator does."""
    sees = role in {Role.AUDITOR, Role.OPERATIONS}
    with console.client(f"some {role}", role) as client:
        for path in ("", "/person?name=bert", "/tokens", "/changes", "/drivers"):
            answer = client.get(f"/console/access{path}")
            assert answer.status_code == (200 if sees else 403), path
            assert "/console/access/person/" not in answer.text
        for path, fields in (
            ("/access/people", {"name": "eve", "full_name": "Eve", "role": "administrator"}),
            ("/access/person/give", {"name": "bert", "role": "auditor"}),
            ("/access/person/give", {"name": f"some {role}", "role": "administrator"}),
            ("/access/tokens", {"name": "app", "scope": "read"}),
        ):
            assert send(client, path, **fields).status_code == 403, path


def test_a_machine_s_token_is_shown_once_and_revoked(
    console: ServedConsole, connection: Connection[Any]
) -> None:
    with console.client(*CHIEF) as client:
        assert send(client, "/access/tokens", name="app").status_code == 400
        assert send(client, "/access/tokens", name="app", scope=["king"]).status_code == 400
        made = send(client, "/access/tokens", name="app <b>", scope=["read", "tokens"])
        token = re.findall(r"<code>(wl_[\w-]+)</code>", made.text)[0]
        assert "app &lt;b&gt;" in made.text
        bearer = {"Authorization": f"Bearer {token}"}
        assert client.get("/stations", headers=bearer).status_code in (200, 404)
        assert send(client, "/access/tokens", name="app <b>", scope=["read"]).status_code == 400
        shown = client.get("/console/access/tokens").text
        assert token not in shown
        assert send(client, "/access/tokens/revoke", token="app <b>").status_code == 303
        time.sleep(0.6)  # so old is what is known of a token, at most
        assert client.get("/stations", headers=bearer).status_code == 401
        for scope in Scope:
            assert f'value="{scope}"' in shown

    assert [(each.name, each.scopes, each.made_by) for each in list_tokens(connection)] == [
        ("app <b>", ["read", "tokens"], "chief")
    ]
    assert [each.kind for each in list_changes(connection, name="chief")][:2] == [
        "token_revoked",
        "token_made",
    ]


def test_changes_are_read_page_by_page(console: ServedConsole, connection: Connection[Any]) -> None:
    with console.client(*CHIEF) as client:
        for number in range(60):
            client.get("/console/access")
            connection.execute(
                "INSERT INTO user_change (name, kind, change, changed_by, changed_at)"
                " VALUES (%s, 'added', '{}', 'a test', now())",
                (f"user{number:02}",),
            )
        first = client.get("/console/access/changes").text
        following = re.findall(r'href="([^"]+)" rel="next"', first)[0]
        second = client.get(following).text

    names = [re.findall(r">(user\d\d)<", each) for each in (first, second)]
    assert names[0] == [f"user{number:02}" for number in range(59, 9, -1)]
    assert names[1] == [f"user{number:02}" for number in range(9, -1, -1)]
    assert 'rel="next"' not in second


def test_a_person_is_added_and_given_a_role_by_keyboard(
    console: ServedConsole, connection: Connection[Any], chromium: Browser
) -> None:
    cookie = console.cookie(*CHIEF)
    with tab(chromium, console.url, cookie) as opened:
        opened.open("/console/access")
        opened.assert_is_fit("access-people")
        keys = opened.page.keyboard
        opened.tab_to("#name")
        keys.type("anna")
        keys.press("Tab")
        keys.type("Anna A.")
        keys.press("Tab")
        keys.type("Finance" if opened.text("#role option:nth-child(2)") == "Finance" else "finance")
        keys.press("Tab")
        keys.type("watt")
        with opened.page.expect_navigation():
            keys.press("Enter")
        assert "/console/link/" in opened.text(".said code")
        opened.assert_is_fit("access-person")
        for path, name in (("tokens", "access-tokens"), ("changes", "access-changes")):
            opened.open(f"/console/access/{path}")
            opened.assert_is_fit(name)
        # The other jobs of the screen, without a mouse as well.
        opened.open("/console/access/person?name=anna")
        entered(opened, "form[action$='/factor'] button")
        opened.open("/console/access/tokens")
        opened.tab_to("#name")
        keys.type("an app")
        opened.tab_to("#scope-read")
        keys.press("Space")
        entered(opened, "form[action$='/tokens'] button")
        opened.open("/console/access/drivers")
        opened.tab_to("#uid")
        keys.type("04STOLEN")
        entered(opened, "#uid")
        entered(opened, "button[value='blocked']")
        assert opened.troubles == []

    assert user_standing(connection, "anna").factor_required
    assert [(each.name, each.scopes) for each in list_tokens(connection)] == [("an app", ["read"])]
    blocked = token_of(connection, "04STOLEN")
    assert blocked is not None
    assert blocked.status is TokenStatus.BLOCKED
    assert grants(connection, "anna") == (Grant(Role.FINANCE, "watt"),)


def entered(opened: Tab, selector: str) -> None:
    """Go to an element and press Enter, by keyboard; return once the next page is there."""
    opened.tab_to(selector)
    with opened.page.expect_navigation():
        opened.page.keyboard.press("Enter")
