"""The fake fails as it is told to, and what it did it did once."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import NamedTuple
from urllib.parse import urlencode

import pytest
import stripe

from deploy.demo.provider.faults import Faults, ProviderFault
from deploy.demo.provider.server import FakeStripe
from tests.deploy.demo.provider.provider_cases import LooseApi, body_of, client_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
INTENTS = "/v1/payment_intents"


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    with FakeStripe(now=lambda: NOW) as served:
        yield served


def pay(fake: FakeStripe, key: str = "collect:1", amount: int = 1234) -> LooseApi:
    """Take a payment under a key."""
    asked = {"amount": amount, "currency": "eur", "payment_method": "pm_card_visa"}
    return client_of(fake.url).v1.payment_intents.create(
        asked | {"confirm": True, "off_session": True}, {"idempotency_key": key}
    )


def taken(fake: FakeStripe) -> int:
    return sum(each["amount_received"] for each in fake.of("payment_intent"))


@pytest.mark.parametrize(
    ("fault", "error", "taken_then"),
    [
        pytest.param(ProviderFault.THROTTLED, stripe.RateLimitError, 0, id="429"),
        pytest.param(ProviderFault.FAILED_BEFORE, stripe.APIError, 0, id="500 before"),
        pytest.param(ProviderFault.CUT_BEFORE, stripe.APIConnectionError, 0, id="cut before"),
        pytest.param(ProviderFault.FAILED_AFTER, stripe.APIError, 1234, id="500 after"),
        pytest.param(ProviderFault.CUT_AFTER, stripe.APIConnectionError, 1234, id="cut after"),
    ],
)
def test_who_asks_again_with_the_same_key_pays_once(
    fake: FakeStripe, fault: ProviderFault, error: type[Exception], taken_then: int
) -> None:
    fake.faults.plan(fault, path=INTENTS)

    with pytest.raises(error):
        pay(fake)
    assert taken(fake) == taken_then

    assert pay(fake).status == "succeeded"
    assert taken(fake) == 1234
    assert fake.faults.struck[fault] == 1


def test_a_500_may_be_for_good_though_it_was_done(fake: FakeStripe) -> None:
    fake.faults.plan(ProviderFault.FAILED_FOR_GOOD, path=INTENTS)
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            pay(fake)
    assert taken(fake) == 1234

    fake.pass_time(timedelta(hours=23, minutes=59))
    with pytest.raises(stripe.APIError):
        pay(fake)
    fake.pass_time(timedelta(minutes=1))

    assert pay(fake).status == "succeeded"
    assert taken(fake) == 2468


def test_a_decline_is_kept_with_its_key(fake: FakeStripe) -> None:
    fake.faults.decline_code = "insufficient_funds"
    fake.faults.plan(ProviderFault.DECLINED)

    said = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as error:
            pay(fake)
        said.append(error.value)

    assert [body_of(each)["error"]["decline_code"] for each in said] == 2 * ["insufficient_funds"]
    first, again = (each.headers or {} for each in said)
    assert again["Idempotent-Replayed"] == "true"
    assert again["Original-Request"] == first["Request-Id"]
    assert pay(fake, "collect:1:2").status == "succeeded"


def test_what_was_wrong_with_the_question_is_not_kept(fake: FakeStripe) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        pay(fake, amount=0)

    assert pay(fake).status == "succeeded"


def test_a_key_that_is_at_work_is_a_conflict(fake: FakeStripe) -> None:
    fake.faults.delay_s = 30.0
    fake.faults.plan(ProviderFault.DELAYED, path=INTENTS)

    def ask_slowly() -> None:
        with suppress(stripe.APIConnectionError):
            pay(fake)

    slow = threading.Thread(target=ask_slowly, daemon=True)
    slow.start()
    while not fake.faults.struck[ProviderFault.DELAYED]:
        slow.join(0.001)

    with pytest.raises(stripe.APIError) as said:
        pay(fake)

    assert said.value.http_status == 409
    assert body_of(said.value)["error"]["code"] == "idempotency_key_in_use"


def test_faults_strike_where_and_when_they_were_planned() -> None:
    faults = Faults()
    faults.plan(ProviderFault.THROTTLED, times=2, path="/v1/refunds", spared=1)

    paths = ["/v1/refunds", INTENTS, "/v1/refunds", "/v1/refunds", "/v1/refunds"]
    struck = [faults.strikes(ProviderFault.THROTTLED, path) for path in paths]
    assert struck == [False, False, True, True, False]


def test_chance_is_the_same_from_the_same_seed() -> None:
    def struck(seed: int) -> list[bool]:
        faults = Faults(seed, {ProviderFault.CUT_AFTER: 0.5})
        return [faults.strikes(ProviderFault.CUT_AFTER) for _ in range(100)]

    assert struck(1) == struck(1)
    assert struck(1) != struck(2)
    assert 30 < sum(struck(1)) < 70


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"nonsense\r\n\r\n", id="no request"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", id="no length"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n", id="too long"),
        pytest.param(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", id="in chunks"),
    ],
)
def test_what_is_no_request_is_refused_and_the_next_one_is_answered(
    fake: FakeStripe, sent: bytes
) -> None:
    connection = HTTPConnection("127.0.0.1", fake.port, timeout=10)
    connection.connect()
    connection.sock.sendall(sent)
    assert connection.sock.recv(100).startswith(b"HTTP/1.1 400")
    connection.close()

    assert pay(fake).status == "succeeded"


@pytest.mark.parametrize(
    "form",
    [
        pytest.param("amount=1e3&currency=eur", id="no whole number"),
        pytest.param("amount=99999999999999999999&currency=eur", id="too many digits"),
        pytest.param("amount=100000000&currency=eur", id="too much"),
        pytest.param("amount[a]=1&currency=eur", id="no number at all"),
        pytest.param("amount=500", id="no currency"),
        pytest.param("amount=500&currency=eur&currency[a]=b", id="one name for two things"),
        pytest.param("amount=500&currency=eur&metadata[a][b][c][d][e][f]=1", id="too deep"),
        pytest.param("amount=500&currency=eur&customer=cus_nobody", id="nobody"),
        pytest.param("amount=500&currency=eur&description=4242+4242+4242+4242", id="a card number"),
        pytest.param("amount=500&currency=eur&expand[]=nothing", id="nothing to expand"),
        pytest.param("amount=500&currency=eur&payment_method[a]=b", id="no text"),
        pytest.param("amount=500&currency=eur&payment_method_types=card", id="no list"),
        pytest.param("amount=500&currency=eur&metadata=b", id="no dictionary"),
        pytest.param("amount=500&currency=eur&metadata[a][b]=c", id="no dictionary of texts"),
        pytest.param(f"amount=500&currency=eur&metadata[a]={501 * 'b'}", id="a long note"),
        pytest.param("amount=500&currency=eur&payment_method_options[card]=b", id="no options"),
    ],
)
def test_a_question_that_is_wrong_is_a_400(fake: FakeStripe, form: str) -> None:
    connection = HTTPConnection("127.0.0.1", fake.port, timeout=10)
    connection.request("POST", INTENTS, form, {"Authorization": "Bearer sk_test_1"})
    response = connection.getresponse()
    said = json.loads(response.read())
    connection.close()

    assert (response.status, said["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    "key", ["topup:p-0a4242424242424242bc:R1", "4242424242424242a", "pi_4242424242424242"]
)
def test_a_key_that_has_a_cards_digits_by_chance_is_none(fake: FakeStripe, key: str) -> None:
    made = client_of(fake.url).v1.customers.create({"metadata": {"wattledger_key": key}})

    assert made.metadata.to_dict() == {"wattledger_key": key}


class FakeElsewhere(NamedTuple):
    """Where the fake is, and what tells it what to do."""

    url: str
    tell: Callable[..., LooseApi]


@pytest.fixture
def elsewhere() -> Iterator[FakeElsewhere]:
    """The fake in a process of its own, and how it is told what to do."""
    asked = [sys.executable, "-m", "deploy.demo.provider", "--port", "0"]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()

        def tell(name: str, **form: object) -> LooseApi:
            connection = HTTPConnection("127.0.0.1", int(url.rpartition(":")[2]), timeout=10)
            connection.request("POST", f"/control/{name}", urlencode(form))
            said = json.loads(connection.getresponse().read())
            connection.close()
            return said

        yield FakeElsewhere(url, tell)
        process.terminate()
        assert process.wait(10) == 0


def test_a_fake_elsewhere_is_told_what_to_do_over_http(elsewhere: FakeElsewhere) -> None:
    client = client_of(elsewhere.url)
    elsewhere.tell("plan", fault="throttled", path=INTENTS)
    with pytest.raises(stripe.RateLimitError):
        client.v1.payment_intents.create({"amount": 10_000, "currency": "eur"})
    made = client.v1.payment_intents.create({"amount": 10_000, "currency": "eur"})

    told = elsewhere.tell("confirm", id=made.id, method="pm_card_visa")
    dispute = elsewhere.tell("open_dispute", id=made.id, amount=1_000)
    elsewhere.tell("settle_dispute", id=dispute["id"], won="true")
    [payout] = elsewhere.tell("pay_out")
    elsewhere.tell("pass_time", seconds=2 * 86_400)

    assert told["status"] == "succeeded"
    assert payout["amount"] == 10_000 - 175 - 1_500
    assert client.v1.payouts.retrieve(payout["id"]).status == "paid"
    state = elsewhere.tell("state")
    assert state["total_minor"]["eur"] == 0
    assert state["struck"] == {"throttled": 1}
    assert "error" in elsewhere.tell("nothing")
    assert "error" in elsewhere.tell("confirm", id="pi_nobody")
