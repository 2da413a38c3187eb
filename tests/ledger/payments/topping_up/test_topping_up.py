"""A balance rises by card once, goes back to it once, and a bank takes it to 0 and no further."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest

from ledger.books.prepayments import BalanceTooSmallError, Prepayment, record_prepayment
from ledger.master_data.policies import Policy
from ledger.payments.due_objects import tell_of_object
from ledger.payments.movement import STRIPE
from ledger.payments.provider import (
    DisputeState,
    DisputeStatus,
    IntentStatus,
    PaymentObjectKind,
    PaymentWay,
    RefundState,
    RefundStatus,
    RefusedRequestError,
    UnansweredError,
)
from ledger.payments.requests import RequestKind, RequestState
from ledger.payments.topping_up import pay_back, top_up
from ledger.payments.topping_up.automatic import AutomaticTopUps
from ledger.payments.topping_up.pay_back import NotByCardError, OtherPayBackError
from ledger.payments.topping_up.top_up import NoMethodError, OtherTopUpError
from projections.balances.trial import trial_balance
from tests.ledger.payments.paper_provider import PaperProvider
from tests.ledger.payments.topping_up.raising import Raising, posted


@pytest.fixture
def paper() -> PaperProvider:
    return PaperProvider()


@pytest.fixture
def raising(database: str, paper: PaperProvider) -> Iterator[Raising]:
    made = Raising(database, paper)
    made.method()
    made.run()
    yield made
    assert trial_balance(made.connection).is_balanced
    assert made.balance() >= 0
    made.close()


def state(raising: Raising, kind: RequestKind) -> list[tuple[str, str]]:
    return [(each.state, each.reason) for each in raising.requests("anna", kind)]


def test_a_balance_rises_once_and_settles_what_is_invoiced_then(
    raising: Raising, paper: PaperProvider
) -> None:
    first = raising.top_up(1_000, "web/1")
    assert raising.balance() == 0  # nothing is there before it was taken
    assert raising.top_up(1_000, "web/1") == first
    raising.run()
    assert raising.top_up(1_000, "web/1").state is RequestState.DONE
    raising.run()
    with pytest.raises(OtherTopUpError, match=r"10\.00 EUR"):
        raising.top_up(999, "web/1")
    invoice = raising.bill()

    assert first.key == "topup:anna:web/1"
    assert [name for name, _ in paper.calls].count("take") == 1
    assert raising.balance() == 1_000 - 476
    assert raising.open_minor(invoice) == 0
    assert posted(raising.connection)["cash:stripe"] == 1_000
    assert "cash:clearing" not in posted(raising.connection)
    paid = raising.connection.execute("SELECT reference FROM prepayment").fetchall()
    assert paid == [(f"stripe/{raising.top_up(1_000, 'web/1').object_id}",)]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_call_of_which_nobody_knows_what_came_takes_once(
    raising: Raising, paper: PaperProvider, when: str
) -> None:
    failing = {"take"}

    def fail(name: str, _key: str) -> None:
        if name in failing:
            failing.discard(name)
            raise UnansweredError(*("no_answer", "cut"))

    setattr(paper, when, fail)
    raising.top_up(1_000, "a")
    raising.run()
    raising.run(hours=1)

    assert raising.balance() == 1_000
    assert paper.net_minor() == 1_000


class KilledError(BaseException):
    """A kill: nothing catches it."""


@pytest.mark.parametrize("step", ["record_movement", "record_prepayment"])
@pytest.mark.parametrize("module", [top_up, pay_back])
def test_a_kill_between_the_money_and_the_balance_leaves_neither(
    raising: Raising, monkeypatch: pytest.MonkeyPatch, module: ModuleType, step: str
) -> None:
    raising.top_up(1_000, "a")
    if module is pay_back:
        raising.run()
    real, kills = getattr(module, step), [KilledError()]

    def killed(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - as the real one
        found = real(*given, **named)
        if kills:
            raise kills.pop()
        return found

    monkeypatch.setattr(module, step, killed)
    before = posted(raising.connection)
    # What goes back is off the balance when it is decided, and out of the money when it is gone.
    if module is pay_back and step == "record_prepayment":
        with pytest.raises(KilledError):
            raising.pay_back(400, "x")
        assert raising.requests("anna", RequestKind.PAY_BACK) == []
        raising.pay_back(400, "x")
    elif module is pay_back:
        raising.pay_back(400, "x")
        before = posted(raising.connection)
    if kills:
        with pytest.raises(KilledError):
            raising.run()
        assert posted(raising.connection) == before
    raising.run(hours=1)
    raising.run(hours=1)

    left = 600 if module is pay_back else 1_000
    assert kills == []
    assert raising.balance() == left
    assert posted(raising.connection) == {"cash:stripe": left, "prepayments": -left}


def test_a_no_raises_nothing_and_a_lost_card_is_not_used_again(
    raising: Raising, paper: PaperProvider
) -> None:
    paper.declines["pm_1"] = "lost_card"
    raising.top_up(1_000, "a")
    raising.run()

    assert state(raising, RequestKind.TOP_UP) == [("failed", "lost_card")]
    assert raising.balance() == 0
    with pytest.raises(NoMethodError, match="wattledger payments method"):
        raising.top_up(1_000, "b")


def test_a_debit_raises_the_balance_when_it_comes(raising: Raising, paper: PaperProvider) -> None:
    raising.method(method="pm_2", way=PaymentWay.SEPA_DEBIT)
    raising.run()
    raising.top_up(1_000, "a")
    raising.run()
    [asked] = raising.requests("anna", RequestKind.TOP_UP)
    assert (asked.state, raising.balance()) == (RequestState.OPEN, 0)
    intent = paper.intent(asked.object_id or "")
    paper.objects[intent.id] = intent._replace(
        status=IntentStatus.TAKEN, taken_minor=1_000, charge_id="ch_debit"
    )
    raising.run(days=2)
    raising.run(days=2)

    assert raising.balance() == 1_000


def test_what_goes_back_is_off_the_balance_at_once_and_goes_once(
    raising: Raising, paper: PaperProvider
) -> None:
    for minor, reference in ((1_000, "a"), (2_000, "b")):
        raising.top_up(minor, reference)
        raising.run()
    decided = raising.pay_back(2_500, "x")
    assert raising.balance() == 500
    assert [each.amount_minor for each in decided] == [2_000, 500]
    assert [each.key for each in raising.pay_back(2_500, "x")] == [
        "payback:anna:x",
        "payback.2:anna:x",
    ]
    raising.run()
    with pytest.raises(OtherPayBackError, match=r"25\.00 EUR"):
        raising.pay_back(1, "x")
    with pytest.raises(BalanceTooSmallError):
        raising.pay_back(501, "y")
    record = Prepayment("depot", "cash", "anna", "EUR", 100, raising.now, "a test")
    record_prepayment(raising.connection, record)
    with pytest.raises(NotByCardError, match=r"5\.00 EUR"):
        raising.pay_back(600, "y")

    assert (raising.balance(), paper.net_minor()) == (600, 500)
    assert state(raising, RequestKind.PAY_BACK) == [("done", "")] * 2
    assert posted(raising.connection)["cash:stripe"] == 500


@pytest.mark.parametrize("comes_back", [False, True], ids=["refused", "came back"])
def test_what_cannot_go_back_is_on_the_balance_again(
    raising: Raising, paper: PaperProvider, *, comes_back: bool
) -> None:
    raising.top_up(1_000, "a")
    raising.run()

    def refuse(name: str, _key: str) -> None:
        if name == "refund" and not comes_back:
            raise RefusedRequestError(*("charge_disputed", "no"))

    paper.before = refuse
    raising.pay_back(400, "x")
    raising.run()
    if comes_back:
        assert raising.balance() == 600
        [asked] = raising.requests("anna", RequestKind.PAY_BACK)
        refund = paper.objects[asked.object_id or ""]
        assert isinstance(refund, RefundState)
        paper.objects[refund.id] = refund._replace(status=RefundStatus.FAILED)
        for _ in range(2):
            kind = PaymentObjectKind.REFUND
            tell_of_object(raising.connection, STRIPE, kind, refund.id, raising.now)
            raising.run(hours=1)

    assert raising.balance() == 1_000
    assert [each for each, _ in state(raising, RequestKind.PAY_BACK)] == ["failed"]
    assert posted(raising.connection)["cash:stripe"] == 1_000
    raising.pay_back(1_000, "again")  # and may be tried again


@pytest.mark.parametrize(
    ("other_minor", "balance", "open_again"),
    [
        pytest.param(2_000, 524, 0, id="the balance covers it"),
        pytest.param(0, 0, 476, id="what was bought with it is owed again"),
    ],
)
def test_a_lost_top_up_takes_the_balance_down_and_the_rest_is_owed_again(
    raising: Raising, paper: PaperProvider, other_minor: int, balance: int, open_again: int
) -> None:
    raising.top_up(1_000, "a")
    raising.run()
    invoice = raising.bill()
    raising.run()
    if other_minor:
        record = Prepayment("depot", "cash", "anna", "EUR", 1_000, raising.now, "a test")
        record_prepayment(raising.connection, record)
    [asked] = raising.requests("anna", RequestKind.TOP_UP)
    lost = DisputeState(
        "dp_1", asked.object_id or "", DisputeStatus.LOST, 1_000, "EUR", raising.now, 1_000, 1_500
    )
    paper.objects["dp_1"] = lost
    for _ in range(2):
        kind = PaymentObjectKind.DISPUTE
        tell_of_object(raising.connection, STRIPE, kind, "dp_1", raising.now)
        raising.run(hours=1)

    assert raising.balance() == balance
    assert raising.open_minor(invoice) == open_again
    kept = posted(raising.connection)
    assert kept["cash:stripe"] == -1_500
    assert kept.get("cash:unmatched", 0) == 0
    # A method that works is no reason to take it again by itself.
    assert raising.requests(invoice, RequestKind.COLLECT) == []


def test_what_nothing_explains_is_left_to_a_person(raising: Raising, paper: PaperProvider) -> None:
    raising.top_up(1_000, "a")
    raising.run()
    paid_out = Prepayment("depot", "by hand", "anna", "EUR", -900, raising.now, "a test")
    record_prepayment(raising.connection, paid_out)
    [asked] = raising.requests("anna", RequestKind.TOP_UP)
    paper.objects["dp_1"] = DisputeState(
        "dp_1", asked.object_id or "", DisputeStatus.LOST, 1_000, "EUR", raising.now, 1_000
    )
    tell_of_object(raising.connection, STRIPE, PaymentObjectKind.DISPUTE, "dp_1", raising.now)
    raising.run()

    assert raising.balance() == 0
    assert posted(raising.connection)["cash:unmatched"] == 900


def look(raising: Raising, automatic: AutomaticTopUps, minutes: float = 1) -> int:
    raising.now += timedelta(minutes=minutes)
    return automatic.run_once(raising.now)


def test_a_balance_raises_itself_once_at_a_time_and_so_often_a_day(
    raising: Raising, paper: PaperProvider
) -> None:
    automatic = AutomaticTopUps(raising.connection, STRIPE, "depot")
    assert look(raising, automatic) == 0  # nobody wishes it
    raising.wish(pays_in_advance=True, top_up_below=Decimal(5), top_up_by=Decimal(10))
    decided = [look(raising, automatic), look(raising, automatic)]
    raising.run()
    for _ in range(4):
        while raising.balance() >= 500:
            raising.bill()
        decided.append(look(raising, automatic))
        raising.run()
    decided.append(look(raising, automatic, minutes=24 * 60))

    assert decided == [1, 0, 1, 1, 0, 0, 1]
    keys = [each.key for each in raising.requests("anna", RequestKind.TOP_UP)]
    assert keys == [f"topup.auto:anna:depot/EUR/{number}" for number in range(1, 5)]
    assert paper.net_minor() == 3_000


def test_it_counts_what_runs_and_does_not_ask_again_at_once(
    raising: Raising, paper: PaperProvider
) -> None:
    raising.set_policy(Policy(top_ups_a_day=9))
    raising.wish(pays_in_advance=True, top_up_below=Decimal(5), top_up_by=Decimal(10))
    record = Prepayment("depot", "cash", "anna", "EUR", 500, raising.now, "a test")
    record_prepayment(raising.connection, record)
    automatic = AutomaticTopUps(raising.connection, STRIPE, "depot")
    assert look(raising, automatic) == 0  # 5.00 are not below 5
    raising.connection.execute(
        "INSERT INTO session (session_id, partition, station_id, transaction_ref, state, flags,"
        " blockers, reasons, first_fact_at, last_fact_at, heard_at)"
        " VALUES ('s', 0, 'ST-1', '1', 'open', '{}', '{}', '{}', now(), now(), now())"
    )
    raising.connection.execute(
        "INSERT INTO running_cost VALUES ('s', 'anna', 'depot', 'EUR', 1, %s)", (raising.now,)
    )
    paper.declines["pm_1"] = "insufficient_funds"
    decided = []
    for minutes in (1, 1, 58, 2):
        decided.append(look(raising, automatic, minutes))
        raising.run()

    assert decided == [1, 0, 0, 1]


def test_it_does_not_ask_a_bank_again_that_wants_the_customer(
    raising: Raising, paper: PaperProvider
) -> None:
    paper.declines["pm_1"] = "authentication_required"
    raising.wish(pays_in_advance=True, top_up_below=Decimal(5), top_up_by=Decimal(10))
    automatic = AutomaticTopUps(raising.connection, STRIPE, "depot")
    decided = []
    for _ in range(3):
        decided.append(look(raising, automatic, minutes=24 * 60))
        raising.run()
    raising.method(method="pm_2")
    raising.run()
    decided.append(look(raising, automatic))

    assert decided == [1, 0, 0, 1]
