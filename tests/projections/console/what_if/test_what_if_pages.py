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
from ledger.declared.declarations import Kind
from ledger.declared.store import load_declarations
from ledger.desk.apply import apply_files
from ledger.log.postgres import PostgresEventLog
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
    assert "€0.59" in drill
    assert "€0.69" in drill


def declare(dsn: str, at: datetime, text: str) -> None:
    with connect(dsn) as connection, PostgresEventLog(dsn) as log:
        apply_files(connection, [(text, "policy.yaml")], log=log, by="root", at=at)


def test_a_price_that_moves_too_much_is_approved_by_a_second_person_with_a_reason(
    console: ServedConsole, at: datetime
) -> None:
    month = month_of(console.dsn)
    declare(console.dsn, at, f"{GATE} variance_percent: 2, variance_session: 0.50}}\n")
    with console.client("mara", MARA) as mara, console.client("theo", MARA) as theo:
        draft = kept(mara, DEARER)
        place = tried(mara, draft, (month, month))
        said = mara.get(place).text
        answer = send(
            mara, f"/console/what-if/drafts/{draft}/propose", day="2026-12-01", zone="Europe/Berlin"
        )
        assert answer.status_code == 303, answer.text
        record = re.search(r'name="record" value="(\d+)"', theo.get(place).text)
        assert record is not None
        asked = {"record": record[1], "job": place.rpartition("/")[2]}
        approve = f"/console/what-if/drafts/{draft}/approve"
        own = send(mara, approve, **asked, reason="because")
        silent = send(theo, approve, **asked)
        other = send(theo, approve, **{**asked, "record": "999"}, reason="because")
        done = send(theo, approve, **asked, reason="energy became dearer")
        shown = theo.get(done.headers["location"]).text

    assert "revenue moves by +" in said
    assert "a session becomes dearer by" in said
    assert (own.status_code, silent.status_code, other.status_code) == (409, 409, 409)
    assert "was asked for by mara" in own.text
    assert "is approved only with a reason: revenue moves by" in silent.text
    assert "somebody else has just changed the record" in other.text
    assert "Proposed by mara, approved by theo." in shown
    assert "energy became dearer" in shown
    with connect(console.dsn) as connection:
        known = load_declarations(connection)
    starts = datetime.fromisoformat("2026-11-30T23:00:00+00:00")
    held = known.tariff("time-of-use", starts)
    assert held is not None
    prices = [each.price_components[0].price for each in held.tariff.elements]
    assert "0.69" in map(str, prices)


def test_a_price_nobody_tried_out_needs_a_reason_too(console: ServedConsole, at: datetime) -> None:
    declare(console.dsn, at, f"{GATE} variance_percent: 50}}\n")
    month = month_of(console.dsn)
    with console.client("mara", MARA) as mara, console.client("theo", MARA) as theo:
        draft = kept(mara, DEARER)
        page = f"/console/what-if/drafts/{draft}"
        send(mara, f"{page}/propose", day="2026-12-01", zone="Europe/Berlin")
        record = re.search(r'name="record" value="(\d+)"', theo.get(page).text)
        assert record is not None
        refused = send(theo, f"{page}/approve", record=record[1])
        # A month, or a site, at which nothing was charged says nothing.
        quiet = theo.get(tried(theo, draft, ("2020-01", "2020-02"))).text
        still = send(theo, f"{page}/approve", record=record[1])
        tried(theo, draft, (month, month))
        done = send(theo, f"{page}/approve", record=record[1])

    assert "nobody tried out" in refused.text
    assert "No session of these months took part" in quiet
    assert still.status_code == 409
    assert done.status_code == 303, done.text


REFUSED = (
    ({"first_month": "2026-13", "last_month": "2026-13"}, "are no months"),
    ({"first_month": "2026-03", "last_month": "2026-01"}, "are no months"),
    ({"first_month": "2001-01", "last_month": "2026-01"}, "at most 36"),
    ({"first_month": "", "last_month": "x" * 5000}, "are no months"),
    ({"draft": "0"}, "no such draft"),
    ({"draft": "9" * 40}, "no such draft"),
    ({"draft": "-1"}, "no such draft"),
    ({"tariff": "nosuch", "against": "in_force"}, "no such tariff"),
    ({"tariff": "\0"}, "no such tariff"),
    ({"site": "x" * 900_000}, "no such site"),
)


def test_what_cannot_be_tried_is_refused_in_words(console: ServedConsole) -> None:
    with console.client("mara", MARA) as mara:
        given = {"draft": kept(mara, DEARER), "first_month": "2026-01", "last_month": "2026-01"}
        answers = [
            (send(mara, "/console/what-if", **{**given, **fields}), why) for fields, why in REFUSED
        ]
        for path in ("0", f"{10**30}", "drafts/0", "?after=x&draft=y", "x"):
            assert mara.get(f"/console/what-if/{path}").status_code in (200, 404), path

    for answer, why in answers:
        assert answer.status_code in (404, 409), answer.text
        assert why in answer.text


