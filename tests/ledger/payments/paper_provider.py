"""A payment provider on paper: the port with its memory of keys, and calls that go wrong on cue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from threading import Lock
from typing import TypeVar, cast

from ledger.payments.movement import STRIPE
from ledger.payments.provider import (
    BalanceLine,
    DeclinedError,
    EventNotice,
    IntentState,
    IntentStatus,
    PaymentObjectKind,
    PaymentWay,
    PayoutState,
    ProviderObject,
    RefundState,
    RefundStatus,
    SetupState,
    WantedIntent,
)

_T = TypeVar("_T", bound=ProviderObject)
BEGAN = datetime(2026, 11, 10, 12, tzinfo=UTC)


class PaperProvider:
    """Keeps what it was asked for; `before` and `after` are called around each call and may raise.

    Both get the call's name and its key. `declines` are methods that say no, and why.
    """

    name = STRIPE

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.objects: dict[str, ProviderObject] = {}
        self.answers: dict[str, ProviderObject | DeclinedError] = {}
        self.customers: dict[str, str] = {}
        self.declines: dict[str, str] = {}
        self.forgets_keys = False
        self.before: Callable[[str, str], None] = lambda _name, _key: None
        self.after: Callable[[str, str], None] = lambda _name, _key: None
        self._ids = count(1)
        self._turn = Lock()

    def add_customer(self, key: str, customer: str) -> str:
        self.before("add_customer", key)
        with self._turn:
            made = self.customers.setdefault(customer, f"cus_{next(self._ids)}")
        self.after("add_customer", key)
        return made

    def set_up(
        self, key: str, customer_id: str, way: PaymentWay, method_id: str | None
    ) -> SetupState:
        return self._answer(
            "set_up",
            key,
            lambda: SetupState(
                f"seti_{next(self._ids)}",
                method_id is not None,
                customer_id,
                method_id,
                way,
                key,
                client_secret="" if method_id else "secret",
            ),
        )

    def take(self, wanted: WantedIntent) -> IntentState:
        return self._answer("take", wanted.key, lambda: self._intent(wanted))

    def capture(self, key: str, intent_id: str, amount_minor: int) -> IntentState:
        return self._answer("capture", key, lambda: self._taken(intent_id, amount_minor))

    def raise_hold(self, key: str, intent_id: str, amount_minor: int) -> IntentState:
        def raised() -> IntentState:
            return self.intent(intent_id)._replace(held_minor=amount_minor)

        return self._answer("raise_hold", key, raised)

    def cancel(self, key: str, intent_id: str) -> IntentState:
        def canceled() -> IntentState:
            return self.intent(intent_id)._replace(status=IntentStatus.CANCELED, held_minor=0)

        return self._answer("cancel", key, canceled)

    def refund(self, key: str, intent_id: str, amount_minor: int) -> RefundState:
        return self._answer(
            "refund",
            key,
            lambda: RefundState(
                f"re_{next(self._ids)}",
                intent_id,
                RefundStatus.DONE,
                amount_minor,
                "EUR",
                BEGAN,
                key,
            ),
        )

    def look_up(self, kind: PaymentObjectKind, object_id: str) -> ProviderObject | None:
        self.before(f"look_up {kind}", object_id)
        found = self.objects.get(object_id)
        self.calls.append((f"look_up {kind}", object_id))
        self.after(f"look_up {kind}", object_id)
        return found

    def find(self, kind: PaymentObjectKind, key: str, since: datetime) -> ProviderObject | None:
        self.before(f"find {kind}", key)
        self.calls.append((f"find {kind}", key))
        made = [each for each in self.objects.values() if getattr(each, "request_key", "") == key]
        assert since <= BEGAN
        return made[0] if made else None

    def intent_of_charge(self, charge_id: str) -> str | None:
        return charge_id.replace("ch_", "pi_")

    def payouts(self, since: datetime) -> Iterator[PayoutState]:
        raise NotImplementedError

    def balance_lines(self, payout_id: str) -> Iterator[BalanceLine]:
        raise NotImplementedError

    def balance_lines_since(self, since: datetime) -> Iterator[BalanceLine]:
        raise NotImplementedError

    def events(self, since: datetime) -> Iterator[EventNotice]:
        raise NotImplementedError

    def intent(self, intent_id: str) -> IntentState:
        """Return a payment as it stands here."""
        found = self.objects[intent_id]
        assert isinstance(found, IntentState)
        return found

    def net_minor(self) -> int:
        """Return what was taken, less what was given back."""
        taken = sum(
            each.taken_minor for each in self.objects.values() if isinstance(each, IntentState)
        )
        refunds = (each for each in self.objects.values() if isinstance(each, RefundState))
        back = sum(each.amount_minor for each in refunds if each.status is not RefundStatus.FAILED)
        return taken - back

    def _intent(self, wanted: WantedIntent) -> IntentState:
        made = IntentState(
            f"pi_{next(self._ids)}",
            IntentStatus.NEEDS_METHOD,
            wanted.amount_minor,
            wanted.currency,
            BEGAN,
            request_key=wanted.key,
            customer_id=wanted.customer_id,
            method_id=wanted.method_id,
            way=wanted.way,
        )
        if reason := self.declines.get(wanted.method_id or ""):
            declined = made._replace(reason=reason)
            self.objects[made.id] = declined
            raise DeclinedError(reason, "no", declined)
        if wanted.way is PaymentWay.SEPA_DEBIT:
            return made._replace(status=IntentStatus.PROCESSING)
        if wanted.holds:
            return made._replace(status=IntentStatus.HELD, held_minor=wanted.amount_minor)
        charge = made.id.replace("pi_", "ch_")
        taken = wanted.amount_minor
        return made._replace(status=IntentStatus.TAKEN, taken_minor=taken, charge_id=charge)

    def _taken(self, intent_id: str, amount_minor: int) -> IntentState:
        held = self.intent(intent_id)
        return held._replace(status=IntentStatus.TAKEN, taken_minor=amount_minor, held_minor=0)

    def _answer(self, name: str, key: str, make: Callable[[], _T]) -> _T:
        self.before(name, key)
        with self._turn:
            self.calls.append((name, key))
            answer = None if self.forgets_keys else self.answers.get(key)
            if answer is None:
                try:
                    answer = make()
                    self.objects[answer.id] = answer
                except DeclinedError as error:
                    answer = error
                self.answers[key] = answer
        self.after(name, key)
        if isinstance(answer, DeclinedError):
            raise answer
        return cast("_T", answer)
