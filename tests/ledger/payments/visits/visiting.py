"""A depot that offers visits: a provider on paper, a station that obeys, and the books."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple, Self
from uuid import UUID

import msgspec

from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import BEGINNING, Kind
from ledger.declared.store import declare, load_declarations
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.log.authorization import Authorization
from ledger.master_data.policies import Policy
from ledger.partners.station_calls import CalledStation, StationResult, WantedCall
from ledger.payments.due_objects import tell_of_object
from ledger.payments.movement import STRIPE, MoneyMovement
from ledger.payments.open_items import open_items
from ledger.payments.provider import IntentState, IntentStatus, PaymentObjectKind, WantedIntent
from ledger.payments.recording import movements
from ledger.payments.requests import RequestKind
from ledger.payments.runner import PaymentRunner
from ledger.payments.topping_up.credit import FundedSession
from ledger.payments.visits.fund import VISITS
from ledger.payments.visits.holds import VisitTaker
from ledger.payments.visits.kept import find_visit, steps_of
from ledger.payments.visits.opening import OpenedVisit, WantedVisit, open_visit
from ledger.payments.visits.releasing import release_visit
from ledger.payments.visits.running import CALL_SECONDS, VisitRunner
from ledger.payments.visits.visit import CardVisit, VisitState
from ledger.sessions.states import SessionState
from tests.depot import NOON, changes, keep_decisions, rated, session
from tests.ledger.payments.paper_provider import PaperProvider

POLICY = Policy(visits=True)
CARD = "pm_card_visa"
_SESSION = """
INSERT INTO session (session_id, partition, station_id, transaction_ref, state, flags, blockers,
    reasons, evse_id, connector_id, token_uid, started_at, first_fact_at, last_fact_at, heard_at)
VALUES (%s, 0, 'ST-1', %s, %s, '{}', '{}', '{}', 1, 1, %s, %s, now(), now(), now())
ON CONFLICT (session_id) DO UPDATE SET state = excluded.state
"""


class DriversDevice(PaperProvider):
    """A provider for which the driver's own device is to go on, where no method is named."""

    def take(self, wanted: WantedIntent) -> IntentState:
        made = super().take(wanted)
        if wanted.method_id is None and made.status is IntentStatus.HELD:
            made = made._replace(status=IntentStatus.NEEDS_ACTION, held_minor=0)
            self.objects[made.id] = made
        return made


class ObedientStation:
    """Stations that answer as they are told to, once a call: the same id, the same answer."""

    def __init__(self) -> None:
        self.result = StationResult.ACCEPTED
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None
        self.calls: list[tuple[str, WantedCall]] = []
        self.answers: dict[UUID, CalledStation] = {}

    async def is_connected(self, station_id: str) -> bool:  # noqa: ARG002 - all are
        return True

    async def call(
        self, call_id: UUID, station_id: str, wanted: WantedCall, *, by: str, seconds: float
    ) -> CalledStation:
        assert (by[:6], seconds) == ("visit ", CALL_SECONDS)
        await asyncio.sleep(0)
        self.before()
        if call_id not in self.answers:
            self.calls.append((station_id, wanted))
            self.answers[call_id] = CalledStation(self.result)
        self.after()
        return self.answers[call_id]


class Owed(NamedTuple):
    """What an invoice is, and what is open of it."""

    due_minor: int
    open_minor: int