def test_a_draft_with_problems_is_kept_shown_and_not_tried(console: ServedConsole) -> None:
    hostile = "tariff: <script>alert(1)</script>\ncurrency: EUR\n  bad: ['\n"
    with console.client("mara", MARA) as mara:
        draft = kept(mara, hostile)
        page = mara.get(f"/console/what-if/drafts/{draft}").text
        answer = send(
            mara, "/console/what-if", draft=draft, first_month="2026-01", last_month="2026-01"
        )
        empty = send(mara, "/console/what-if/drafts", text="  ")

    assert "It cannot be tried out before this is mended" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert answer.status_code == 409
    assert "cannot be tried out before it is mended" in answer.text
    assert "<script>alert" not in answer.text
    assert empty.status_code == 409


def test_ten_thousand_elements_are_priced_or_refused_and_hold_nobody_up(
    console: ServedConsole,
) -> None:
    element = "  - {name: e%d, energy: 0.%02d per kWh, restrictions: {start_time: %02d:%02d}}\n"
    many = "".join(element % (n, n % 90 + 10, n % 24, n % 60) for n in range(10_000))
    text = f"tariff: big\ncurrency: EUR\nvat: 19 %\nelements:\n{many}  - energy: 0.40 per kWh\n"
    month = month_of(console.dsn)
    with console.client("mara", MARA) as mara:
        refused = mara.get(f"/console/what-if/drafts/{kept(mara, text)}").text
        fits = text.replace(many, many[: many.index("  - {name: e999,")])
        page = mara.get(tried(mara, kept(mara, fits), (month, month), tariff="time-of-use")).text

    assert "10,001 entries" in refused
    assert "It cannot be tried out before this is mended" in refused
    assert "With the draft" in page


def test_nobody_sees_or_changes_beyond_their_reach(console: ServedConsole) -> None:
    month = month_of(console.dsn)
    here, there = (
        Grant(Role.PRICING, "harbour-charging", "harbour"),
        Grant(Role.PRICING, "harbour-charging", "linden-court"),
    )
    with console.client("mara", MARA) as mara, console.client("harald", here) as harald:
        draft = kept(mara, DEARER)
        place = tried(mara, draft, (month, month))
        mine = harald.get(tried(harald, draft, (month, month))).text
        assert harald.get(place).status_code == 404
        assert place not in harald.get("/console/what-if").text
        assert harald.get(f"{place}/sessions.csv.gz").status_code == 404
        assert send(harald, f"{place}/cancel").status_code == 404
    assert "With the draft" in mine
    with console.client("lina", there) as lina:
        assert lina.get(f"/console/what-if/drafts/{draft}").status_code == 404
        answer = send(
            lina, f"/console/what-if/drafts/{draft}/propose", day="2026-12-01", zone="UTC"
        )
        assert answer.status_code == 404
        # Named by a draft of her own, the tariff is still not hers to change.
        own = kept(lina, DEARER + "# mine\n")
        answer = send(lina, f"/console/what-if/drafts/{own}/propose", day="2026-12-01", zone="UTC")
        assert answer.status_code == 403
        form = lina.get("/console/what-if").text
        assert '<option value="energy-only">' in form
        asked = {"draft": str(own), "first_month": month, "last_month": month}
        for foreign in ("time-of-use", "quayside"):
            assert f'<option value="{foreign}">' not in form
            assert send(lina, "/console/what-if", **asked, tariff=foreign).status_code == 404


def test_what_also_assigns_is_decided_where_its_places_are_named(console: ServedConsole) -> None:
    # A new tariff prices nothing yet, so that whoever reaches one site may change it.
    new = DEARER.replace("time-of-use", "brand-new")
    there = Grant(Role.PRICING, "harbour-charging", "linden-court")
    with console.client("mara", MARA) as mara, console.client("lina", there) as lina:
        draft = kept(mara, new)
        page = f"/console/what-if/drafts/{draft}"
        asked = {"draft": draft, "site": "harbour", "holds_from": "2026-12-01", "zone": "UTC"}
        proposed = send(mara, "/console/tariffs/-/propose", **asked)
        shown = lina.get(page).text
        answers = [
            send(lina, f"{page}/{act}", record=1, reason="why not") for act in ("approve", "reject")
        ]

    assert proposed.status_code == 303, proposed.text
    assert '<a href="/console/tariffs/brand-new#waiting">' in shown
    assert f'action="{page}/' not in shown
    assert [each.status_code for each in answers] == [409, 409]
    assert "is to price other places, too" in answers[0].text
    with connect(console.dsn) as connection:
        known = load_declarations(connection)
    assert known.history(Kind.TARIFF, "brand-new") == ()


def test_who_may_not_change_tariffs_changes_none(console: ServedConsole) -> None:
    with console.client("mara", MARA) as mara:
        draft = kept(mara, DEARER)
    acts = ("", "/drafts", *(f"/drafts/{draft}/{act}" for act in ("propose", "approve", "reject")))
    for role in (Role.AUDITOR, Role.FINANCE, Role.OPERATIONS):
        with console.client(role.value, role) as client:
            form = re.search(rf'name="{FORM_KEY}" value="([^"]+)"', client.get("/console/").text)
            key = {FORM_KEY: form[1] if form else ""}
            answers = [
                client.post(f"/console/what-if{path}", data=key) for path in (*acts, "/1/cancel")
            ]
            seen = client.get(f"/console/what-if/drafts/{draft}")

        assert {each.status_code for each in answers} == {403}, role
        assert seen.status_code == (403 if role is Role.OPERATIONS else 200), role
        assert "Propose it" not in seen.text
