"""Lists of CDRs and sessions, asked for over HTTP of a partner that serves them as it likes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger.database import connect_options
from ledger.declared.declarations import Declarations
from ledger.log.postgres_lines import PostgresLineWriter
from ledger.log.reading import count_lines
from ledger.partners.bounds import Bound, PartnerBounds, TooMuchToldError
from ledger.partners.tokens import BY_DEFAULT
from ledger.partners.told_counts import ToldCounts
from roaming_ocpi.client.answers import PartnerRefusedError
from roaming_ocpi.incoming.taking.intake import PartnerIntake
from roaming_ocpi.incoming.taking.pulling import HELD, OVERLAP, IncomingPuller, PulledList
from roaming_ocpi.incoming.told import CDRS, SESSIONS
from roaming_ocpi.registration.link import Link
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from tests.roaming_ocpi.client.odd_partner import (
    OddPartner,
    Request,
    answer,
    client_of,
    enveloped,
    link_to,
    odd_partner,
    saying,
)
from tests.roaming_ocpi.incoming.partner_stories import (
    CAME,
    END,
    GONE,
    PARTITIONS,
    SESSION,
    cdr_of,
    changed,
    declare_roaming,
    payloads,
    read_all,
    rows_of,
    verdicts,
)
from tests.roaming_ocpi.incoming.served_intake import served_intake

Pages = Sequence[Sequence[Any]]


@asynccontextmanager
async def lister(pages: Callable[[], Pages]) -> AsyncIterator[OddPartner]:
    """A partner whose list has these *pages*, linked by their number."""
    partner: OddPartner

    async def say(request: Request, writer: asyncio.StreamWriter) -> None:
        asked = parse_qs(urlsplit(request.target).query)
        page, all_pages = int(asked.get("page", ["0"])[0]), pages()
        headers = []
        if page + 1 < len(all_pages):
            headers.append(f'Link: <{partner.url}/list?page={page + 1}>; rel="next"')
        if page >= len(all_pages):
            await saying(answer(enveloped(code=2000), status="400 Bad Request"))(request, writer)
            return
        await saying(answer(enveloped(all_pages[page]), headers=headers))(request, writer)

    async with odd_partner(say) as partner:
        yield partner


@asynccontextmanager
async def puller(database: str, told: ToldCounts = BY_DEFAULT) -> AsyncIterator[IncomingPuller]:
    """A puller over *database*, without a link of its own."""
    log = await PostgresLineWriter.open(database, partitions=PARTITIONS)

    async def declared() -> Declarations:
        return Declarations()

    async def links() -> Sequence[Link]:
        return []

    try:
        async with (
            AsyncConnectionPool[AsyncConnection[Any]](
                database,
                kwargs={"options": connect_options(database), "autocommit": True},
                open=False,
            ) as pool,
            client_of() as client,
        ):
            yield IncomingPuller(
                PartnerIntake(pool, log, told),
                database=pool,
                client=client,
                links=links,
                declared=declared,
                now=lambda: CAME,
            )
    finally:
        await log.close()


def link_of(url: str) -> Link:
    sender = InterfaceRole.SENDER
    endpoints = {
        (ModuleId.CDRS, sender): f"{url}/list",
        (ModuleId.SESSIONS, sender): f"{url}/list",
    }
    return link_to(url)._replace(endpoints=endpoints)


async def pulled(database: str, pages: Callable[[], Pages], what: str = CDRS) -> PulledList:
    async with lister(pages) as partner, puller(database) as asking:
        return await asking.pull(link_of(partner.url), what)


@pytest.fixture
def place(database: str) -> str:
    declare_roaming(database)
    return database


NINE = [cdr_of(id=f"P{n}", session_id=f"P{n}") for n in range(9)]
PAGES = [NINE[:4], NINE[4:8], NINE[8:]]


async def test_pages_are_taken_once_however_often_they_are_asked_for(place: str) -> None:
    first = await pulled(place, lambda: PAGES)
    again = await pulled(place, lambda: PAGES)

    read_all(place)

    assert (first.taken, first.refused, again.taken) == (9, 0, 9)
    assert len(verdicts(place)) == 9
    assert rows_of(place, "partner_cdr_again") == []
    assert sum(map(count_lines, payloads(place))) == 9 + PARTITIONS


async def test_the_next_list_begins_a_while_before_the_newest_object(place: str) -> None:
    async with lister(lambda: PAGES) as partner, puller(place) as asking:
        await asking.pull(link_of(partner.url), CDRS)
        await asking.pull(link_of(partner.url), CDRS)

    assert "date_from" not in partner.asked[0].target
    since = (END - OVERLAP).strftime("%Y-%m-%dT%H%%3A%M%%3A%SZ")
    assert since in partner.asked[3].target


async def test_a_list_that_breaks_off_is_asked_for_again_and_nothing_comes_twice(
    place: str,
) -> None:
    left = [PAGES[:1]]

    def pages() -> Pages:
        return [*left[0], *([[]] * 9)] if len(left[0]) == 1 else left[0]

    with pytest.raises(PartnerRefusedError):
        await pulled(place, pages)
    [noted] = rows_of(place, "partner_pull")
    left[0] = PAGES
    await pulled(place, pages)

    read_all(place)

    assert noted["date_from"] is None
    assert noted["problem"]
    assert len(verdicts(place)) == 9
    assert rows_of(place, "partner_pull")[0]["problem"] is None


async def test_one_bad_object_costs_no_other(place: str) -> None:
    bad = [
        7,
        None,
        cdr_of(id=""),
        cdr_of(party_id="XYZ"),
        cdr_of(total_energy=10**60),
        cdr_of(remark="x" * 200_000),
        cdr_of(their_own=["x" * 90_000] * 12),  # longer than a line of the log
    ]

    found = await pulled(place, lambda: [[*bad, cdr_of()]])

    read_all(place)
    assert (found.taken, found.refused) == (1, len(bad))
    assert verdicts(place)["C1"].verdict == "accepted"
    [noted] = rows_of(place, "partner_pull")
    assert (noted["refused"], noted["problem"]) == (len(bad), "something that is no object")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"id": ""}, "one without an id: a CDR needs an id: a text that is not empty"),
        ({"party_id": "XYZ"}, "P9: NL-XYZ is not yours: this token speaks for NL-TNM"),
        ({"total_energy": 10**60}, "P9: it cannot be read, at .total_energy"),
    ],
)
async def test_what_could_not_be_taken_is_named_and_asked_for_again_for_a_day(
    place: str, changes: dict[str, Any], why: str
) -> None:
    lists = [[[cdr_of(), cdr_of(**{"id": "P9", **changes})]]]
    async with lister(lambda: lists[0]) as partner, puller(place) as asking:
        await asking.pull(link_of(partner.url), CDRS)
        [noted] = rows_of(place, "partner_pull")
        lists[0] = [[cdr_of(), cdr_of(id="P9", session_id="P9")]]
        mended = await asking.pull(link_of(partner.url), CDRS)

    assert noted["problem"] == why
    since = (CAME - HELD).strftime("%Y-%m-%dT%H%%3A%M%%3A%SZ")
    assert since in partner.asked[1].target
    assert (mended.taken, mended.refused) == (2, 0)
    [noted] = rows_of(place, "partner_pull")
    assert (noted["problem"], noted["refused"]) == (None, 0)


async def test_a_pushed_and_a_pulled_one_are_the_same_whatever_its_spaces(place: str) -> None:
    async with lister(lambda: [[cdr_of(new="Bärenweg")]]) as partner, puller(place) as asking:
        await asking.pull(link_of(partner.url), CDRS)
    async with served_intake(place) as served:
        text = json.dumps(cdr_of(new="Bärenweg"), indent=1, sort_keys=True)
        answered = await served.call("POST", "/cdrs", text)

    assert answered.code == 1000
    assert len(rows_of(place, "received_cdr")) == 1


async def test_sessions_are_pulled_and_what_is_older_changes_nothing(place: str) -> None:
    older = changed(SESSION, kwh=1, last_updated="2026-03-02T12:00:00Z")

    found = await pulled(place, lambda: [[SESSION, older]], SESSIONS)

    read_all(place)
    [row] = rows_of(place, "partner_session")
    assert found == PulledList(2, 0, CAME - timedelta(minutes=59, seconds=55))
    assert row["energy_kwh"] == 32.0


async def test_a_list_that_has_to_wait_loses_no_cdr(place: str) -> None:
    bounds = ToldCounts(PartnerBounds({Bound.MESSAGES: 5}))
    async with lister(lambda: PAGES) as partner, puller(place, bounds) as asking:
        with pytest.raises(TooMuchToldError, match="too_many_messages"):
            await asking.pull(link_of(partner.url), CDRS)
    [(date_from, problem)] = [
        (row["date_from"], row["problem"]) for row in rows_of(place, "partner_pull")
    ]
    again = await pulled(place, lambda: PAGES)

    assert (date_from, problem[:17]) == (None, "too_many_messages")
    assert again.taken == 9
    read_all(place)
    assert len(verdicts(place)) == 9


async def test_a_cdr_that_does_not_say_when_it_was_updated_is_taken_as_if_it_was_pushed(
    database: str,
) -> None:
    declare_roaming(database)
    first, second = cdr_of(last_updated=GONE), cdr_of(id="C2", session_id="S2", last_updated="soon")
    found = [await pulled(database, lambda: [[first], [second]]) for _ in range(2)]
    sessions = [[changed(SESSION, last_updated="04AABBCC")]]
    refused = await pulled(database, lambda: sessions, SESSIONS)
    read_all(database)

    assert [(each.taken, each.refused) for each in found] == [(2, 0)] * 2
    assert (refused.taken, refused.refused) == (0, 1)
    assert set(verdicts(database)) == {"C1", "C2"}
    notes = {each["module"]: each for each in rows_of(database, "partner_pull")}
    assert notes[CDRS]["date_from"] < "1970", "nothing that came later is passed over"
    assert notes[SESSIONS]["problem"] == "S1: it cannot be read, at last_updated"
