"""What open sessions cost so far, one by one, for whoever tells their stations.

It keeps a connection and the declarations, which are read anew when there are newer ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, LiteralString, NamedTuple, Self

from ledger.database import connect
from ledger.declared.declarations import Declarations
from ledger.declared.store import load_declarations, load_version
from ledger.facts.flags import Flag
from ledger.master_data.assignments import NO_LIMITS, SessionLimits
from ledger.payments.topping_up.credit import PREPAID, Fund, MoneySoFar
from ledger.payments.visits.fund import VISITS
from ledger.rating.allowances import ReadAllowances
from ledger.rating.basis import terms_of
from ledger.rating.entitlements import Entitlements
from ledger.rating.price_so_far import NoPrice, price_so_far
from ledger.sessions.session import ChargingSession
from ledger.worker.session_rows import RECENT
from ledger.worker.station_now import station_now
from projections.heard_session import heard_session
from projections.running_money import money_so_far
from tariffs.model.usage import Activity
from tariffs.quantities import Money, money_of_minor

FUNDS: Final[Sequence[Fund]] = (PREPAID, VISITS)
"""What sessions are paid from that has an end."""
_HEARD: LiteralString = """
SELECT max(heard_at) FROM unfinished_session WHERE station_id = %s
HAVING bool_or(transaction_ref = %s)
"""


class RunningPrice(NamedTuple):
    """What an open session costs, taxes included, until its last sign.

    `register_wh` is what its register showed then, where that is known; `is_idle`: its vehicle
    parked.
    """

    gross: Decimal
    currency: str
    until: datetime
    register_wh: Decimal | None
    is_idle: bool


class SessionSoFar(NamedTuple):
    """An open session: what it costs, and how far it is and may go.

    It has no price where it would be held if it ended now. Without a start, or where the
    station's clock was set since, it began when it was heard of.
    """

    session: str
    price: RunningPrice | None
    limits: SessionLimits
    energy_wh: Decimal | None
    started_at: datetime
    money: MoneySoFar | None = None


class RunningPrices:
    """Prices open sessions; one object serves one thread. *funds* may limit them by money."""

    def __init__(self, dsn: str, funds: Sequence[Fund] = FUNDS) -> None:
        self._connection, self._funds = connect(dsn), funds
        self._declarations = Declarations()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the connection go."""
        self._connection.close()

    def of(
        self, station_id: str, transaction_ref: str, now: datetime | None = None
    ) -> SessionSoFar | None:
        """Return the open session of a station's transaction; None where there is none.

        With *now* it says, too, which money limits it. That its start never came is no reason
        against a price: then it costs what was heard of it. It may also have ended, and wait.
        """
        heard = self._connection.execute(_HEARD, (station_id, transaction_ref)).fetchone()
        if heard is None:
            return None
        known = self._known()
        there = station_now(self._connection, known, station_id, heard[0] - RECENT)
        rows = [row for row in there.unfinished if row.transaction_ref == transaction_ref]
        # As the worker takes the last session of a reference that began again.
        row = max(rows, key=lambda each: (each.begins, each.session_id), default=None)
        session = there.sessions.get(row.session_id) if row else None
        if row is None or session is None:
            return None
        if session.started_at is None:
            traits = known.traits(station_id, heard[0])
            told = there.heard[transaction_ref]
            session = heard_session(station_id, transaction_ref, told, traits) or session
        # One that is over, and waits, is stopped by nobody.
        basis = None if session.is_ended else terms_of(session, known).basis
        is_dated = session.started_at is not None and Flag.CLOCK_JUMPED not in session.flags
        price, money = self._price(session, row.validations, known), None
        if now is not None:
            entitled = self._entitled(row.validations)
            cost = Money(price.gross, price.currency) if price else None
            money = money_so_far(self._connection, self._funds, session, known, entitled, cost, now)
        return SessionSoFar(
            session=row.session_id,
            price=price,
            limits=basis.tariff.assignment.limits if basis else NO_LIMITS,
            energy_wh=session.energy_wh,
            started_at=session.started_at
            if session.started_at and is_dated
            else session.first_received_at,
            money=money,
        )

    def _price(
        self, session: ChargingSession, validations: Sequence[str], known: Declarations
    ) -> RunningPrice | None:
        price = price_so_far(session, known, self._entitled(validations))
        if isinstance(price, NoPrice):
            return None
        money = money_of_minor(price.net_minor + price.tax_minor, price.currency)
        registers = [p.register_wh for p in session.points if p.register_wh is not None]
        return RunningPrice(
            gross=money.amount,
            currency=money.currency,
            until=price.until,
            register_wh=registers[-1] if registers else session.meter_start_wh,
            is_idle=bool(session.spans) and session.spans[-1].activity is Activity.PARKING,
        )

    def _entitled(self, validations: Sequence[str]) -> Entitlements:
        allowances = ReadAllowances(self._connection)
        return Entitlements(validations=tuple(validations), allowances=allowances)

    def _known(self) -> Declarations:
        version = load_version(self._connection)
        if version != self._declarations.version:
            known = self._declarations
            self._declarations = load_declarations(self._connection, known=known)
        return self._declarations
