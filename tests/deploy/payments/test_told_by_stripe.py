"""Webhooks over the one interface: verified, kept once, and answered after the commit."""

from __future__ import annotations

import asyncio
import logging
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import httpx
import pytest

from deploy.demo.provider.faults import Faults, ProviderFault
from deploy.demo.provider.server import FakeStripe
from deploy.payments import routes
from deploy.payments.routes import BODY_BYTES_MAX
from deploy.payments.side import Room
from deploy.settings import Settings
from ledger.database import connect
from ledger.payments.provider import PaymentWay, WantedIntent
from ledger.payments.stripe.provider import StripeProvider
from projections.quiet_log import QuietLog
from tests.deploy.interface.served_interface import served
from tests.ledger.payments.stripe.signed_event import SECRET, body_of, event, sign

_SETTINGS = Settings(stripe_key="sk_test_x", stripe_webhook_secret=f"whsec_old, {SECRET}")
_DUE = "SELECT object_id, kind, told FROM provider_object_due ORDER BY object_id"
_EVENTS = "SELECT event_id, kind, object_id FROM provider_event ORDER BY event_id"


async def _post(
    client: httpx.AsyncClient, found: object, signature: str | None = None
) -> httpx.Response:
    body = found if isinstance(found, bytes) else body_of(found)
    header = sign(body, datetime.now(UTC)) if signature is None else signature
    headers = {"Stripe-Signature": header, "Content-Type": "application/json"}
    return await client.post("/payments/stripe", content=body, headers=headers)


def _rows(database: str, question: LiteralString) -> list[tuple[Any, ...]]:
    with connect(database) as connection:
        return connection.execute(question).fetchall()


async def test_an_event_is_kept_once_however_often_it_comes(database: str) -> None:
    async with served(database, settings=_SETTINGS) as client:
        del client.headers["authorization"]
        answers = [await _post(client, event(number)) for number in (2, 1, 1, 2)]
        answers += await asyncio.gather(*(_post(client, event(3)) for _ in range(20)))
        answers.append(
            await _post(client, event(4, data={"object": {"object": "charge", "id": "ch_1"}}))
        )
        assert {each.status_code for each in answers} == {200}
        assert {each.content for each in answers} == {b""}
    assert _rows(database, _DUE) == [("pi_1", "intent", 3)]
    assert _rows(database, _EVENTS) == [
        ("evt_1", "intent", "pi_1"),
        ("evt_2", "intent", "pi_1"),
        ("evt_3", "intent", "pi_1"),
        ("evt_4", "", "ch_1"),
    ]


