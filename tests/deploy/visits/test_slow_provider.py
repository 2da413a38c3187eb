"""What drivers ask of the provider holds up nobody else; who asks too often is one, anywhere."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing

import pytest

from deploy.settings import load_settings
from deploy.visits.desk import ASKERS_MAX, VisitDesk
from deploy.visits.rates import VISITS_MAX, AddressRates, network_of
from ledger.payments.visits.visit import CardVisit, VisitState
from tests.depot import NOON

VISIT = CardVisit(
    number=1,
    provider="stripe",
    legal_entity="watt",
    station_id="CS-16",
    evse_id=1,
    token_uid="t-1",
    secret_digest=b"",
    currency="EUR",
    amount_minor=1200,
    tariff="",
    wanted_at=NOON,
    wanted_by="a driver",
    state=VisitState.HOLDING,
    intent_id="pi_1",
)


async def test_a_provider_that_does_not_answer_holds_up_nothing_else() -> None:
    with closing(socket.create_server(("127.0.0.1", 0), backlog=128)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        settings = load_settings({}, stripe_key="sk_test_x", stripe_url=url)
        with closing(VisitDesk(settings, lambda: NOON, asked_seconds=2)) as desk:
            looks = [asyncio.create_task(desk.look(VISIT)) for _ in range(8 * ASKERS_MAX)]
            await asyncio.sleep(0)
            # What else is asked of the interface runs in the loop's own threads.
            for _ in range(8):
                await asyncio.to_thread(int)
            assert not any(look.done() for look in looks)

            told = await asyncio.gather(*looks)

    assert {each.client_secret for each in told} == {None}
    assert not any(each.has_moved for each in told)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("a proxy", "a proxy"),
        ("", ""),
    ],
)
def test_of_ipv6_a_network_counts_as_one_address(address: str, network: str) -> None:
    assert network_of(address) == network


def test_who_has_a_network_opens_no_more_visits_than_who_has_an_address() -> None:
    rates = AddressRates(VISITS_MAX)
    addresses = [f"2001:db8:1:2::{each:x}" for each in range(100)]

    assert sum(rates.allows(network_of(each), 0.0) for each in addresses) == VISITS_MAX
    assert rates.allows(network_of("2001:db8:1:3::1"), 0.0)
