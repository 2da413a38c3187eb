"""What drivers ask of visits: opened, looked at, given up. The routes and the commands call it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from psycopg import Connection

from deploy.payments.account_holder import NoAccountHolderError, account_holder
from deploy.settings import Settings
from deploy.visits.rates import LOOKS_MAX, VISITS_MAX, AddressRates
from ledger.declared.store import NewestDeclarations
from ledger.master_data.policies import Policy
from ledger.payments.due_objects import tell_of_object
from ledger.payments.movement import STRIPE
from ledger.payments.provider import (
    IntentState,
    IntentStatus,
    PaymentObjectKind,
    ProviderError,
)
from ledger.payments.visits.kept import find_visit, is_secret_of
from ledger.payments.visits.opening import (
    OpenedVisit,
    VisitRefusal,
    VisitRefusedError,
    WantedVisit,
    open_visit,
)
from ledger.payments.visits.visit import CardVisit, VisitState
from projections.documents.delivery.links import PATH, make_link
from projections.visit_view import VisitView, is_rendered, major, show_visit

if TYPE_CHECKING:
    from ledger.payments.stripe.provider import StripeProvider

RECEIPT_DAYS: Final = 90
"""So long after it is first looked for a receipt may be read by its link."""
ASKED_SECONDS: Final = 8.0
"""So long a driver waits until the provider has heard of the visit; then asks again."""
ASKERS_MAX: Final = 8
"""So many threads ask the provider: however slow it is, others' questions are answered."""
TO_AGREE: Final = frozenset({VisitState.WANTED, VisitState.HOLDING})


class AskedPayment(NamedTuple):
    """A payment at the provider; `has_moved`: the driver agreed, or will not any more."""

    client_secret: str | None
    has_moved: bool


_NOTHING_ASKED: Final = AskedPayment(None, has_moved=False)
_STILL_ASKED: Final = frozenset({IntentStatus.NEEDS_METHOD, IntentStatus.NEEDS_ACTION})


class StartedVisit(msgspec.Struct, frozen=True, kw_only=True):
    """What a driver's device is told; `client_secret` null: ask again for the visit, it comes.

    `amount` is what is put aside, in major units of `currency`. `secret` opens the visit: it is
    told this once.
    """

    visit: int
    secret: str
    state: str
    reason: str
    amount: Decimal
    currency: str
    publishable_key: str
    client_secret: str | None
    price: str


class SeenVisit(msgspec.Struct, frozen=True, kw_only=True):
    """A visit as its driver sees it; `receipts` are paths at this address."""

    visit: VisitView
    client_secret: str | None
    receipts: list[str]


