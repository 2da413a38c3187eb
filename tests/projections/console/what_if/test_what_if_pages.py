"""What if, on the demo's month: tried out, understood to the cent, proposed and approved."""

from __future__ import annotations

import csv
import gzip
import io
import re
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from ledger.database import connect
from ledger.rating.decisions import SessionRated
from ledger.rating.stored import unpack_decision
from ledger.users.roles import Grant, Role
from projections.console.page import FORM_KEY
from tests.projections.console.demo_month import demo_now
from tests.projections.console.served_console import ServedConsole, served_console
from tests.tree import EXAMPLES

MARA = Grant(Role.PRICING)
TEXT = (EXAMPLES / "tariffs" / "time-of-use.yaml").read_text("utf-8")
DEARER = TEXT.replace("0.59 per kWh", "0.69 per kWh").partition("\nexamples:")[0] + "\n"
GATE = "policy: {wait_s: 3600, silence_s: 21600, unknown_tokens: refuse, four_eyes: true,\n"
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def at(demo_folder: Path) -> datetime:
    return demo_now(demo_folder)


@pytest.fixture
def console(demo_copy: str, at: datetime) -> Iterator[ServedConsole]:
    with served_console(demo_copy, at) as served:
        yield served


def send(client: httpx.Client, path: str, **fields: object) -> httpx.Response:
    """Send a form as a page of this browser would."""
    key = re.search(rf'name="{FORM_KEY}" value="([^"]+)"', client.get("/console/what-if").text)
    assert key is not None
    data = {FORM_KEY: key[1], **{name: str(value) for name, value in fields.items()}}
    return client.post(path, data=data)


def kept(client: httpx.Client, text: str) -> int:
    answer = send(client, "/console/what-if/drafts", text=text)
    assert answer.status_code == 303, answer.text
    return int(answer.headers["location"].rpartition("/")[2])


def tried(client: httpx.Client, draft: int, months: tuple[str, str], **also: str) -> str:
    """Return the page of a try once it is over."""
    first, last = months
    answer = send(
        client, "/console/what-if", draft=draft, first_month=first, last_month=last, **also
    )
    assert answer.status_code == 303, answer.text
    place = answer.headers["location"]
    for _ in range(2400):
        page = client.get(place)
        assert page.status_code == 200
        if 'hx-trigger="every 1s"' not in page.text:
            return place
        threading.Event().wait(0.05)
    pytest.fail("the job does not come to an end")


def billed(dsn: str, tariff: str, month: str) -> list[SessionRated]:
    with connect(dsn) as connection:
        rows = connection.execute(
            "SELECT body FROM final_decision WHERE kind IN ('rated', 'released', 'corrected')"
        ).fetchall()
    found = [unpack_decision(body) for (body,) in rows]
    return [
        each
        for each in found
        if isinstance(each, SessionRated)
        and (each.tariff_id, each.billing_month) == (tariff, month)
        and not each.given_back
        and each.not_billed is None
        and each.elsewhere is None
    ]


def month_of(dsn: str) -> str:
    with connect(dsn) as connection:
        [(body,)] = connection.execute("SELECT body FROM final_decision LIMIT 1").fetchall()
    rated = unpack_decision(body)
    assert isinstance(rated, SessionRated)
    return rated.billing_month


def test_totals_before_are_what_the_books_say_and_each_session_is_in_the_file(
    console: ServedConsole,
) -> None:
    month = month_of(console.dsn)
    rated = billed(console.dsn, "time-of-use", month)
    with console.client("mara", MARA) as client:
        place = tried(client, kept(client, DEARER), (month, month))
        page = client.get(place).text
        packed = client.get(f"{place}/sessions.csv.gz").content
        losers = re.findall(rf'href="({place}/session\?id=[^"]+)"', page)
        drill = client.get(losers[0].replace("&amp;", "&")).text

    rows = list(csv.DictReader(io.StringIO(gzip.decompress(packed).decode())))
    assert {row["session"] for row in rows if row["session"]} == {each.session_id for each in rated}
    total = sum(each.gross_minor for each in rated)
    assert total > 0
    assert f"{total // 100:,}.{total % 100:02}" in page
    assert f"<strong>{len(rated):,}</strong>" in page
    new = sum(int(row["new"].replace(".", "")) for row in rows)
    assert new > total
    assert f"{new // 100:,}.{new % 100:02}" in page
    assert "0.59 EUR/kWh" in drill
    assert "0.69 EUR/kWh" in drill