class VisitedDepot:
    """Visits at ST-1 from the request to the receipt; `now` is when it is."""

    def __init__(self, database: str, policy: Policy = POLICY) -> None:
        self.database, self.now = database, NOON
        self.provider: Any = DriversDevice()  # or one over HTTP
        self.stations = ObedientStation()
        self.prices: dict[str, Decimal] = {}
        declared = [
            *changes(),
            Change(kind=Kind.POLICY, key="policy", entity=policy, valid_from=BEGINNING),
        ]
        with connect(database) as connection, connection.transaction():
            declare(connection, declared, by="a test", at=NOON)
        with connect(database) as connection:
            self.declared = load_declarations(connection)

    async def __aenter__(self) -> Self:
        self._payments = self._new_payments("p")
        self._visits = self._new_visits("v")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._payments.close()
        await self._visits.close()

    def _new_payments(self, holder: str) -> PaymentRunner:
        takers = dict.fromkeys(
            (RequestKind.HOLD, RequestKind.RAISE, RequestKind.CAPTURE, RequestKind.RELEASE),
            VisitTaker(),
        )
        return PaymentRunner(self.database, self.provider, takers, {}, lambda: self.now, holder)

    def _new_visits(self, holder: str) -> VisitRunner:
        return VisitRunner(
            self.database,
            self.stations,
            lambda _station, reference: self.prices.get(reference),
            lambda: self.now,
            holder,
        )

    async def restart(self) -> None:
        """Go on as new processes do after a kill."""
        self._payments.close()
        await self._visits.close()
        self._payments, self._visits = self._new_payments("p"), self._new_visits("v")

    def open(self, method: str | None = CARD, station: str = "ST-1", evse: int = 1) -> OpenedVisit:
        wanted = WantedVisit(station, evse, STRIPE, "depot", "a test", method)
        with connect(self.database) as connection:
            return open_visit(connection, self.declared, wanted, now=self.now)

    async def rest(self) -> None:
        """Let everybody do what there is to do."""
        for _ in range(20):
            moved = await self._visits.run_once()
            await self._visits.called()
            if not self._payments.run_once() + moved:
                return
        raise AssertionError

    def visit(self, opened: OpenedVisit) -> CardVisit:
        with connect(self.database) as connection:
            found = find_visit(connection, opened.visit.number)
        assert found is not None
        return found

    def way(self, opened: OpenedVisit) -> list[str]:
        """Return the states that a visit went through, and why the last one."""
        with connect(self.database) as connection:
            steps = steps_of(connection, opened.visit.number)
        why = steps[-1][1]
        return [state for state, _, _ in steps] + ([why] if why else [])

    def session(self, opened: OpenedVisit, state: SessionState, number: int = 1) -> None:
        """Let the session of a visit be in the books, and in a state."""
        uid = opened.visit.token_uid
        begun = self.now if state is SessionState.OPEN else NOON
        with connect(self.database) as connection:
            connection.execute(_SESSION, (self._id(number), str(number), state.value, uid, begun))

    def may_cost(
        self, opened: OpenedVisit, number: int, cost_minor: int, currency: str = "EUR"
    ) -> int | None:
        """Return what a session of a visit may cost, which costs so much by now."""
        asked = self._id(number), opened.visit.token_uid, "depot", currency, cost_minor
        with connect(self.database) as connection:
            return VISITS.limit_minor(connection, FundedSession(*asked), self.now)

    def _id(self, number: int) -> str:
        return session(number).session_id

    def bill(self, opened: OpenedVisit, energy_wh: str, number: int = 1) -> None:
        """Have the session rated (0.40 a kWh and 19 %) and invoiced."""
        token = opened.visit.token_uid
        found = Authorization(subject=token, by="visit", status="accepted", reference="1")
        charged = session(number, token_uid=token, energy_wh=energy_wh)
        charged = msgspec.structs.replace(charged, authorization=found)
        with connect(self.database) as connection, InvoiceIssuer(self.database) as issuer:
            keep_decisions(connection, [rated(charged, self.declared)])
            self.session(opened, SessionState.RATED, number)
            issue_due(connection, issuer, self.declared, up_to=NOON + timedelta(hours=2))

    def intent(self, opened: OpenedVisit) -> IntentState:
        found = self.visit(opened).intent_id
        assert found is not None
        state: IntentState = self.provider.intent(found)
        return state

    def becomes(self, opened: OpenedVisit, status: IntentStatus, taken_minor: int = 0) -> None:
        """Let a payment become something at the provider, which tells of it."""
        intent = self.intent(opened)
        held = intent.amount_minor if status is IntentStatus.HELD else 0
        self.provider.objects[intent.id] = intent._replace(
            status=status, held_minor=held, taken_minor=taken_minor
        )
        with connect(self.database) as connection:
            tell_of_object(connection, STRIPE, PaymentObjectKind.INTENT, intent.id, self.now)

    def release(self, number: int) -> VisitState | None:
        """Let go of a visit by hand; return how it is then, None where that cannot be."""
        with connect(self.database) as connection:
            released = release_visit(
                connection, number, reason="the station broke down", by="anna", now=self.now
            )
        return None if released is None else released.state

    def movements(self) -> list[MoneyMovement]:
        with connect(self.database) as connection:
            return movements(connection)

    def owed(self) -> list[Owed]:
        with connect(self.database) as connection:
            numbers = connection.execute("SELECT number FROM issued_invoice ORDER BY number")
            items = open_items(connection, [number for (number,) in numbers])
        return [Owed(each.due_minor, each.open_minor) for each in items]


def minutes(count: int) -> timedelta:
    """Return so many minutes."""
    return timedelta(minutes=count)
