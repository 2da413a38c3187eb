"""By which names people come to the console, and where links and providers lead them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from ledger.users.roles import Role
from tests.projections.console.access.somebody_in import form_key
from tests.projections.console.access.test_coming_by_provider import (
    provider,  # noqa: F401 - a fixture
)
from tests.projections.console.served_console import ServedConsole, served_console

NOON: Final = datetime(2026, 4, 1, 10, tzinfo=UTC)
NAME: Final = "https://desk.example"
OF_NOBODY: Final = (
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "127.0.0.1:8080.evil.example",
    "evil.example:8080",
    "desk.example",
    "[::1].evil.example",
    "127.0.0.1@evil.example",
    "127.0.0.1, evil.example",
    "127.0.0.1:port",
    "[::1",
    "xn--localhst-75a",
)
TAKEN_FOR: Final = {
    "Host": "evil.example",
    "X-Forwarded-Host": "evil.example",
    "Forwarded": "host=evil.example",
    "X-Original-Host": "evil.example",
}


def links_in(html: str) -> list[str]:
    return re.findall(r"<code>(http[^<]*)</code>", html)


def test_no_page_is_shown_and_no_form_taken_by_a_name_that_nobody_said(database: str) -> None:
    with served_console(database, NOON) as console, console.client("ada", Role.AUDITOR) as client:
        key = form_key(client)
        found = {}
        for host in OF_NOBODY:
            headers = {"Host": host, "Origin": f"http://{host}"}
            asked = client.get("/console/me", headers=headers)
            sent = client.post("/console/logout", data={"form_key": key}, headers=headers)
            found[host] = {asked.status_code, sent.status_code}
            assert key not in asked.text
            # The library refuses what is no host at all.
            assert asked.status_code == 400 or "console_url" in asked.text
        for host in ("localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080", "10.0.0.7"):
            assert client.get("/console/me", headers={"Host": host}).status_code == 200, host

    assert {host for host, statuses in found.items() if statuses not in ({421}, {400})} == set()


def test_links_begin_with_the_address_by_which_their_giver_came(database: str) -> None:
    with served_console(database, NOON) as console:
        [link] = _given(console, {"X-Forwarded-Host": "evil.example"})

    assert link.startswith(f"{console.url}/console/link/")


@pytest.mark.parametrize("name", ["console_url", "documents_url"])
def test_links_begin_with_the_name_that_was_said_whatever_a_browser_says(
    database: str, name: str
) -> None:
    with served_console(database, NOON, **{name: NAME}) as console:
        [link] = _given(console, TAKEN_FOR)

    assert link.startswith(f"{NAME}/console/link/")


def test_forms_are_of_the_name_that_was_said_or_of_an_address(database: str) -> None:
    with served_console(database, NOON, console_url=NAME) as console:
        taken = {
            (origin, host): _signed_out(console, origin, host)
            for origin, host in (
                (NAME, "desk.example"),
                (NAME, "interface:8080"),
                ("http://127.0.0.1:8080", "127.0.0.1:8080"),
                ("https://evil.example", "evil.example"),
                ("https://evil.example", "desk.example"),
                ("http://127.0.0.1:8080", "127.0.0.1:9000"),
                ("null", "desk.example"),
                ("", "desk.example"),
            )
        }

    assert [*taken.values()] == [303, 303, 303, 403, 403, 403, 403, 403]


def test_a_provider_sends_people_back_to_the_name_that_was_said(
    database: str,
    provider: str,  # noqa: F811 - a fixture
) -> None:
    given = {"oidc_issuer": provider, "oidc_client_id": "wattledger", "console_url": NAME}
    with (
        served_console(database, datetime.now(UTC), **given) as console,
        httpx.Client(base_url=console.url, trust_env=False, timeout=60) as client,
    ):
        way = client.get("/console/oidc/start", headers=TAKEN_FOR)

    said = parse_qs(urlsplit(way.headers["location"]).query)
    assert said["redirect_uri"] == [f"{NAME}/console/oidc/back"]
    assert all("Secure" in each for each in way.headers.get_list("set-cookie"))


@pytest.mark.parametrize(
    ("proxies", "scheme"), [("127.0.0.0/8", "https"), ("10.0.0.0/8", "http"), ("", "http")]
)
def test_only_a_proxy_that_was_named_says_how_people_came(
    database: str, proxies: str, scheme: str
) -> None:
    with served_console(database, NOON, trusted_proxies=proxies) as console:
        [link] = _given(console, {"X-Forwarded-Proto": "https"})

    assert link.startswith(f"{scheme}://127.0.0.1:")


def _given(console: ServedConsole, headers: dict[str, str]) -> list[str]:
    """Give somebody a link, as a browser with *headers*, and return what the page shows."""
    with console.client("chief", Role.ADMINISTRATOR) as client:
        form = {"form_key": form_key(client), "name": "bert", "full_name": "Bert"}
        shown = client.post("/console/access/people", data=form, headers=headers)
    return links_in(shown.text)


def _signed_out(console: ServedConsole, origin: str, host: str) -> int:
    with console.client("ada", Role.AUDITOR) as client:
        headers = {"Origin": origin, "Host": host}
        form = {"form_key": form_key(client)}
        return client.post("/console/logout", data=form, headers=headers).status_code
