"""No page of the demo's month says anything past its reader's language."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from ledger.database import connect
from ledger.users.roles import Role
from tests.projections.console.access.test_every_route import NOTHING, routes_of
from tests.projections.console.demo_month import demo_now
from tests.projections.console.month_forms import send
from tests.projections.console.served_console import ServedConsole, served_console

pytestmark = pytest.mark.timeout(600)
OTHERS = ("de", "fr")
PAGES_OF_A_KIND = 1
"""Pages of one route with the same filters: what two of them say is the same."""
NOT_OURS = re.compile(r"/html$|[?&](?:as|format)=|/logout$|/static/")
"""Documents, which speak their customer's language, and files."""
SKIPPED = {"script", "style", "pre", "code", "textarea"}
"""What was sent, or is typed: frames, texts of tariffs, hashes."""
SHOWN = ("title", "aria-label", "alt", "placeholder")
WORDS = re.compile(r"(?<![^\s(“„«])[a-zà-ÿ]{2,}(?![^\s,.;:)”“»?!])")
SAME: Mapping[str, str] = {
    "the driver confirms the end; the last reading is good enough": "said by a person of the demo",
    "twenty kWh at noon": "what the example of a new tariff is called, in the text that is edited",
}
"""Texts that are the same in each language, and why."""
REFUSED = (
    "/console/sessions?state=asleep",
    "/console/sessions?since=yesterday",
    "/console/sessions/none",
    "/console/customers/nobody",
    "/console/customers/nobody?as_of=soon",
    "/console/invoices/none",
    "/console/journal?period=soon",
    "/console/energy?station=none&day=soon",
    "/console/frames/0/999999999/0",
    "/console/tariffs/none",
    "/console/tariffs/-/change?draft=99",
    "/console/months/none/2026-03",
    "/console/what-if/99",
    "/console/work/none",
    "/console/search?q=none",
    "/console/nowhere",
)
"""Addresses of nothing: what a page says of them is said in its language as well."""
FAULTY = "tariff: t\ncurrency: EUR\nelements:\n  - enrgy: 1\n    energy: x\n  - time: 0.1\n"


class PageTexts(HTMLParser):
    """The texts that a page shows, and where its links lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: set[str] = set()
        self.links: list[str] = []
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.texts |= {text for name in SHOWN if (text := given.get(name))}
        if tag == "a":
            self.links.append((given.get("href") or "").partition("#")[0])
        if tag in SKIPPED:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in SKIPPED:
            self._open.remove(tag)

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if text and not self._open:
            self.texts.add(text)


def kind_of(address: str, literals: set[str]) -> tuple[str, ...]:
    """Return what kind of page an address is: its route, and what it is filtered by."""
    path, _, query = address.partition("?")
    route = [each if each in literals else "*" for each in path.split("/")]
    # The name of a session has slashes.
    route = route[: route.index("*") + 1] if "sessions" in route and "*" in route else route
    return (*route, "?", *sorted(each.partition("=")[0] for each in query.split("&")))


def walked(client: httpx.Client, literals: set[str]) -> dict[str, set[str]]:
    """Return what pages say by their address, one of each kind, as far as links lead."""
    ways, known = deque(["/console/"]), {"/console/"}
    kinds, pages = Counter[tuple[str, ...]](), dict[str, set[str]]()
    while ways:
        address = ways.popleft()
        kind = kind_of(address, literals)
        if kinds[kind] >= PAGES_OF_A_KIND or NOT_OURS.search(address):
            continue
        kinds[kind] += 1
        answer = client.get(address, follow_redirects=True)
        assert answer.status_code < 400, address
        if answer.headers["content-type"].startswith("text/html"):
            found = PageTexts(answer.text)
            pages[address] = found.texts
            ours = [each for each in found.links if each.startswith("/console")]
            ways.extend(each for each in ours if each not in known)
            known.update(ours)
    return pages


def asked(client: httpx.Client, addresses: Iterable[str]) -> dict[str, set[str]]:
    """Return what pages say, and what is found in a faulty tariff."""
    found = {
        each: PageTexts(client.get(each, follow_redirects=True).text).texts for each in addresses
    }
    checked = send(client, "/console/tariffs/-/check", "/console/tariffs/-/change", text=FAULTY)
    return {**found, "a faulty tariff": PageTexts(checked.text).texts}


def speak(console: ServedConsole, name: str, tag: str) -> None:
    """Let somebody's pages be in a language from now on."""
    with connect(console.dsn) as connection:
        change = "UPDATE user_account SET language = %s WHERE name = %s"
        connection.execute(change, (tag, name))


def declared_texts(dsn: str) -> set[str]:
    """Return every text that was declared: names, and what tariffs call their parts."""
    with connect(dsn) as connection:
        rows = connection.execute(
            "SELECT DISTINCT jsonb_path_query(body::jsonb, %s::jsonpath) #>> '{}' FROM declaration",
            ('strict $.** ? (@.type() == "string")',),
        ).fetchall()
    return {" ".join(str(text).split()) for (text,) in rows}


def test_what_is_the_same_in_two_languages_is_nobodys_sentence(
    demo_copy: str, demo_folder: Path
) -> None:
    routes = [each.address.split("/") for each in routes_of(demo_copy)]
    literals = {part for route in routes for part in route} - {NOTHING}
    data = declared_texts(demo_copy)
    with (
        served_console(demo_copy, demo_now(demo_folder)) as console,
        console.client("walker", *Role) as client,
    ):
        addresses = [*walked(client, literals), *REFUSED]
        english = asked(client, addresses)
        told = {}
        for tag in OTHERS:
            speak(console, "walker", tag)
            told[tag] = asked(client, addresses)

    left = {
        (tag, address, text)
        for tag in OTHERS
        for address, texts in told[tag].items()
        for text in texts & english[address] - data - SAME.keys()
        if len(WORDS.findall(text)) > 1
    }

    assert len(english) > 60
    assert sorted(left) == []
