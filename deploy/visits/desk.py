"""What drivers ask of visits: opened, looked at, given up. The routes and the commands call it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec
from psycopg import Connection

from ledger.declared.store import NewestDeclarations
from ledger.payments.provider import (
    IntentState,
    PaymentObjectKind,
    PaymentProvider,
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

RECEIPT_DAYS: Final = 90
"""So long after it is first looked for a receipt may be read by its link."""
TO_AGREE: Final = frozenset({VisitState.WANTED, VisitState.HOLDING})


class VisitTerms(NamedTuple):
    """By whom cards are taken here. `publishable_key` lets a driver's device go on."""

    provider: PaymentProvider
    legal_entity: str
    publishable_key: str


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
    """Serves drivers; *terms* None: nobody takes cards here."""

    def __init__(self, terms: VisitTerms | None, now: Callable[[], datetime]) -> None:
        self.terms, self._now = terms, now
        self._newest = NewestDeclarations()

    def open(
        self,
        connection: Connection[Any],
        station_id: str,
        evse_id: int,
        *,
        by: str,
        method_id: str | None = None,
    ) -> OpenedVisit:
        """Open a visit.

        Raises:
            VisitRefusedError: If nobody may charge there so; it says why.
        """
        terms = self._terms()
        wanted = WantedVisit(
            station_id, evse_id, terms.provider.name, terms.legal_entity, by, method_id
        )
        return open_visit(connection, self._newest.of(connection), wanted, now=self._now())

    def told(self, opened: OpenedVisit, visit: CardVisit, price: str) -> StartedVisit:
        """Return what its driver's device needs of *visit*; it asks the provider.

        *visit* is as it stands now.
        """
        return StartedVisit(
            visit=visit.number,
            secret=opened.secret,
            state=visit.state.value,
            reason=visit.reason,
            amount=major(visit.amount_minor, visit.currency),
            currency=visit.currency,
            publishable_key=self._terms().publishable_key,
            client_secret=self.client_secret(visit),
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

    def client_secret(self, visit: CardVisit) -> str | None:
        """Return what lets the driver's device go on, while there is something to agree to.

        It asks the provider, and holds no connection to the database meanwhile.
        """
        if self.terms is None or visit.intent_id is None or visit.state not in TO_AGREE:
            return None
        try:
            found = self.terms.provider.look_up(PaymentObjectKind.INTENT, visit.intent_id)
        except ProviderError:
            return None
        return found.client_secret or None if isinstance(found, IntentState) else None

    def _terms(self) -> VisitTerms:
        if self.terms is None:
            raise VisitRefusedError(
                VisitRefusal.NOT_OFFERED,
                "cards are not taken: no key of a provider is set (WATTLEDGER_STRIPE_KEY)",
            )
        return self.terms
