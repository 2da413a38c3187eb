"""A payment that a terminal settled gets one receipt number, whoever is asked and how often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from ocpp.messages import get_validator

from ingest.receipts import PostgresReceipts, SettledPayment
from ledger.database import connect, connect_async
from ledger.master_data.policies import Policy
from tests.edge import PASSWORD, open_edge
from tests.fakes import FixedDirectory

PAID = {
    "transactionId": "T", "pspRef": "psp-77", "status": "Settled", "settlementAmount": 12.345,
    "settlementTime": "2026-03-02T12:00:00Z",
}  # fmt: skip


@pytest.fixture
async def receipts(database: str) -> AsyncIterator[PostgresReceipts]:
    found = PostgresReceipts(partial(connect_async, database))
    yield found
    await found.close()


async def told(
    receipts: PostgresReceipts, *payments: dict[str, Any], policy: Policy | None = None
) -> list[Any]:
    """Return what a station is answered that tells of *payments*."""
    directory = FixedDirectory({"CP1": PASSWORD}, declared_policy=policy or Policy())
    opened = open_edge(directory=directory, receipts=receipts)
    async with opened as edge, edge.station(protocol="ocpp2.1") as station:
        answers = [await station.call("NotifySettlement", each) for each in payments]
    for each in answers:
        get_validator(3, "NotifySettlement", "2.1").validate(each)
    return answers


async def test_a_settled_payment_gets_a_receipt_and_again_the_same_one(
    receipts: PostgresReceipts, database: str
) -> None:
    others = [{**PAID, "pspRef": "psp-78"}, {**PAID, "transactionId": None}]
    first, again, *rest = await told(receipts, PAID, dict(PAID), *others)

    assert first == again
    assert len({each["receiptId"] for each in (first, *rest)}) == 3
    with connect(database) as connection:
        rows = connection.execute("SELECT 'R-' || number, station_id, transaction_ref FROM receipt")
        assert sorted(rows) == sorted(
            [
                (first["receiptId"], "CP1", "T"),
                (rest[0]["receiptId"], "CP1", "T"),
                (rest[1]["receiptId"], "CP1", ""),
            ]
        )


@pytest.mark.parametrize(
    "more",
    [
        {"receiptId": "its own"},
        {"receiptUrl": "https://terminal.example/1"},
        *({"status": status} for status in ("Canceled", "Rejected", "Failed", "settled", None, 7)),
    ],
)
async def test_what_the_terminal_numbered_or_nobody_paid_gets_none(
    receipts: PostgresReceipts, more: dict[str, Any]
) -> None:
    assert await told(receipts, {**PAID, **more}) == [{}]


async def test_a_receipt_has_the_address_that_the_policy_names(receipts: PostgresReceipts) -> None:
    policy = Policy(receipt_url="https://pay.example/{receipt}")
    (answer,) = await told(receipts, PAID, policy=policy)

    number = answer["receiptId"]
    assert answer["receiptUrl"] == f"https://pay.example/{number}"


async def test_two_processes_agree_on_numbers(database: str) -> None:
    both = [PostgresReceipts(partial(connect_async, database)) for _ in range(2)]
    asked = [SettledPayment("CP1", f"key-{n % 10}", "T") for n in range(40)]
    given = await asyncio.gather(*(each.number(one) for each in both for one in asked))
    for each in both:
        await each.close()

    assert given[:40] == given[40:]
    assert len(set(given)) == 10


@pytest.mark.parametrize("odd", ["\0", "\\u0000", "ü" * 300])
async def test_an_odd_transaction_keeps_nobody_from_a_receipt(
    receipts: PostgresReceipts, odd: str
) -> None:
    (answer,) = await told(receipts, {**PAID, "transactionId": odd})

    assert answer["receiptId"].startswith("R-")
