"""The gate against an account that behaves as Stripe's do, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest

from deploy.demo.provider.faults import ProviderFault
from deploy.demo.provider.server import FakeStripe
from ledger.payments.provider import (
    DeclinedError,
    DisputeState,
    DisputeStatus,
    IntentState,
    IntentStatus,
    PaymentObjectKind,
    PaymentProvider,
    PaymentWay,
    PayoutState,
    PayoutStatus,
    RefundStatus,
    RefusedRequestError,
    ThrottledError,
    UnansweredError,
    WantedIntent,
)
from ledger.payments.stripe.calls import ProviderOutcome
from ledger.payments.stripe.provider import StripeProvider

_KEY = "sk_test_gate"
_START = datetime(2026, 3, 31, 10, tzinfo=UTC)


class _Account:
    """The fake, its clock, and the gate that asks it."""

    def __init__(self) -> None:
        self.at = _START
        self.fake = FakeStripe(now=lambda: self.at, sends=False)

    def open(self) -> None:
        self.fake.__enter__()
        self.provider = StripeProvider(_KEY, url=self.fake.url)
        self.customer = self.provider.add_customer("customer:1", "sub-1")

    def close(self) -> None:
        self.provider.close()
        self.fake.__exit__()

    def card(self, method: str = "pm_card_visa") -> str:
        leave = self.provider.set_up(f"setup:{method}", self.customer, PaymentWay.CARD, method)
        assert leave.is_ready, leave.reason
        assert leave.method_id is not None
        return leave.method_id

    def take(self, key: str, method: str, amount: int = 3000) -> IntentState:
        wanted = WantedIntent(
            key, amount, "EUR", "Invoice 1", self.customer, method, PaymentWay.CARD
        )
        return self.provider.take(wanted)


@pytest.fixture
def account() -> Iterator[_Account]:
    with closing(_Account()) as made:
        made.open()
        yield made


def test_the_gate_is_a_provider(account: _Account) -> None:
    provider: PaymentProvider = account.provider
    assert provider.name == "stripe"


def test_money_is_taken_and_given_back_once_under_one_key(account: _Account) -> None:
    card = account.card()
    taken = account.take("collect:1", card)
    assert (taken.status, taken.taken_minor) == (IntentStatus.TAKEN, 3000)
    assert (taken.request_key, taken.way) == ("collect:1", PaymentWay.CARD)
    assert account.take("collect:1", card) == taken
    with pytest.raises(RefusedRequestError) as reused:
        account.take("collect:1", card, 4000)
    assert reused.value.reason == "key_reused"
    given = account.provider.refund("refund:1", taken.id, 1000)
    assert (given.status, given.amount_minor) == (RefundStatus.DONE, 1000)
    assert account.provider.refund("refund:1", taken.id, 1000).id == given.id
    with pytest.raises(RefusedRequestError):
        account.provider.refund("refund:2", taken.id, 2001)
    account.at += timedelta(hours=25)  # keys are forgotten by now
    found = account.provider.find(PaymentObjectKind.INTENT, "collect:1", _START)
    assert found == taken
    assert account.provider.find(PaymentObjectKind.REFUND, "refund:1", _START) == given
    assert account.provider.find(PaymentObjectKind.INTENT, "collect:2", _START) is None
    assert len(account.fake.of("payment_intent")) == 1


@pytest.mark.parametrize("fault", [ProviderFault.FAILED_AFTER, ProviderFault.CUT_AFTER])
def test_what_took_effect_without_an_answer_is_found_by_its_key(
    account: _Account, fault: ProviderFault
) -> None:
    card = account.card()
    account.fake.faults.plan(fault)
    with pytest.raises(UnansweredError):
        account.take("collect:1", card)
    assert account.take("collect:1", card).taken_minor == 3000
    assert len(account.fake.of("charge")) == 1


def test_each_trouble_has_its_error(account: _Account) -> None:
    card = account.card()
    account.fake.faults.plan(ProviderFault.THROTTLED)
    with pytest.raises(ThrottledError):
        account.take("collect:1", card)
    account.fake.faults.plan(ProviderFault.FAILED_BEFORE)
    with pytest.raises(UnansweredError):
        account.take("collect:1", card)
    account.fake.faults.plan(ProviderFault.DECLINED)
    with pytest.raises(DeclinedError) as declined:
        account.take("collect:1", card)
    state = declined.value.state
    assert state is not None
    assert (state.status, state.request_key) == (IntentStatus.NEEDS_METHOD, "collect:1")
    assert declined.value.reason
    outcomes = account.provider.outcomes()
    troubles = (
        ProviderOutcome.THROTTLED,
        ProviderOutcome.UNANSWERED,
        ProviderOutcome.DECLINED,
    )
    assert [outcomes[each] for each in troubles] == [1, 1, 1]
    with closing(StripeProvider("rk_test_other", url=account.fake.url)) as fine:
        assert fine.look_up(PaymentObjectKind.INTENT, state.id)
    with (
        pytest.raises(ThrottledError) as refused,
        closing(StripeProvider("pk_test_x", url=account.fake.url)) as wrong,
    ):
        wrong.look_up(PaymentObjectKind.PAYOUT, "po_1")
    assert refused.value.reason == "key_refused"


def test_a_hold_is_taken_for_what_was_used(account: _Account) -> None:
    wanted = WantedIntent("hold:1", 5000, "EUR", "Visit 1", holds=True)
    waiting = account.provider.take(wanted)
    assert waiting.status is IntentStatus.NEEDS_METHOD
    account.fake.confirm(waiting.id, "pm_card_visa")
    # The same key hears what was so then; the gate looks how it is now.
    held = account.provider.take(wanted)
    assert (held.status, held.held_minor, held.taken_minor) == (IntentStatus.HELD, 5000, 0)
    assert account.provider.raise_hold("raise:1", held.id, 7000).held_minor == 7000
    with pytest.raises(RefusedRequestError):
        account.provider.capture("capture:0", held.id, 7001)
    taken = account.provider.capture("capture:1", held.id, 4321)
    assert (taken.status, taken.taken_minor, taken.held_minor) == (IntentStatus.TAKEN, 4321, 0)
    assert account.provider.capture("capture:2", held.id, 4321) == taken
    other = account.provider.take(wanted._replace(key="hold:2", method_id="pm_card_visa"))
    assert account.provider.cancel("release:2", other.id).status is IntentStatus.CANCELED
    assert account.provider.cancel("release:3", other.id).status is IntentStatus.CANCELED
    with pytest.raises(RefusedRequestError):
        account.provider.cancel("release:1", held.id)


def test_a_payer_must_agree(account: _Account) -> None:
    wanted = WantedIntent("hold:1", 5000, "EUR", "Visit 1", holds=True)
    waiting = account.provider.take(wanted)
    account.fake.faults.plan(ProviderFault.ASKS_PAYER)
    account.fake.confirm(waiting.id, "pm_card_visa", agrees=False)
    found = account.provider.look_up(PaymentObjectKind.INTENT, waiting.id)
    assert isinstance(found, IntentState)
    assert found.status is IntentStatus.NEEDS_METHOD
    assert found.reason


def test_a_payout_is_what_came_less_what_went(account: _Account) -> None:
    card = account.card()
    first, second = account.take("collect:1", card), account.take("collect:2", card, 2000)
    account.provider.refund("refund:1", first.id, 500)
    dispute = account.fake.open_dispute(second.id)
    found = account.provider.look_up(PaymentObjectKind.DISPUTE, dispute["id"])
    assert isinstance(found, DisputeState)
    assert (found.status, found.intent_id) == (DisputeStatus.OPEN, second.id)
    assert (found.taken_minor, found.fee_minor, found.given_back_minor) == (2000, 1500, 0)
    account.fake.settle_dispute(dispute["id"], won=True)
    won = account.provider.look_up(PaymentObjectKind.DISPUTE, dispute["id"])
    assert isinstance(won, DisputeState)
    assert (won.status, won.given_back_minor) == (DisputeStatus.WON, 2000)
    [paid] = account.fake.pay_out()
    [payout] = account.provider.payouts(_START)
    assert isinstance(payout, PayoutState)
    assert (payout.id, payout.status) == (paid["id"], PayoutStatus.ON_ITS_WAY)
    lines = list(account.provider.balance_lines(payout.id))
    assert sum(each.net_minor for each in lines) == 0
    own = [each for each in lines if each.kind == "payout"]
    assert [each.net_minor for each in own] == [-payout.amount_minor]
    since = list(account.provider.balance_lines_since(_START))
    assert {each.id for each in since} == {each.id for each in lines}
    assert account.provider.intent_of_charge(first.charge_id or "") == first.id


def test_events_tell_of_all_that_became_something(account: _Account) -> None:
    card = account.card()
    taken = account.take("collect:1", card)
    account.at += timedelta(hours=1)
    given = account.provider.refund("refund:1", taken.id, 500)
    later = {each.object_id for each in account.provider.events(account.at)}
    assert later == {given.id}
    every = list(account.provider.events(_START))
    assert {(each.kind, each.object_id) for each in every} >= {
        (PaymentObjectKind.INTENT, taken.id),
        (PaymentObjectKind.REFUND, given.id),
    }
    assert [each.created_at for each in every] == sorted(
        (each.created_at for each in every), reverse=True
    )


def test_two_who_ask_at_once_under_one_key_take_once(account: _Account) -> None:
    card, came = account.card(), []

    def ask() -> None:
        try:
            came.append(account.take("collect:1", card).id)
        except (ThrottledError, UnansweredError):
            came.append("")

    threads = [Thread(target=ask) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len({each for each in came if each}) == 1
    assert len(came) == 8
    assert len(account.fake.of("charge")) == 1
