"""Lists of tokens that we ask partners for: whole, in parts, hostile, cut off, and a great one."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from ledger.database import connect
from ledger.master_data.partners import Partner, PartnerRole
from ledger.partners.bounds import Bound, PartnerBounds
from ledger.partners.token_lists import ShortTokenListError, TokenListState, token_list_state
from ledger.partners.tokens import BY_DEFAULT, LOOK_UP, asked_about
from ledger.partners.told_counts import ToldCounts, told_counts
from ledger.persons.holders import token_holder
from ledger.persons.store import find, names_of
from roaming_ocpi.client.answers import PartnerUnreachableError
from roaming_ocpi.client.http import HttpPartnerClient
from roaming_ocpi.registration.link import Link
from roaming_ocpi.server.calls import (
    Module,
    ObjectPage,
    OcpiRefusedError,
    PartnerCall,
    Reply,
    Route,
)
from roaming_ocpi.tokens.pulling import PullParts, TokenPuller
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId, OurSide
from roaming_ocpi.wire.status import Status
from tariffs.ocpi.versions import OcpiVersion
from tests.roaming_ocpi.tokens.two_sides import (
    AT_THEIRS,
    NOW,
    Clock,
    Declaring,
    declare,
    link_to,
    served,
)

DAY = timedelta(days=1)
SENDER = (ModuleId.TOKENS, InterfaceRole.SENDER)


def told(number: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - handed on
    return {
        "country_code": "NL", "party_id": "TNM", "uid": f"04{number:08X}", "type": "RFID",
        "contract_id": f"NL-TNM-C{number}", "issuer": "TNM", "valid": True,
        "whitelist": "ALLOWED", "last_updated": "2026-03-01T10:00:00Z",
    } | more  # fmt: skip


class PartnerList:
    """A partner's list of tokens: *count* of them, made as they are asked for."""

    def __init__(self, count: int, make: Callable[[int], Any] = told) -> None:
        self.count, self.make = count, make
        self.asked: list[Mapping[str, str]] = []
        self.breaks_at: int | None = None

    def module(self) -> Module:
        routes = [Route("GET", "", self.get, "List tokens.", is_list=True)]
        return Module(ModuleId.TOKENS, InterfaceRole.SENDER, OurSide.EMSP, routes)

    async def get(self, call: PartnerCall) -> Reply:
        self.asked.append(call.query)
        begin, end = call.asked.offset, min(call.asked.offset + call.asked.limit, self.count)
        if self.breaks_at is not None and end > self.breaks_at:
            message = "broken"
            raise OcpiRefusedError(message, status=Status.SERVER_ERROR, http=500)
        more = {"offset": str(end)} if end < self.count else None
        objects = [self.make(number) for number in range(begin, end)]
        return Reply(page=ObjectPage(objects, self.count, call.asked.limit, more))


class Pulling:
    """We, and the partner that we ask."""

    def __init__(self, database: str, puller: TokenPuller, clock: Clock, link: Link) -> None:
        self.database, self.puller, self.clock, self.link = database, puller, clock, link

    async def pull(self) -> Any:  # noqa: ANN401 - what the list had
        return await self.puller.pull(self.link)

    def state(self) -> TokenListState:
        with connect(self.database) as connection:
            found = token_list_state(connection, "NL-TNM")
        assert found is not None
        return found

    def valid(self, number: int) -> bool | None:
        holder = token_holder(f"04{number:08X}")
        assert holder is not None
        with connect(self.database) as connection:
            for subject in find(connection, [holder]).values():
                for row in connection.execute(LOOK_UP, asked_about(subject.id)).fetchall():
                    return bool(row[2])
        return None


@asynccontextmanager
async def pulling(
    database: str,
    partner: PartnerList,
    version: OcpiVersion = OcpiVersion.V2_2_1,
    *,
    counts: ToldCounts = BY_DEFAULT,
) -> AsyncIterator[Pulling]:
    declare(database)
    clock = Clock()
    async with served(database, lambda _: [partner.module()], callers=AT_THEIRS) as side:
        link = link_to(side.address, {SENDER: f"/ocpi/emsp/{version}/tokens"}, version=version)
        client = HttpPartnerClient(allow_private=True, now=clock.now, heard=lambda _: None)

        async def links() -> list[Link]:
            return [link]

        parts = PullParts(
            dsn=database,
            client=client,
            links=links,
            declared=Declaring(database),
            now=clock.now,
            holder="test",
            told=counts,
        )
        try:
            yield Pulling(database, TokenPuller(parts), clock, link)
        finally:
            await client.close()


