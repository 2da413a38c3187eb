"""Coming in by pages, as a person does and as an attacker would."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from psycopg import Connection

from ledger.database import connect
from ledger.users.access_tokens import list_tokens, token_user
from ledger.users.giving import Giver, add_account, block_account, link_account, require_factor
from ledger.users.own_account import choose_password, first_link
from ledger.users.proving.refusals import FREE
from ledger.users.proving.second_factor import (
    code_at,
    key_in,
    offer_factor,
    offered_address,
    set_factor,
)
from ledger.users.roles import Grant, Role
from ledger.users.store import find_user
from ledger.users.user import User
from projections.console.access.typed import BROWSER_COOKIE
from projections.console.page import COOKIE
from tests.projections.console.served_console import ServedConsole, served_console

NOON = datetime(2026, 4, 1, 10, tzinfo=UTC)
PASSWORD = "four words in a row"
GIVER = Giver("chief")


@pytest.fixture
def console(database: str) -> Iterator[ServedConsole]:
    with served_console(database, NOON) as served:
        yield served


@pytest.fixture
def connection(console: ServedConsole) -> Iterator[Connection[Any]]:
    """Accounts of chief, who is an administrator, and anna, who has a password."""
    with connect(console.dsn) as opened:
        chief = User(name="chief", full_name="Chief", grants=(Grant(Role.ADMINISTRATOR),))
        add_account(opened, chief, GIVER, NOON)
        anna = User(name="anna", full_name="Anna", grants=(Grant(Role.FINANCE),))
        choose_password(opened, add_account(opened, anna, GIVER, NOON), PASSWORD, NOON)
        yield opened


@contextmanager
def browser(console: ServedConsole) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=console.url, trust_env=False, timeout=60) as client:
        yield client


def come(client: httpx.Client, **fields: str) -> httpx.Response:
    return client.post("/console/login", data={"name": "anna", "password": PASSWORD, **fields})


def form_key(client: httpx.Client) -> str:
    found = re.search(r'name="form_key" value="([^"]+)"', client.get("/console/me").text)
    assert found is not None
    return found[1]


def send(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    """Send a form of this very browser."""
    return client.post(f"/console{path}", data={"form_key": form_key(client), **fields})


def key_of(connection: Connection[Any], name: str = "anna") -> bytes:
    offer_factor(connection, name)
    key = key_in(offered_address(connection, name) or "")
    earlier = NOON - timedelta(minutes=5)
    assert set_factor(connection, name, code_at(key, earlier), earlier)
    return key


def test_the_first_link_makes_an_administrator_who_is_in(console: ServedConsole) -> None:
    with connect(console.dsn) as opened:
        token = first_link(opened, NOON, by="ops")
    with browser(console) as client:
        assert "Nobody has an account yet" in client.get("/console/login").text
        page = f"/console/first/{token}"
        assert "The first account" in client.get(page).text
        given = {"name": "chief", "full_name": "Chief <b>", "password": PASSWORD}
        unequal = client.post(page, data={**given, "again": "other words here"})
        weak = client.post(page, data={**given, "password": "short", "again": "short"})
        made = client.post(page, data={**given, "again": PASSWORD})
        home = client.get("/console/me")
        again = client.post(page, data={**given, "again": PASSWORD})

    assert "not the same" in unequal.text
    assert "at least 12 characters" in weak.text
    assert (made.status_code, made.headers["location"]) == (303, "/console")
    assert "Chief &lt;b&gt;" in home.text
    # In already, and without that session's key: the form is another's, the link is dead.
    assert again.status_code == 403
    with connect(console.dsn) as opened:
        found = find_user(opened, "chief")
        assert found is not None
        assert found.grants == (Grant(Role.ADMINISTRATOR),)
        assert first_link(opened, NOON, by="ops") is None


@pytest.mark.parametrize("kind", ["first", "link"])
@pytest.mark.usefixtures("connection")
def test_a_link_that_holds_no_more_says_so(console: ServedConsole, kind: str) -> None:
    with browser(console) as client:
        for token in ("x" * 43, "%00", "x" * 5000):
            answer = client.get(f"/console/{kind}/{token}")
            assert answer.status_code == 410
            assert "holds no more" in answer.text
            sent = {"password": PASSWORD, "again": PASSWORD, "name": "eve", "full_name": "Eve"}
            assert client.post(f"/console/{kind}/{token}", data=sent).status_code == 410


def test_a_link_is_looked_at_and_then_used_once(
    console: ServedConsole, connection: Connection[Any]
) -> None:
    path = f"/console/link/{link_account(connection, 'anna', GIVER, NOON)}"
    new = {"password": "another four words", "again": "another four words"}
    with browser(console) as client:
        assert client.get(path).status_code == client.get(path).status_code == 200
        assert client.post(path, data=new).status_code == 303
        assert client.get("/console/me").status_code == 200
    with browser(console) as client:
        assert client.post(path, data=new).status_code == 410
        assert come(client).status_code == 403
        assert come(client, password="another four words").status_code == 303


def test_a_password_lets_in_and_the_cookie_is_the_browser_s_alone(
    console: ServedConsole, connection: Connection[Any]
) -> None:
    with browser(console) as client:
        wanted = "/console/invoices?customer=7&after=%C3%A4"
        answer = come(client, next=wanted)

        assert (answer.status_code, answer.headers["location"]) == (303, wanted)
        for cookie in answer.headers.get_list("set-cookie"):
            assert "HttpOnly" in cookie
            assert "SameSite=lax" in cookie
            assert "Path=/console" in cookie
            assert "Secure" not in cookie
        kept = str(connection.execute("SELECT * FROM browser_session").fetchall())
        assert client.cookies[COOKIE] not in kept
    with browser(console) as client:
        # Behind a proxy of this machine that browsers reach by https.
        secure = client.post(
            "/console/login",
            data={"name": "anna", "password": PASSWORD},
            headers={"X-Forwarded-Proto": "https"},
        )
        assert all("Secure" in each for each in secure.headers.get_list("set-cookie"))


ELSEWHERE = (
    "https://evil.example/",
    "//evil.example/console",
    "/\\evil.example",
    "/console\\..\\evil",
    "/consoleevil.example",
    "/console@evil.example",
    "javascript:alert(1)",
    "/console/\r\nSet-Cookie: a=b",
    "/console/\u2028x",
    "/console/" + "x" * 3000,
)


@pytest.mark.usefixtures("connection")
def test_nobody_is_led_elsewhere(console: ServedConsole) -> None:
    for wanted in ELSEWHERE:
        with browser(console) as client:
            shown = client.get("/console/login", params={"next": wanted})
            answer = come(client, next=wanted)

            assert 'name="next" value="/console"' in shown.text
            assert answer.headers["location"] == "/console"
            again = client.get("/console/login", params={"next": wanted})
            assert again.headers["location"] == "/console"


@pytest.mark.usefixtures("connection")
def test_a_session_that_somebody_planted_is_not_taken_over(console: ServedConsole) -> None:
    with browser(console) as client:
        client.cookies.set(COOKIE, "planted", path="/console")
        come(client)
        first = client.cookies.get(COOKIE, path="/console", domain="127.0.0.1")
        assert first != "planted"
    with browser(console) as other:
        other.cookies.set(COOKIE, "planted")
        assert other.get("/console/me").status_code == 303


@pytest.mark.usefixtures("connection")
def test_coming_in_again_ends_the_session_before(console: ServedConsole) -> None:
    with browser(console) as client:
        come(client)
        before = client.cookies[COOKIE]
        answer = send(client, "/login", name="anna", password=PASSWORD)
        assert answer.status_code == 303
        assert client.cookies[COOKIE] != before
    with browser(console) as other:
        other.cookies.set(COOKIE, before)
        assert other.get("/console/me").status_code == 303


@pytest.mark.usefixtures("connection")
def test_who_goes_out_is_out_and_only_by_a_form_of_this_browser(console: ServedConsole) -> None:
    with browser(console) as client:
        come(client)
        cookie = client.cookies[COOKIE]
        assert client.post("/console/logout").status_code == 403
        assert client.get("/console/logout").status_code in (404, 405)
        assert send(client, "/logout").status_code == 303
        assert COOKIE not in client.cookies
    with browser(console) as other:
        other.cookies.set(COOKIE, cookie)
        assert other.get("/console/me").status_code == 303


@pytest.mark.usefixtures("connection")
def test_another_site_signs_nobody_in(console: ServedConsole) -> None:
    with browser(console) as client:
        data = {"name": "anna", "password": PASSWORD}
        for headers in (
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
        ):
            assert client.post("/console/login", data=data, headers=headers).status_code == 403
        assert COOKIE not in client.cookies


@pytest.mark.usefixtures("connection")
def test_nobody_learns_by_an_answer_who_has_an_account(console: ServedConsole) -> None:
    with browser(console) as client:
        answers = [
            come(client, name=name, password="wrong words here").text.replace(name, "NAME")
            for name in ("anna", "chief", "nobody")
        ]

    assert "do not belong together" in answers[0]
    assert len(set(answers)) == 1


@pytest.mark.usefixtures("connection")
def test_guesses_are_slowed_but_not_in_a_browser_that_was_in(console: ServedConsole) -> None:
    with browser(console) as mine, browser(console) as other:
        come(mine)
        send(mine, "/logout")
        for _ in range(FREE):
            assert come(other, password="wrong words here").status_code == 403
        slowed = come(other)
        assert slowed.status_code == 429
        assert "Try again in 1 s." in slowed.text
        assert BROWSER_COOKIE in mine.cookies
        assert come(mine).status_code == 303


def test_a_code_follows_the_password_and_is_taken_once(
    console: ServedConsole, connection: Connection[Any]
) -> None:
    key = key_of(connection)
    with browser(console) as client, browser(console) as thief:
        asked, stolen = come(client, next="/console/months"), come(thief)
        assert asked.status_code == 200
        assert COOKIE not in client.cookies
        step, other = (
            re.findall(r'name="step" value="([^"]+)"', each.text)[0] for each in (asked, stolen)
        )
        sent = {"step": step, "is_new": "", "next": "/console/months"}
        wrong = client.post("/console/login/code", data={**sent, "code": "000000"})
        forged = client.post("/console/login/code", data={**sent, "is_new": "yes", "code": "1"})
        right = client.post("/console/login/code", data={**sent, "code": code_at(key, NOON)})
        replayed = thief.post(
            "/console/login/code", data={"step": other, "is_new": "", "code": code_at(key, NOON)}
        )

        assert wrong.status_code == 403
        assert "not the code of this moment" in wrong.text
        assert forged.status_code == 403
        assert (right.status_code, right.headers["location"]) == (303, "/console/months")
        assert replayed.status_code == 403
        assert COOKIE not in thief.cookies


def test_who_has_to_have_a_factor_sets_it_on_the_way_in(
    console: ServedConsole, connection: Connection[Any]
) -> None:
    require_factor(connection, "anna", GIVER, NOON, is_required=True)
    with browser(console) as client:
        asked = come(client)
        step = re.findall(r'name="step" value="([^"]+)"', asked.text)[0]
        key = re.findall(r"<code>([A-Z2-7 ]+)</code>", asked.text)[0]
        assert "data:image/svg+xml;base64," in asked.text
        assert COOKIE not in client.cookies
        code = code_at(key_in(f"secret={key}"), NOON)
        sent = {"step": step, "is_new": "yes", "code": code}
        assert client.post("/console/login/code", data=sent).status_code == 303
        assert send(client, "/me/factor/drop", present=PASSWORD).status_code == 400


def test_a_blocked_person_is_out_with_the_next_page(
    console: ServedConsole, connection: Connection[Any]
) -> None:
    with browser(console) as client:
        come(client)
        assert client.get("/console/me").status_code == 200
        block_account(connection, "anna", GIVER, NOON)
        assert client.get("/console/me").status_code == 303
        assert come(client).status_code == 403


@pytest.mark.usefixtures("connection")
def test_one_s_own_account_is_changed_by_who_knows_the_password(console: ServedConsole) -> None:
    new = "another four words"
    with browser(console) as client, browser(console) as other:
        come(client)
        come(other)
        wrong = send(client, "/me/password", present="wrong words here", password=new, again=new)
        unequal = send(client, "/me/password", present=PASSWORD, password=new, again=new + "x")
        done = send(client, "/me/password", present=PASSWORD, password=new, again=new)

        assert "This is not your present password." in wrong.text
        assert "The two passwords are not the same." in unequal.text
        assert done.status_code == 303
        assert client.get("/console/me").status_code == 200
        assert other.get("/console/me").status_code == 303
        assert come(other).status_code == 403

    with browser(console) as client:
        assert come(client, password=new).status_code == 303
        assert send(client, "/me/factor", present=new).headers["location"] == "/console/me/factor"
        shown = client.get("/console/me/factor").text
        key = key_in("secret=" + re.findall(r"<code>([A-Z2-7 ]+)</code>", shown)[0])
        assert send(client, "/me/factor/code", code="000000").status_code == 400
        assert send(client, "/me/factor/code", code=code_at(key, NOON)).status_code == 303
        assert "It is set" in client.get("/console/me").text
        assert send(client, "/me/factor/drop", present=new).status_code == 303
        assert "None is set" in client.get("/console/me").text


def test_a_token_of_one_s_own_is_shown_once_and_revoked(
    console: ServedConsole, connection: Connection[Any]
) -> None:
    with browser(console) as client:
        come(client)
        refused = send(client, "/me/tokens", what_for="laptop", present="wrong words here")
        made = send(client, "/me/tokens", what_for="laptop", present=PASSWORD)
        token = re.findall(r"<code>(wl_[^<]+)</code>", made.text)[0]
        assert refused.status_code == 400
        assert token_user(connection, token) == find_user(connection, "anna")
        shown = client.get("/console/me").text
        assert token not in shown
        assert "anna: laptop" in shown
        assert send(client, "/me/tokens/revoke", token="chief: laptop").status_code == 400
        assert send(client, "/me/tokens/revoke", token="anna: laptop").status_code == 303
        assert token_user(connection, token) is None
        assert [each.person for each in list_tokens(connection)] == ["anna"]


def test_looks_are_kept_and_nothing_else_is(
    console: ServedConsole, connection: Connection[Any]
) -> None:
    with browser(console) as client:
        come(client)
        assert send(client, "/me/looks", language="fr", theme="dark").status_code == 303
        shown = client.get("/console/me").text
        assert '<html lang="fr" data-theme="dark">' in shown
        odd = {"language": '"><script>', "theme": "x' onload='"}
        assert send(client, "/me/looks", **odd).status_code == 303
    found = find_user(connection, "anna")
    assert found is not None
    assert (found.language, found.theme) == ("", "")


@pytest.mark.usefixtures("connection")
def test_a_flood_of_guesses_keeps_no_page_from_who_is_in(console: ServedConsole) -> None:
    def guess(number: int) -> int:
        with browser(console) as own:
            return come(own, name=f"name {number}", password="wrong words here").status_code

    with browser(console) as client, ThreadPoolExecutor(30) as pool:
        come(client)
        guesses = [pool.submit(guess, number) for number in range(90)]
        shown = [client.get("/console/me").status_code for _ in range(5)]
        assert shown == [200] * 5
        assert {each.result() for each in guesses} <= {403, 429}
