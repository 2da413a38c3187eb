"""Who takes disputes: whatever a provider tells of one, what is not booked of it yet is booked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ledger.database import connect
from ledger.errors import LedgerError
from ledger.payments.disputes.booking import DisputeFacts, dispute_movements
from ledger.payments.disputes.store import (
    keep_dispute,
    moved_on,
    movement_received,
    movements_of_siblings,
)
from ledger.payments.due_objects import AT_ONCE, tell_of_object
from ledger.payments.movement import UNMATCHED, Allotment, MoneyKind, MoneyMovement
from ledger.payments.provider import (
    DisputeState,
    DisputeStatus,
    IntentState,
    PaymentObjectKind,
    PaymentProvider,
    ProviderError,
    ProviderObject,
)
from ledger.payments.recording import movements_about, record_movement, under_the_books
from ledger.payments.requests import find_request
from ledger.payments.taking import Taking, is_of

TakeFromBalance = Callable[[Taking, MoneyMovement, int, str], Sequence[Allotment]]
"""Takes money that was paid in advance, and is lost now, from a prepaid balance: the movement by
which it came, how much in minor units, and the dispute's id. It returns what that is allotted to:
allotments that come to less than 0 by the amount."""


def leave_to_a_person(
    _taking: Taking, _received: MoneyMovement, minor: int, _name: str
) -> Sequence[Allotment]:
    """Leave the balance as it is: the money stands on the work list."""
    return [Allotment(UNMATCHED, -minor)]


class GatheredDispute(NamedTuple):
    """The references that the payment may be booked by; whether that is still to come."""

    references: tuple[str, ...]
    is_awaited: bool


class DisputeTaker:
    """Takes the disputes of payments to a legal entity.

    Args:
        dsn: The database; what is gathered is held against it on a connection of its own.
        legal_entity: Whose account with the provider it is.
        take_from_balance: What becomes of a prepaid balance whose money is lost.
    """

    def __init__(
        self,
        dsn: str,
        legal_entity: str,
        take_from_balance: TakeFromBalance = leave_to_a_person,
    ) -> None:
        self._dsn, self._legal_entity = dsn, legal_entity
        self._take_from_balance = take_from_balance

    def gather(self, provider: PaymentProvider, found: ProviderObject) -> GatheredDispute:
        """Return what the payment in dispute is; have it looked up if it is ours and not booked."""
        state = _dispute(found)
        # Of a charge that is no payment's, as old ways of charging make, there is nothing to ask.
        intent = state.intent_id and provider.look_up(PaymentObjectKind.INTENT, state.intent_id)
        if not isinstance(intent, IntentState):
            return GatheredDispute((state.intent_id,), is_awaited=False)
        references = tuple(filter(None, (intent.id, intent.charge_id)))
        with connect(self._dsn) as connection:
            if movement_received(connection, provider.name, references) is not None:
                return GatheredDispute(references, is_awaited=False)
            key = intent.request_key
            asked = find_request(connection, key) if key else None
            is_ours = asked is not None and is_of(asked, intent)
            if is_ours:
                kind = PaymentObjectKind.INTENT
                tell_of_object(connection, provider.name, kind, intent.id, AT_ONCE)
        return GatheredDispute(references, is_awaited=is_ours)

    def take(self, taking: Taking, found: ProviderObject, gathered: object) -> None:
        """Book what is not booked of a dispute, and keep how it stands.

        Raises:
            DisputeWaitsError: If it is lost, and the payment is ours and not taken yet.
        """
        state, connection = _dispute(found), taking.connection
        assert isinstance(gathered, GatheredDispute)
        with under_the_books(connection):
            received = movement_received(connection, taking.provider, gathered.references)
            if state.status is DisputeStatus.LOST and received is None and gathered.is_awaited:
                raise DisputeWaitsError(state)
            facts = DisputeFacts(
                state=state,
                provider=taking.provider,
                legal_entity=self._legal_entity,
                before=movements_about(connection, state.id),
                moved_on=moved_on(connection, received),
                siblings=movements_of_siblings(connection, taking.provider, state),
                received=received,
                now=taking.now,
            )

            def lost_balance(minor: int) -> Sequence[Allotment]:
                assert received is not None
                times = sum(each.kind is MoneyKind.DISPUTE_LOST for each in facts.before)
                name = f"{state.id}/{times + 1}" if times else state.id
                return self._take_from_balance(taking, received, minor, name)

            for each in dispute_movements(facts, lost_balance):
                record_movement(connection, each, taking.calendar(self._legal_entity))
            keep_dispute(
                connection, taking.provider, self._legal_entity, state, received, taking.now
            )


def _dispute(found: ProviderObject) -> DisputeState:
    if not isinstance(found, DisputeState):
        raise NoDisputeError(found)
    return found


class DisputeWaitsError(ProviderError):
    """The payment in dispute is to be taken before: the dispute is taken again later."""

    def __init__(self, state: DisputeState) -> None:
        super().__init__("waits_for_payment", f"{state.intent_id} is taken before {state.id}")
        self.state = state


class NoDisputeError(LedgerError):
    """What was to be taken as a dispute is none."""

    def __init__(self, found: ProviderObject) -> None:
        super().__init__(f"{found.id} is no dispute")
        self.found = found
