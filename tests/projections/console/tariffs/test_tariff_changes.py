"""Who may change a tariff, and how an assignment is proposed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest

from ledger.database import connect
from ledger.declared.declarations import Declarations, Kind
from ledger.declared.store import load_declarations
from ledger.desk.drafting.drafts import draft_text, drafts
from ledger.desk.drafting.texts import kept_text
from ledger.master_data.assignments import Assignment
from ledger.users.roles import Grant, Role
from tests.projections.console.demo_month import demo_now
from tests.projections.console.served_console import ServedConsole, served_console
from tests.projections.console.tariffs.sent_forms import CHANGE, post
from tests.tree import EXAMPLES

pytestmark = pytest.mark.timeout(600)
FILE = (EXAMPLES / "tariffs" / "time-of-use.yaml").read_text("utf-8")
DEARER = FILE.replace("0.59 per", "0.69 per").replace("14.64", "17.02").replace("12.26", "13.45")
MAY = datetime(2026, 5, 1, tzinfo=ZoneInfo("Europe/Berlin"))
ACTS = ("/check", "/drafts", "/propose", "/assign", "/retire", "/approve", "/reject")
HARBOUR = Grant(Role.PRICING, "harbour-charging", "harbour")


@pytest.fixture
def console(demo_copy: str, demo_folder: Path) -> Iterator[ServedConsole]:
    with served_console(demo_copy, demo_now(demo_folder)) as served:
        yield served


def kept_draft(client: httpx.Client, text: str, **fields: str) -> str:
    """Keep a text; return the number of the draft."""
    answer = post(client, "/drafts", text=text, **fields)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].partition("draft=")[2].partition("&")[0]


def declared(console: ServedConsole) -> Declarations:
    with connect(console.dsn) as connection:
        return load_declarations(connection)


def test_who_may_not_change_tariffs_may_not_and_who_may_not_see_them_does_not(
    console: ServedConsole,
) -> None:
    with console.client("augusta", Role.AUDITOR) as auditor:
        page = auditor.get("/console/tariffs/time-of-use")
        refused = [
            auditor.get(f"{CHANGE}/change?id=time-of-use"),
            *(post(auditor, path, id="time-of-use", text=FILE, reason="no") for path in ACTS),
        ]
    with console.client("otto", Role.OPERATIONS) as otto:
        unseen = [
            otto.get(path)
            for path in (
                "/console/tariffs",
                "/console/tariffs/time-of-use",
                "/console/tariffs/-/text?id=time-of-use",
                "/console/tariffs/-/assignments",
                "/console/tariffs/-/waiting",
            )
        ]

    assert page.status_code == 200
    assert "Change it" not in page.text
    assert {each.status_code for each in refused} == {403}
    assert {each.status_code for each in unseen} == {403}


def test_a_tariff_out_of_reach_is_none_and_one_that_prices_beyond_is_not_changed(
    console: ServedConsole,
) -> None:
    with console.client("hanna", HARBOUR) as hanna:
        listed, assigned = (hanna.get(f"/console/tariffs{at}") for at in ("", "/-/assignments"))
        beyond = [
            hanna.get(path).status_code
            for path in (
                "/console/tariffs/quayside",
                "/console/tariffs/-/of?id=quayside",
                "/console/tariffs/-/text?id=quayside",
                f"{CHANGE}/change?id=quayside",
            )
        ]
        own = kept_draft(hanna, DEARER)
        foreign = kept_draft(hanna, DEARER.replace("time-of-use", "energy-only", 1))
        answers = [
            post(hanna, "/propose", draft=own),
            post(hanna, "/propose", draft=foreign),
            post(hanna, "/assign", id="energy-only", site="linden-court"),
        ]

    assert "time-of-use" in listed.text
    assert "quayside" not in listed.text + assigned.text
    assert beyond == [404, 404, 404, 404]
    # The first prices the harbour alone; the second a partner's drivers, wherever they are.
    assert [each.status_code for each in answers] == [303, 403, 403]


def read_of(page: str) -> dict[str, str]:
    """Return what the form to approve brings back of the proposal that a page shows."""
    form = page.partition('action="/console/tariffs/-/approve"')[2].partition("</form>")[0]
    found = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
    return {name: found[name] for name in ("id", "record", "sha256")}


def test_an_assignment_is_proposed_by_one_and_approved_by_another(console: ServedConsole) -> None:
    before = declared(console).version
    with console.client("mara", Role.PRICING) as mara:
        nobody = post(mara, "/assign", id="energy-only")
        proposed = post(
            mara, "/assign", id="energy-only", token="De-Abc-7", site="harbour",
            holds_from="2026-05-01", zone="Europe/Berlin",
        )  # fmt: skip
        page = mara.get("/console/tariffs/energy-only").text
        again = post(mara, "/assign", id="energy-only", site="harbour")
        read = read_of(page)
        alone = post(mara, "/approve", **read)
    assert declared(console).version == before
    with console.client("theo", Role.PRICING) as theo:
        unread = post(theo, "/approve", **{**read, "sha256": "00"})
        approved = post(theo, "/approve", **read)
        listed = theo.get("/console/tariffs/-/assignments?as_of=2026-05-01&token=De-Abc-7").text
        earlier = theo.get("/console/tariffs/-/assignments?as_of=2026-04-30&token=De-Abc-7").text

    assert nobody.status_code == again.status_code == 409
    assert (proposed.status_code, alone.status_code) == (303, 409)
    assert "somebody else has to approve it" in alone.text
    assert "token=de-abc-7" in page.casefold()
    assert (unread.status_code, approved.status_code) == (409, 303)
    [row] = [
        row
        for key in declared(console).keys(Kind.ASSIGNMENT)
        for row in declared(console).history(Kind.ASSIGNMENT, key)
        if row.version > before
    ]
    assert isinstance(row.entity, Assignment)
    assert row.entity.token is not None
    assert re.fullmatch(r"p-[0-9a-f]{32}", row.entity.token)
    assert "energy-only" in listed
    assert "energy-only" not in earlier


def test_a_proposal_keeps_its_file_and_no_price_reaches_back(console: ServedConsole) -> None:
    with console.client("mara", Role.PRICING) as mara:
        number = kept_draft(mara, DEARER, id="time-of-use")
        back = post(mara, "/propose", draft=number, holds_from="2026-04-01", zone="Europe/Berlin")
        done = post(mara, "/propose", draft=number, holds_from="2026-05-01", zone="Europe/Berlin")
        page = mara.get(done.headers["location"]).text
        version = done.headers["location"].partition("?")[2]
        text = mara.get(f"{CHANGE}/text?id=time-of-use&{version}")
        read = read_of(mara.get("/console/tariffs/time-of-use").text)
        taken_back = post(mara, "/reject", **read, reason="a slip")
        gone = post(mara, "/reject", **read, reason="a slip")

    assert back.status_code == 409
    assert done.status_code == taken_back.status_code == 303
    assert gone.status_code == 404
    assert text.text == DEARER
    assert page.count(">passes<") == 2
    assert "# Dear when the grid is busy" in page
    with connect(console.dsn) as connection:
        [draft] = drafts(connection, tariff_id="time-of-use")
        assert kept_text(connection, draft.version) == DEARER == draft_text(connection, draft)


def test_a_tariff_ends_once_another_person_approves_it(console: ServedConsole) -> None:
    with console.client("mara", Role.PRICING) as mara:
        assigned = post(mara, "/retire", id="time-of-use")
        nothing = post(mara, "/retire", id="no-such-tariff")
        asked = post(mara, "/retire", id="spot", holds_from="2026-05-01", zone="Europe/Berlin")
        again = post(mara, "/retire", id="spot")
        page = mara.get("/console/tariffs/spot").text
    holds = declared(console).in_force(Kind.TARIFF, "spot", MAY)
    with console.client("theo", Role.PRICING) as theo:
        approved = post(theo, "/approve", **read_of(page))
        after = theo.get("/console/tariffs/spot?as_of=2026-05-01")
        listed = theo.get("/console/tariffs?as_of=2026-05-01&q=spot").text

    assert (assigned.status_code, nothing.status_code, again.status_code) == (409, 409, 409)
    assert "still prices site=harbour" in assigned.text
    assert (asked.status_code, approved.status_code) == (303, 303)
    assert "mara asks that it prices nothing any more" in page
    assert holds is not None
    assert holds.entity is not None
    ended = declared(console).in_force(Kind.TARIFF, "spot", MAY)
    assert ended is not None
    assert ended.entity is None
    assert after.status_code == 200
    assert "none holds" in listed


def test_what_is_approved_is_what_was_read_and_not_what_came_in_its_place(
    console: ServedConsole,
) -> None:
    with (
        console.client("mara", Role.PRICING) as mara,
        console.client("theo", Role.PRICING) as theo,
    ):
        post(mara, "/retire", id="spot", holds_from="2026-06-01", zone="Europe/Berlin")
        read = read_of(theo.get("/console/tariffs/spot").text)
        own = read_of(mara.get("/console/tariffs/spot").text)
        post(mara, "/reject", **own, reason="sooner")
        post(mara, "/retire", id="spot", holds_from="2026-05-01", zone="Europe/Berlin")
        # The same text, to end a month sooner.
        stale = [post(theo, "/approve", **read), post(theo, "/reject", **read, reason="no")]
        now = read_of(theo.get("/console/tariffs/spot").text)
        done = post(theo, "/approve", **now)

    assert read["sha256"] == now["sha256"]
    assert [each.status_code for each in stale] == [409, 409]
    assert "somebody else has just changed" in stale[0].text
    assert done.status_code == 303