class VisitDesk:
    """Serves drivers at the account that *settings* name; without a key nobody takes cards here."""

    def __init__(
        self,
        settings: Settings,
        now: Callable[[], datetime],
        *,
        asked_seconds: float = ASKED_SECONDS,
    ) -> None:
        self._settings, self._now, self._asked_seconds = settings, now, asked_seconds
        self._newest = NewestDeclarations()
        self._provider: StripeProvider | None = None
        self.opened, self.looked = AddressRates(VISITS_MAX), AddressRates(LOOKS_MAX)
        self._turn = threading.Lock()
        self._askers = ThreadPoolExecutor(ASKERS_MAX, thread_name_prefix="visits")

    @property
    def publishable_key(self) -> str:
        """What lets a driver's own device go on; "" where only we can."""
        return self._settings.stripe_publishable_key

    def close(self) -> None:
        """Let the provider's connections go."""
        self._askers.shutdown(wait=False, cancel_futures=True)
        if self._provider is not None:
            self._provider.close()

    def open(
        self,
        connection: Connection[Any],
        station_id: str,
        evse_id: int,
        *,
        by: str,
        method_id: str | None = None,
    ) -> OpenedVisit:
        """Open a visit; without *method_id* the driver's own device goes on.

        Raises:
            VisitRefusedError: If nobody may charge there so; it says why.
        """
        declared, now = self._newest.of(connection), self._now()
        self._check_offered(declared.policy(now), by_device=method_id is None)
        try:
            holder = account_holder(declared, self._settings, now)
        except NoAccountHolderError as error:
            raise VisitRefusedError(VisitRefusal.NOT_OFFERED, str(error)) from error
        wanted = WantedVisit(station_id, evse_id, STRIPE, holder, by, method_id)
        return open_visit(connection, declared, wanted, now=now)

    def check_offered(self, connection: Connection[Any]) -> None:
        """Refuse where no driver's own device may open a visit: nothing else is told then.

        Raises:
            VisitRefusedError: If visits are not offered.
        """
        self._check_offered(self._newest.of(connection).policy(self._now()), by_device=True)

    def _check_offered(self, policy: Policy, *, by_device: bool) -> None:
        if not policy.visits:
            raise VisitRefusedError(
                VisitRefusal.NOT_OFFERED,
                "paying by card at the station is not offered (policy: visits)",
            )
        if not self._settings.stripe_key:
            raise VisitRefusedError(
                VisitRefusal.NOT_OFFERED,
                "cards are not taken: no key of a provider is set (WATTLEDGER_STRIPE_KEY)",
            )
        if by_device and not self.publishable_key:
            raise VisitRefusedError(
                VisitRefusal.NOT_OFFERED,
                "cards are not taken here: no key for payers' devices is set "
                "(WATTLEDGER_STRIPE_PUBLISHABLE_KEY)",
            )

    def told(
        self, opened: OpenedVisit, visit: CardVisit, price: str, client_secret: str | None
    ) -> StartedVisit:
        """Return what its driver's device needs of *visit*, as it stands now."""
        return StartedVisit(
            visit=visit.number,
            secret=opened.secret,
            state=visit.state.value,
            reason=visit.reason,
            amount=major(visit.amount_minor, visit.currency),
            currency=visit.currency,
            publishable_key=self.publishable_key,
            client_secret=client_secret,
            price=price,
        )

    def price_text(self, connection: Connection[Any], visit: CardVisit) -> str:
        """Return what the tariff says of itself in words; "" where it says nothing."""
        known = self._newest.of(connection)
        tariff = known.tariff_for(visit.station_id, None, visit.wanted_at)
        words = dict(tariff.version.tariff.alt_text) if tariff else {}
        return words.get("en") or next(iter(words.values()), "")

    def find(self, connection: Connection[Any], number: int, secret: str) -> CardVisit | None:
        """Return a visit to who has its secret; None to everybody else, and where there is none."""
        visit = find_visit(connection, number)
        return visit if visit is not None and is_secret_of(visit, secret) else None

    def view(
        self, connection: Connection[Any], visit: CardVisit, secret: str
    ) -> tuple[VisitView, list[str]]:
        """Return how a visit stands, and the paths of its receipts that are there."""
        shown = show_visit(connection, visit, self._newest)
        links = [
            f"{PATH}/{make_link(connection, number, days=RECEIPT_DAYS, secret=secret)}"
            for number in shown.receipts
            if is_rendered(connection, number)
        ]
        return shown, links

    async def look(self, visit: CardVisit) -> AskedPayment:
        """Return what lets the driver's device go on, while there is something to agree to.

        The provider is asked for it, in threads of its own and not for long: one that does not
        answer leaves the process's own threads to what else is asked of the interface.
        """
        is_to_agree = visit.state in TO_AGREE and self._settings.stripe_key
        if visit.intent_id is None or not is_to_agree:
            return _NOTHING_ASKED
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._asked_seconds):
                return await loop.run_in_executor(self._askers, self._look_up, visit.intent_id)
        except TimeoutError:
            return _NOTHING_ASKED

    def _look_up(self, intent_id: str) -> AskedPayment:
        try:
            found = self._asked().look_up(PaymentObjectKind.INTENT, intent_id)
        except ProviderError:
            return _NOTHING_ASKED
        if not isinstance(found, IntentState):
            return _NOTHING_ASKED
        return AskedPayment(found.client_secret or None, found.status not in _STILL_ASKED)

    def hasten(self, connection: Connection[Any], visit: CardVisit) -> None:
        """Have the payment of a visit looked at now."""
        assert visit.intent_id is not None
        kind, at = PaymentObjectKind.INTENT, self._now()
        tell_of_object(connection, visit.provider, kind, visit.intent_id, at)

    def _asked(self) -> StripeProvider:
        from ledger.payments.stripe.provider import StripeProvider  # noqa: PLC0415 - only with a key

        with self._turn:
            if self._provider is None:
                key, url = self._settings.stripe_key, self._settings.stripe_url
                self._provider = StripeProvider(key, url=url, answer_seconds=self._asked_seconds)
            return self._provider
