"""What waits is sent in order per session, once in effect, and no partner waits for another."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ledger.database import connect
from ledger.leases import give_up_lease, take_lease
from ledger.log.envelope import PartnerMessage, decode_lines
from ledger.log.event_log import partition_of
from ledger.log.postgres import PostgresEventLog
from roaming_ocpi.client import http as client_http
from roaming_ocpi.relay.claiming import LEASE
from roaming_ocpi.relay.outgoing import put_back
from roaming_ocpi.relay.state import outbox_state
from tests.roaming_ocpi.client.odd_partner import Request, answer, enveloped
from tests.roaming_ocpi.relay.taking_partner import (
    PARTITIONS,
    TakingPartner,
    asked,
    link_of,
    opened_relay,
    put,
    relaying,
    taking,
    until,
    until_empty,
)

TNM, BLUE = "NL-TNM", "DE-BLU"


async def test_a_session_is_told_in_order_and_numbered_without_gaps(database: str) -> None:
    put(database, TNM, "s:HB-1", "cdr-1", "x:credit-1", "cdr-2", lane="HB-1")
    put(database, TNM, "cdr-3")

    async with (
        taking(TakingPartner()) as partner,
        relaying(database, {TNM: link_of(TNM, partner.url)}),
    ):
        await until_empty(database)

    in_lane = [each for each in partner.order if each != "cdr-3"]
    assert in_lane == ["HB-1", "cdr-1", "credit-1", "cdr-2"]
    assert set(partner.effects.values()) == {1}
    sent = asked(
        database, "SELECT number, attempt, came_of_it FROM outgoing_attempt ORDER BY number"
    )
    assert sent == [(number, 1, "delivered") for number in range(1, 6)]
    with connect(database) as connection:
        state = outbox_state(connection, TNM)
    assert (state.waiting, state.dead, state.cdrs) == (0, 0, {"delivered": 4})


async def test_one_turn_sends_all_that_is_due_unless_another_process_sends(database: str) -> None:
    put(database, TNM, "s:HB-1", "cdr-1", lane="HB-1")
    put(database, "FR-OFF", "cdr-2")
    async with taking(TakingPartner()) as partner:
        away = link_of("FR-OFF", "http://127.0.0.1:1")
        links = {TNM: link_of(TNM, partner.url), "FR-OFF": away}
        async with opened_relay(database, links) as relay:
            with connect(database) as connection:
                other = take_lease(connection, LEASE, holder="another", seconds=60)
                await relay.run_once()
                assert partner.order == []
                assert other is not None
                give_up_lease(connection, other)
            await relay.run_once()

    assert partner.order == ["HB-1", "cdr-1"]
    came = asked(database, "SELECT party, came_of_it FROM outgoing_attempt ORDER BY party, number")
    assert came == [("FR-OFF", "failed"), (TNM, "delivered"), (TNM, "delivered")]


async def test_what_was_said_stands_in_the_log_without_the_drivers_token(database: str) -> None:
    put(database, TNM, "cdr-1")

    async with (
        taking(TakingPartner()) as partner,
        relaying(database, {TNM: link_of(TNM, partner.url)}),
    ):
        await until_empty(database)

    partition = partition_of(TNM, partitions=PARTITIONS)
    with PostgresEventLog(database) as log:
        [record] = log.read(partition, 0, records=9)
    [line] = decode_lines(record.payload)
    assert isinstance(line, PartnerMessage)
    assert (line.party, line.what, line.direction) == (TNM, "cdrs POST", "out")
    assert '"status_code": 1000' in (line.reply or "")
    assert "cdr-1" in line.body
    assert "04AABBCC" not in line.body
    assert "C-77" not in line.body


async def test_a_partner_that_says_nothing_or_is_away_delays_no_other(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_http, "SECONDS_MAX", 600.0)

    async def silent(_request: Request, _value: dict[str, Any]) -> bytes | None:
        await asyncio.sleep(600)
        return None

    put(database, BLUE, *(f"b-{number}" for number in range(20)))
    put(database, "FR-OFF", *(f"o-{number}" for number in range(20)))
    put(database, TNM, *(f"t-{number}" for number in range(200)))
    async with taking(TakingPartner(say=silent)) as slow, taking(TakingPartner()) as quick:
        links = {
            BLUE: link_of(BLUE, slow.url),
            "FR-OFF": link_of("FR-OFF", "http://127.0.0.1:1"),
            TNM: link_of(TNM, quick.url),
        }
        async with relaying(database, links):
            await until(lambda: len(quick.effects) == 200)

            # The one that is away gets one try at a time, not twenty.
            tries = asked(database, "SELECT count(*) FROM outgoing_attempt WHERE party = 'FR-OFF'")
            assert 1 <= tries[0][0] <= 10
    assert not slow.effects


async def test_an_answer_that_was_lost_makes_the_same_bytes_come_again(database: str) -> None:
    put(database, TNM, *(f"cdr-{number}" for number in range(5)))

    async with (
        taking(TakingPartner(lost=3)) as partner,
        relaying(database, {TNM: link_of(TNM, partner.url)}),
    ):
        await until_empty(database)

    assert {each: partner.effects[each] for each in partner.effects} == {
        f"cdr-{number}": 1 for number in range(5)
    }
    assert all(len(set(bodies)) == 1 for bodies in partner.bodies.values())
    assert sum(len(bodies) for bodies in partner.bodies.values()) == 8


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(answer(enveloped(code=2000), status="409 Conflict"), id="by a conflict"),
        pytest.param(
            answer(enveloped(code=2001, message="CDR already exists"), status="400 Bad Request"),
            id="by words",
        ),
    ],
)
async def test_one_that_the_partner_has_already_counts_as_arrived(
    database: str, refusal: bytes
) -> None:
    partner = TakingPartner(lost=1)

    async def known(_request: Request, value: dict[str, Any]) -> bytes | None:
        return refusal if partner.effects[value["id"]] else None

    partner.say = known
    put(database, TNM, "cdr-1")
    async with taking(partner), relaying(database, {TNM: link_of(TNM, partner.url)}):
        await until_empty(database)

    came = asked(database, "SELECT came_of_it, notes FROM outgoing_attempt ORDER BY attempt")
    assert came == [("failed", []), ("known", ["partner_had_it"])]


async def test_a_refused_cdr_holds_up_its_credit_alone_until_it_is_put_back(database: str) -> None:
    is_wrong = True

    async def picky(_request: Request, value: dict[str, Any]) -> bytes | None:
        if is_wrong and value["id"] == "cdr-1":
            return answer(enveloped(code=2001, message="04AABBCC?"), status="400 Bad Request")
        return None

    put(database, TNM, "cdr-1", "x:credit-1", lane="HB-1")
    put(database, TNM, "cdr-9")
    async with (
        taking(TakingPartner(say=picky)) as partner,
        relaying(database, {TNM: link_of(TNM, partner.url)}),
    ):
        await until(lambda: asked(database, "SELECT FROM outgoing WHERE state = 'dead'"))
        await until(lambda: "cdr-9" in partner.effects)
        with connect(database) as connection:
            state = outbox_state(connection, TNM)
            [letter] = state.dead_letters
            assert (letter.subject, letter.reason) == ("cdr-1", "refused 400/2001")
            assert (state.waiting, state.dead) == (1, 1)
            assert put_back(connection, TNM, ["cdr-7"]) == 0
            is_wrong = False
            assert put_back(connection, TNM) == 1
        await until_empty(database)

    assert partner.order == ["cdr-9", "cdr-1", "credit-1"]
    rows = asked(database, "SELECT number, attempt, came_of_it FROM outgoing_attempt ORDER BY 1, 2")
    assert rows[:2] == [(1, 1, "refused"), (1, 2, "delivered")]


async def test_a_refused_update_of_a_session_does_not_hold_up_its_cdr(database: str) -> None:
    async def picky(request: Request, _value: dict[str, Any]) -> bytes | None:
        refused = answer(enveloped(code=2003), status="404 Not Found")
        return refused if request.method == "PUT" else None

    put(database, TNM, "s:HB-1", "cdr-1", lane="HB-1")
    async with (
        taking(TakingPartner(say=picky)) as partner,
        relaying(database, {TNM: link_of(TNM, partner.url)}),
    ):
        await until_empty(database)

    assert partner.order == ["cdr-1"]


async def test_a_partner_that_refuses_everything_loses_few_messages(database: str) -> None:
    async def no(_request: Request, _value: dict[str, Any]) -> bytes | None:
        return answer(enveloped(code=2001), status="400 Bad Request")

    put(database, TNM, *(f"cdr-{number}" for number in range(300)))
    async with (
        taking(TakingPartner(say=no)) as partner,
        relaying(database, {TNM: link_of(TNM, partner.url)}),
    ):
        await until(lambda: outbox_failures(database) >= 1)
        await asyncio.sleep(0.3)

    [(dead,)] = asked(database, "SELECT count(*) FROM outgoing WHERE state = 'dead'")
    assert 10 <= dead < 25


def outbox_failures(dsn: str) -> int:
    with connect(dsn) as connection:
        return outbox_state(connection, TNM).failures


async def test_a_token_that_holds_no_more_kills_no_message(database: str) -> None:
    async def who(_request: Request, _value: dict[str, Any]) -> bytes | None:
        return answer(enveloped(code=2000), status="401 Unauthorized")

    put(database, TNM, *(f"cdr-{number}" for number in range(100)))
    async with (
        taking(TakingPartner(say=who)) as partner,
        relaying(database, {TNM: link_of(TNM, partner.url)}),
    ):
        await until(lambda: outbox_failures(database) >= 1)

    assert len(partner.asked) <= 10
    with connect(database) as connection:
        state = outbox_state(connection, TNM)
    assert (state.dead, state.waiting, state.reason) == (0, 100, "token_refused")


async def test_the_pause_that_a_partner_asks_for_is_kept(database: str) -> None:
    async def later(_request: Request, _value: dict[str, Any]) -> bytes | None:
        return answer(status="429 Too Many Requests", headers=["Retry-After: 3600"])

    put(database, TNM, "cdr-1", "cdr-2")
    async with (
        taking(TakingPartner(say=later)) as partner,
        relaying(database, {TNM: link_of(TNM, partner.url)}),
    ):
        await until(lambda: outbox_failures(database) >= 1)
        await asyncio.sleep(1.5)

    with connect(database) as connection:
        next_at = outbox_state(connection, TNM).next_at
    assert next_at is not None
    assert next_at - datetime.now(UTC) > timedelta(minutes=59)
    assert len(partner.asked) <= 2


async def test_a_paused_partner_gets_nothing_until_it_goes_on(database: str) -> None:
    put(database, TNM, "cdr-1")
    async with taking(TakingPartner()) as partner:
        links = {TNM: link_of(TNM, partner.url)}
        held = dict(links)
        links.clear()
        async with relaying(database, links):
            await asyncio.sleep(1.2)
            assert not partner.asked
            links.update(held)
            await until_empty(database)

    assert partner.effects == {"cdr-1": 1}


async def test_where_a_partner_has_no_such_module_it_is_noted_once(database: str) -> None:
    put(database, TNM, "s:HB-1", "cdr-1", lane="HB-1")
    async with taking(TakingPartner()) as partner:
        link = link_of(TNM, partner.url)
        fewer = {key: url for key, url in link.endpoints.items() if key[0] != "sessions"}
        async with relaying(database, {TNM: link._replace(endpoints=fewer)}):
            await until_empty(database)

    assert partner.order == ["cdr-1"]
    rows = asked(database, "SELECT kind, came_of_it, reason FROM outgoing_attempt ORDER BY number")
    assert rows == [("session", "nowhere", "no_endpoint"), ("cdr", "delivered", "")]


@pytest.mark.parametrize(
    ("location", "notes"),
    [
        pytest.param("{url}/emsp/cdrs/{id}", [], id="as it should be"),
        pytest.param("/emsp/cdrs/{id}", [], id="without a host"),
        pytest.param("{id}", [], id="relative"),
        pytest.param("http://127.0.0.1:1/cdrs/{id}", ["location_elsewhere"], id="elsewhere"),
        pytest.param("http://[::bad", ["location_elsewhere"], id="no address"),
        pytest.param("/emsp/cdrs/cdr-2", ["location_differs"], id="another CDR's"),
        pytest.param("/emsp/cdrs/nothing", ["location_unreadable"], id="where nothing is"),
    ],
)
async def test_a_cdr_is_read_back_where_the_partner_says_it_is(
    database: str, location: str, notes: list[str]
) -> None:
    put(database, TNM, "cdr-2", "cdr-1", lane="HB-1")
    async with (
        taking(TakingPartner(location=location)) as partner,
        relaying(database, {TNM: link_of(TNM, partner.url)}),
    ):
        await until_empty(database)

    [found] = asked(
        database,
        "SELECT came_of_it, notes FROM outgoing_attempt WHERE subject = 'cdr-1'",
    )
    assert found == ("delivered", notes)
    assert partner.effects == {"cdr-1": 1, "cdr-2": 1}


@pytest.mark.parametrize("end", ["", "/"])
async def test_a_cdr_is_posted_to_the_very_address_that_the_partner_named(
    database: str, end: str
) -> None:
    # Servers redirect from the one to the other, and nothing that we send goes elsewhere.
    put(database, TNM, "cdr-1", "s:ses-1")
    async with taking(TakingPartner()) as partner:
        link = link_of(TNM, partner.url)
        named = {key: url + end for key, url in link.endpoints.items()}
        async with relaying(database, {TNM: link._replace(endpoints=named)}):
            await until_empty(database)

    asked_for = {request.method: request.target for request in partner.asked}
    assert asked_for == {"POST": f"/emsp/cdrs{end}", "PUT": "/emsp/sessions/DE/HBC/ses-1"}


async def test_what_changed_while_it_was_sent_is_sent_again(database: str) -> None:
    begun = asyncio.Event()

    async def slow(_request: Request, _value: dict[str, Any]) -> bytes | None:
        begun.set()
        await asyncio.sleep(0.3)
        return None

    put(database, TNM, "s:HB-1")
    async with (
        taking(TakingPartner(say=slow)) as partner,
        relaying(database, {TNM: link_of(TNM, partner.url)}),
    ):
        await begun.wait()
        put(database, TNM, "s:HB-1")
        await until_empty(database)

    assert partner.effects == {"HB-1": 2}
    numbers = asked(database, "SELECT number FROM outgoing_attempt ORDER BY number")
    assert numbers == [(1,), (2,)]


async def test_two_relays_at_once_send_everything_once(database: str) -> None:
    put(database, TNM, *(f"cdr-{number}" for number in range(100)))
    async with taking(TakingPartner()) as partner:
        links = {TNM: link_of(TNM, partner.url)}
        async with relaying(database, links), relaying(database, links, holder="relay-2"):
            await until_empty(database)

    assert len(partner.asked) == 100
    assert set(partner.effects.values()) == {1}