@pytest.mark.parametrize("version", list(OcpiVersion))
async def test_a_whole_list_comes_page_by_page_and_then_what_changed(
    database: str, version: OcpiVersion
) -> None:
    def make(number: int) -> dict[str, Any]:
        token = told(number)
        if version is OcpiVersion.V2_1_1:
            del token["country_code"], token["party_id"]
            token["auth_id"] = token.pop("contract_id")
        return token

    partner = PartnerList(2_500, make)
    async with pulling(database, partner, version) as ours:
        first = await ours.pull()
        ours.clock.pass_(hours=1)
        await ours.pull()

        assert first["NL-TNM"].tokens == 2_500
        assert ours.valid(2_499) is True
        assert [dict(each).get("date_from") for each in partner.asked[-3:]] == [
            "2026-03-02T11:55:00Z"
        ] * 3
        state = ours.state()
        assert (state.full_at, state.listed_at, state.fresh_at) == (NOW, *[ours.clock.now()] * 2)
    with connect(database) as connection:
        ((rows,),) = connection.execute("SELECT count(*) FROM partner_token").fetchall()
    assert rows == 2_500, "what is told again makes no row"


async def test_a_bad_token_is_refused_by_name_and_the_others_are_kept(database: str) -> None:
    bad = {
        3: told(3, valid="yes"), 5: None, 7: told(7, party_id="ABC"), 8: "04SECRETUID",
        9: told(9, contract_id="C" * 40), 11: told(11, uid="04\x07"), 12: told(12, uid=7),
        13: told(13, last_updated="0000-00-00"),
    }  # fmt: skip
    partner = PartnerList(20, lambda number: bad.get(number, told(number)))
    async with pulling(database, partner) as ours:
        totals = await ours.pull()

        assert (totals["NL-TNM"].tokens, totals["NL-TNM"].refused) == (20, 8)
        assert [ours.valid(n) for n in (0, 3, 4, 10, 19)] == [True, None, True, True, True]
        refusals = {each.spot: each for each in ours.state().refusals}
    assert refusals["[3].valid"].why == "is neither true nor false"
    assert refusals["[7].party_id"].why == "names another party"
    assert refusals["[5]"].why == "is no object"
    assert refusals["[12].uid"].token is None
    assert "SECRET" not in repr(refusals)
    assert "CCCC" not in repr(refusals)
    named = refusals["[3].valid"].token
    with connect(database) as connection:
        assert names_of(connection, [named or ""]) == {named: "0400000003"}


async def test_a_hub_lists_tokens_of_who_is_behind_it_and_of_nobody_else(database: str) -> None:
    parties = ["BE-ABC", "FR-ONE", "NL-TNM", "DE-HBC"]

    def make(number: int) -> dict[str, Any]:
        country, party_id = parties[number % 4].split("-")
        return told(number, country_code=country, party_id=party_id)

    behind = Partner(name="One", legal_entity="depot", roles=(PartnerRole.EMSP,), hub="NL-TNM")
    async with pulling(database, PartnerList(40, make)) as ours:
        declare(database, partners={"FR-ONE": behind})
        totals = await ours.pull()

        assert {party: (each.tokens, each.refused) for party, each in totals.items()} == {
            "FR-ONE": (10, 0),
            "NL-TNM": (30, 20),
        }
        assert [ours.valid(number) for number in range(4)] == [None, True, True, None]
        assert {each.why for each in ours.state().refusals} == {"names another party"}
    with connect(database) as connection:
        state = token_list_state(connection, "FR-ONE")
    assert state is not None
    assert state.fresh_at == NOW


async def test_what_is_in_the_list_no_more_may_not_charge(database: str) -> None:
    partner = PartnerList(30)
    async with pulling(database, partner) as ours:
        await ours.pull()
        partner.count = 29
        ours.clock.pass_(hours=1)
        await ours.pull()
        assert ours.valid(29) is True, "that list had only what changed"
        ours.clock.pass_(days=1)
        totals = await ours.pull()

        assert (totals["NL-TNM"].gone, ours.valid(29), ours.valid(28)) == (1, False, True)