async def test_what_is_refused_is_not_told_why_and_leaves_nothing(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    good, now = body_of(event()), datetime.now(UTC)
    cases: list[tuple[bytes, str, int]] = [
        (good, "", 400),
        (good, sign(good, now, "whsec_wrong"), 400),
        (good, sign(good, now - timedelta(minutes=6)), 400),
        (good, sign(good, now + timedelta(minutes=6)), 400),
        (good + b" ", sign(good, now), 400),
        (b"", sign(b"", now), 400),
    ]
    signed = [
        b"[" * 100_000,
        b"{}",
        b'{"id": NaN}',
        body_of(event(livemode=True)),
        body_of(event(account="acct_1")),
    ]
    cases += [(body, sign(body, now), 400) for body in signed]
    large = body_of(event(more="x" * BODY_BYTES_MAX))
    cases.append((large, sign(large, now), 413))
    async with served(database, settings=_SETTINGS) as client:
        for body, signature, status in cases:
            answer = await _post(client, body, signature)
            assert (answer.status_code, answer.content) == (status, b""), body[:80]
        assert (await client.get("/payments/stripe")).status_code == 405
        assert (await _post(client, event())).status_code == 200
    assert len(_rows(database, _EVENTS)) == 1
    assert "ada@example.org" not in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("key", ["", "sk_test_x"])
async def test_without_a_secret_nobody_is_heard(database: str, key: str) -> None:
    async with served(database, settings=Settings(stripe_key=key)) as client:
        answer = await _post(client, event())
        assert (answer.status_code, answer.content) == (404, b"")
        assert (await client.get("/schema/openapi.json")).status_code == 200
    assert _rows(database, _EVENTS) == []


async def test_who_does_not_finish_keeps_nobody_out(database: str) -> None:
    async with served(database, settings=_SETTINGS) as client:
        host, port = client.base_url.host, client.base_url.port
        now = datetime.now(UTC)
        head = (
            f"POST /payments/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n"
            f"Stripe-Signature: {sign(b'', now)}\r\n\r\n{{"
        ).encode()
        writers = []
        for _ in range(60):
            _, writer = await asyncio.open_connection(host, port)
            writer.write(head)
            await writer.drain()
            writers.append(writer)
        assert (await _post(client, event())).status_code == 200
        for writer in writers:
            writer.close()
            await writer.wait_closed()
    assert len(_rows(database, _EVENTS)) == 1


async def test_while_it_cannot_be_kept_stripe_is_asked_to_come_again(database: str) -> None:
    async with served(database, settings=_SETTINGS) as client:
        with connect(database, autocommit=False) as connection:
            connection.execute("LOCK TABLE provider_event IN ACCESS EXCLUSIVE MODE")
            answering = asyncio.create_task(_post(client, event()))
            await asyncio.sleep(0.3)
            assert not answering.done()  # nothing is said before it stands
            connection.rollback()
        assert (await answering).status_code == 200
        with connect(database) as connection:
            connection.execute("ALTER TABLE provider_event RENAME TO provider_event_away")
        assert (await _post(client, event(2))).status_code >= 500
        with connect(database) as connection:
            connection.execute("ALTER TABLE provider_event_away RENAME TO provider_event")
        assert (await _post(client, event(2))).status_code == 200
    assert len(_rows(database, _EVENTS)) == 2


async def test_whatever_the_provider_does_each_object_is_told_of_and_none_of_others(
    database: str,
) -> None:
    settings = Settings(stripe_key="sk_test_x", stripe_webhook_secret="whsec_fake")
    chances = dict.fromkeys(
        (
            ProviderFault.WEBHOOK_REPEATED,
            ProviderFault.WEBHOOK_REORDERED,
            ProviderFault.WEBHOOK_DELAYED,
            ProviderFault.WEBHOOK_FORGED,
            ProviderFault.WEBHOOK_FOREIGN,
        ),
        0.3,
    )
    with FakeStripe(sends=False, faults=Faults(seed=7, chances=chances)) as fake:
        with closing(StripeProvider("sk_test_x", url=fake.url)) as provider:
            wanted = WantedIntent("", 3000, "EUR", "x", None, "pm_card_visa", PaymentWay.CARD)
            for number in range(20):
                taken = await asyncio.to_thread(provider.take, wanted._replace(key=f"k{number}"))
                await asyncio.to_thread(provider.refund, f"r{number}", taken.id, 100)
        async with served(database, settings=settings) as client:
            fake.send_to(f"{client.base_url}/payments/stripe".replace("//payments", "/payments"))
            while fake.webhooks.waiting():
                await asyncio.to_thread(fake.deliver)
        assert fake.webhooks.sent.keys() == {200, 400}
        made = {each["id"] for kind in ("payment_intent", "refund") for each in fake.of(kind)}
    assert {object_id for object_id, _, _ in _rows(database, _DUE)} == made
    events = [event_id for event_id, _, _ in _rows(database, _EVENTS)]
    assert not [each for each in events if "foreign" in each]


async def test_half_an_event_has_an_end(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "BODY_SECONDS", 0.2)
    async with served(database, settings=_SETTINGS) as client:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        head = (
            "POST /payments/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n"
            f"Stripe-Signature: {sign(b'', datetime.now(UTC))}\r\n\r\n{{"
        )
        writer.write(head.encode())
        said = await asyncio.wait_for(reader.read(), 20)  # until it is closed
        assert said.startswith(b"HTTP/1.1 408 ")
        writer.close()
        await writer.wait_closed()


def test_only_so_many_are_inside_at_once() -> None:
    room = Room(2)
    with room:
        assert room.may_enter()
        with room:
            assert not room.may_enter()
        assert room.may_enter()


def test_strangers_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    at = [0.0]
    quiet_log = QuietLog(logging.getLogger("a test"), clock=lambda: at[0])
    for second in (0.0, 0.1, 9.9, 10.0, 10.1, 20.0):
        at[0] = second
        quiet_log.say("not signed")
    assert [each.getMessage() for each in caplog.records] == [
        "not signed",
        "not signed; 2 more since the last time",
        "not signed; 1 more since the last time",
    ]