async def test_a_list_that_was_cut_short_takes_nothing_away(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    partner = PartnerList(100)
    async with pulling(database, partner) as ours:
        await ours.pull()
        partner.count = 3
        ours.clock.pass_(days=2)
        with pytest.raises(ShortTokenListError):
            await ours.pull()

        assert ours.valid(50) is True
        assert "lacks 97 valid ones" in ours.state().problem
        assert ours.state().fresh_at == NOW, "a list that is not believed is not fresh"
    assert not caplog.records


async def test_a_list_without_an_end_keeps_what_came_and_is_asked_for_again(database: str) -> None:
    partner = PartnerList(3_000)
    partner.breaks_at = 2_000
    async with pulling(database, partner) as ours:
        with pytest.raises(PartnerUnreachableError):
            await ours.pull()
        assert (ours.valid(1_999), ours.valid(2_000)) == (True, None)
        assert ours.state().fresh_at is None
        assert "HTTP 500" in ours.state().problem

        partner.breaks_at = None
        ours.clock.pass_(minutes=2)
        stop = asyncio.Event()
        running = asyncio.create_task(ours.puller.run(stop))
        async with asyncio.timeout(60):
            while ours.valid(2_999) is None or ours.state().problem:  # noqa: ASYNC110 - a table
                await asyncio.sleep(0.05)
        stop.set()
        await running
        assert ours.state().full_at == ours.clock.now()


async def test_one_process_asks_a_partner_at_a_time(database: str) -> None:
    partner = PartnerList(10)
    async with pulling(database, partner) as ours:
        other = TokenPuller(ours.puller._parts._replace(holder="another"))  # noqa: SLF001 - a rival
        with connect(database) as connection:
            connection.execute(
                "INSERT INTO lease (name, holder, epoch, until)"
                " VALUES ('tokens of NL-TNM', 'third', 1, now() + interval '1 min')"
            )
        assert await other.pull(ours.link) is None
        assert partner.asked == []


@pytest.mark.parametrize(
    "count",
    [
        20_000,
        pytest.param(1_000_000, marks=[pytest.mark.slow, pytest.mark.timeout(900)], id="a million"),
    ],
)
async def test_a_great_list_loads_in_flat_memory_and_is_looked_up_in_a_few_pages(
    database: str, count: int
) -> None:
    partner = PartnerList(count)
    async with pulling(database, partner) as ours:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        await ours.pull()
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        read = []
        with connect(database) as connection:
            connection.execute("ANALYZE partner_token")
            holders = [token_holder(f"04{n:08X}") for n in range(0, count, count // 200)]
            subjects = list(find(connection, [each for each in holders if each]).values())
            for subject in subjects:
                explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {LOOK_UP}"
                [[plans]] = connection.execute(explain, asked_about(subject.id)).fetchall()
                found = plans[0]["Plan"]
                read.append(found["Shared Hit Blocks"] + found["Shared Read Blocks"])
    assert len(subjects) == 200
    assert grown < 60_000, f"the list itself would be 200 MB for a million: {grown} kB"
    assert max(read) < 40, "the table has a hundred pages for each 10,000 tokens"


async def test_what_a_list_has_too_many_of_is_refused_by_name_and_what_is_known_stays(
    database: str,
) -> None:
    bounds = ToldCounts(PartnerBounds({Bound.TOKENS: 10}))
    partner = PartnerList(10, told)
    async with pulling(database, partner, counts=bounds) as ours:
        exactly = await ours.pull()
        partner.count = 12
        # New ones first: that one is blocked comes through all the same.
        partner.make = lambda n: told((n + 10) % 12, valid=n != 11)
        ours.clock.pass_(hours=25)
        more = await ours.pull()

        assert (exactly["NL-TNM"].refused, more["NL-TNM"].refused) == (0, 2)
        assert [ours.valid(n) for n in (0, 8, 9, 10, 11)] == [True, True, False, None, None]
        assert {(each.spot, each.why) for each in ours.state().refusals} == {
            ("[0]", "too_many_tokens"),
            ("[1]", "too_many_tokens"),
        }
    with connect(database) as connection:
        kept = {each.bound: each for each in told_counts(connection, "NL-TNM", ours.clock.now())}
    assert (kept[Bound.TOKENS].counted, kept[Bound.TOKENS].refused) == (10, 2)
    assert kept[Bound.TOKEN_CHANGES].counted == 1
