"""Settling with roaming partners: reckoned from what there is, proposed, disputed, agreed.

To agree is one transaction: the decision, its number, which CDRs it settles, what it posts. What
was proposed is reckoned again in it, so that nobody agrees to what has changed since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any, Final, LiteralString, NamedTuple, cast

from psycopg import Connection

from ledger.books.feed import DESK_PARTITION, DeskDecision, append_decision
from ledger.books.journal import store_entries
from ledger.books.periods import (
    ClosedMonths,
    load_marks,
    lock_documents,
    month_after,
    month_begins,
)
from ledger.database import dsn_of
from ledger.declared.declarations import Declarations, Kind
from ledger.desk.closing.legal_entity import calendar_of
from ledger.desk.settling.rates import vat_rates_of
from ledger.desk.settling.refusals import (
    ImplausibleSettlementError,
    MonthNotOverError,
    NothingToSettleError,
    ReasonlessDisputeError,
    UndeclaredPartnerError,
    UntaxedCountryError,
)
from ledger.master_data.partners import OldCorrections, Partner
from ledger.partners.party import BadPartyError, check_party
from ledger.rating.decisions import FIRST_REVISION, hash_decision
from ledger.settlements.candidates import (
    SettlementScope,
    candidates,
    gather,
    gathered,
    settle_gathered,
)
from ledger.settlements.entries import posted_before, settlement_entries
from ledger.settlements.netting import settlement_of
from ledger.settlements.record import (
    ChangedSettlementError,
    PartnerSettlement,
    SettlementKey,
    SettlementState,
)
from ledger.settlements.settlements import PartnerSettlements
from ledger.settlements.statement import CdrSide, Settlement, SettlementTerms
from tariffs.currencies import CURRENCY_EXPONENTS
from tariffs.model.canonical import canonical_json

_MINOR_MAX: Final = 10**15
_EVER: Final = datetime.max.replace(tzinfo=UTC)
_MOMENT: Final = timedelta(microseconds=1)

_PLACE: LiteralString = """
SELECT coalesce(max(place), 0) + 1 FROM partner_settlement WHERE legal_entity = %s AND year = %s
"""
_OLDEST: Final = "2.1.1"
"""Of OCPI: it has no credit CDRs."""
_VERSION: LiteralString = "SELECT version FROM roaming_link WHERE partner = %s"
_RECORD: LiteralString = """
INSERT INTO partner_settlement (number, legal_entity, year, place, party, month, currency,
    due_minor, agreed_at, agreed_by, period, body, sha256)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


AlsoWritten = Callable[[Connection[Any], str], object]


class SettlementStanding(NamedTuple):
    """A settlement as it stands: what there is to settle now, or, once agreed, what was.

    `is_current`: what is on record is what there is now.
    """

    record: PartnerSettlement
    settlement: Settlement
    is_current: bool

    @property
    def digest(self) -> str:
        """What names exactly this settlement: who agrees to it says it back."""
        return digest_of(self.settlement)


class _Agreed(NamedTuple):
    """What goes into the rows of a settlement beside itself."""

    number: str
    year: int
    place: int
    by: str
    at: datetime
    country: str


class SettlementDesk:
    """Where settlements are made; *connection* is to the books."""

    def __init__(
        self, connection: Connection[Any], records: PartnerSettlements, declared: Declarations
    ) -> None:
        self._connection, self._records, self._declared = connection, records, declared

    def scopes(self, party: str, month: str) -> list[SettlementScope]:
        """Return what there is, or was, to settle with a partner for a month.

        Args:
            party: The partner's key.
            month: As "2026-03", in the calendar of each legal entity that has anything to settle.

        Raises:
            UndeclaredPartnerError: If it was not declared by the month's end.
        """
        partner = self._partner(party, month)
        scope = self._bounded(
            SettlementScope(
                party=party,
                legal_entity=partner.legal_entity,
                month=month,
                begins_at=_EVER,
                ends_at=_EVER,
                contract=partner.legal_entity,
                by_statement=partner.old_corrections is OldCorrections.STATEMENT
                and self._connection.execute(_VERSION, (party,)).fetchone() == (_OLDEST,),
                by_country=bool(partner.vat_by_country),
            )
        )
        # What a partner tells in a currency that there is none of is disputed, and stops no other.
        return [
            self._bounded(scope._replace(legal_entity=each, currency=currency))
            for each, currency in scope.groups(self._connection)
            if currency in CURRENCY_EXPONENTS
        ]

    def standing(self, scope: SettlementScope) -> SettlementStanding:
        """Return how a settlement stands."""
        record = self._records.find(_key(scope))
        if record.state == SettlementState.AGREED.value:
            return SettlementStanding(record, record.settlement, is_current=True)
        settlement = self._reckon(scope)
        is_current = canonical_json(settlement).decode() == record.text
        return SettlementStanding(record, settlement, is_current=is_current)

    def propose(self, scope: SettlementScope, *, by: str, at: datetime) -> SettlementStanding:
        """Record what there is to settle now as what is proposed to the partner.

        Raises:
            MonthNotOverError: If the month is not over.
            IllegalSettlementMoveError: If it is agreed.
            ContendedSettlementError: If somebody else changed it meanwhile.
        """
        _check_over(scope, at)
        record, settlement = self._records.find(_key(scope)), self._reckon(scope)
        record.propose(settlement, by=by, at=at)
        self._records.keep(record)
        return SettlementStanding(record, settlement, is_current=True)

    def dispute(
        self, scope: SettlementScope, *, by: str, at: datetime, reason: str
    ) -> SettlementStanding:
        """Record that one side does not agree to what was proposed, and why.

        Raises:
            IllegalSettlementMoveError: If nothing is proposed.
            ReasonlessDisputeError: If no reason is given.
        """
        if not reason.strip():
            raise ReasonlessDisputeError(scope.party)
        record = self._records.find(_key(scope))
        record.dispute(by=by, at=at, reason=reason)
        self._records.keep(record)
        return self.standing(scope)

    def agree(
        self,
        scope: SettlementScope,
        *,
        by: str,
        at: datetime,
        seen: str | None = None,
        also: AlsoWritten | None = None,
    ) -> SettlementStanding:
        """Record that both sides agreed, number and book it; what nobody proposed is, first.

        *seen* is the digest of what was looked at, None: what was proposed is what is agreed to.
        *also* is written in the same transaction, given the number.

        Raises:
            MonthNotOverError: If the month is not over.
            IllegalSettlementMoveError: If it is disputed, or agreed already.
            ChangedSettlementError: If there is something else to settle than what was proposed.
            NothingToSettleError: If there is nothing to settle.
            ImplausibleSettlementError: If it comes to more than anybody owes.
            UntaxedCountryError: If nobody declared the VAT of where a CDR charged.
        """
        _check_over(scope, at)
        with self._connection.transaction():
            # One at a time takes a number, and no month closes meanwhile.
            lock_documents(self._connection)
            record = self._records.find(_key(scope))
            settlement = self._reckon(scope)
            if seen is not None and seen != digest_of(settlement):
                raise ChangedSettlementError(record.key)
            if record.state == SettlementState.OPEN.value:
                record.propose(settlement, by=by, at=at)
            agreed = self._numbered(scope, by=by, at=at)
            record.agree(settlement, number=agreed.number, by=by, at=at)
            _check_plausible(record.key, settlement)
            book = partial(_book, scope=scope, settlement=settlement, agreed=agreed, also=also)
            self._records.keep(record, within=book)
        return SettlementStanding(record, settlement, is_current=True)

    def _reckon(self, scope: SettlementScope) -> Settlement:
        partner = self._partner(scope.party, scope.month)
        terms = SettlementTerms(
            legal_entity=scope.legal_entity,
            party=scope.party,
            month=scope.month,
            currency=scope.currency,
            session_fee=partner.session_fee,
            vat_percent=partner.vat_percent,
            reverse_charge_percent=partner.reverse_charge_percent,
            vat_rates=vat_rates_of(self._declared, scope.party, partner, scope.ends_at),
        )
        with self._connection.transaction():
            sent = candidates(self._connection, scope, CdrSide.SENT)
            received = candidates(self._connection, scope, CdrSide.RECEIVED)
            return settlement_of(sent, received, terms)

    def _bounded(self, scope: SettlementScope) -> SettlementScope:
        """Return *scope* with when its month begins and ends where its legal entity is."""
        calendar = calendar_of(self._declared, scope.legal_entity)
        return scope._replace(
            begins_at=month_begins(scope.month, calendar),
            ends_at=month_begins(month_after(scope.month), calendar),
        )

    def _partner(self, party: str, month: str) -> Partner:
        return partner_of_month(self._declared, party, month)

    def _numbered(self, scope: SettlementScope, *, by: str, at: datetime) -> _Agreed:
        entity = self._declared.legal_entity(scope.legal_entity, at)
        if entity is None:
            raise UndeclaredPartnerError(scope.party)
        year = at.astimezone(calendar_of(self._declared, scope.legal_entity)).year
        [(place,)] = self._connection.execute(_PLACE, (scope.legal_entity, year)).fetchall()
        number = f"{entity.invoice_prefix}-RS-{year}-{place:06d}"
        return _Agreed(number, year, place, by, at, entity.country)


def digest_of(settlement: Settlement) -> str:
    """Return what names exactly this settlement."""
    return sha256(canonical_json(settlement)).hexdigest()


def partner_of_month(declared: Declarations, party: str, month: str) -> Partner:
    """Return a partner as it was declared when *month* ended, or by now.

    Raises:
        UndeclaredPartnerError: If it never was.
    """
    try:
        check_party(party)
    except BadPartyError:
        raise UndeclaredPartnerError(party) from None
    rows = [row for row in declared.history(Kind.PARTNER, party) if isinstance(row.entity, Partner)]
    if not rows:
        raise UndeclaredPartnerError(party)
    calendar = calendar_of(declared, cast("Partner", rows[-1].entity).legal_entity)
    ends_at = month_begins(month_after(month), calendar)
    found = declared.partner(party, ends_at - _MOMENT)
    return found or cast("Partner", rows[-1].entity)


def month_end_with(declared: Declarations, party: str, month: str) -> datetime:
    """Return when *month* ends in the calendar of the legal entity that has the contract.

    Raises:
        UndeclaredPartnerError: If the partner was never declared.
    """
    entity = partner_of_month(declared, party, month).legal_entity
    return month_begins(month_after(month), calendar_of(declared, entity))


@contextmanager
def settlement_desk(
    connection: Connection[Any], declared: Declarations
) -> Iterator[SettlementDesk]:
    """Open the desk on the database of *connection*."""
    with PartnerSettlements(dsn_of(connection)) as records:
        yield SettlementDesk(connection, records, declared)


def _book(
    connection: Connection[Any],
    *,
    scope: SettlementScope,
    settlement: Settlement,
    agreed: _Agreed,
    also: AlsoWritten | None,
) -> None:
    """Write the rows of an agreed settlement, in the transaction of its event."""
    closed = ClosedMonths(load_marks(connection, DESK_PARTITION))
    period = closed.month_for(scope.legal_entity, scope.month)
    body = canonical_json(settlement)
    row = (
        *(agreed.number, scope.legal_entity, agreed.year, agreed.place, scope.party, scope.month),
        *(scope.currency, settlement.due_minor, agreed.at, agreed.by, period, body),
        sha256(body).digest(),
    )
    connection.execute(_RECORD, row)
    # What came, or was decided, between the reckoning and here is not what was agreed to: the
    # rows are those of which that is said.
    gather(connection, scope)
    again = settlement_of(
        gathered(connection, CdrSide.SENT),
        gathered(connection, CdrSide.RECEIVED),
        settlement.terms,
    )
    if again != settlement:
        raise ChangedSettlementError(_key(scope))
    excluded = [(each.side, each.cdr_id) for each in settlement.excluded]
    settle_gathered(connection, agreed.number, excluded)
    entries = settlement_entries(
        agreed.number,
        settlement,
        posted_before(connection, agreed.number, scope.currency),
        country=agreed.country,
        booked_at=agreed.at,
        period=period,
    )
    store_entries(connection, entries)
    if also is not None:
        also(connection, agreed.number)
    append_decision(
        connection,
        DeskDecision.SETTLED,
        subject=agreed.number,
        revision=FIRST_REVISION,
        sha256=hash_decision(body),
    )


def _key(scope: SettlementScope) -> SettlementKey:
    return SettlementKey(
        legal_entity=scope.legal_entity,
        party=scope.party,
        month=scope.month,
        currency=scope.currency,
    )


def _check_over(scope: SettlementScope, at: datetime) -> None:
    if at < scope.ends_at:
        raise MonthNotOverError(scope.month, scope.ends_at)


def _check_plausible(key: SettlementKey, settlement: Settlement) -> None:
    if settlement.is_empty:
        raise NothingToSettleError(key)
    for side in (settlement.sent, settlement.received):
        if max(abs(side.net_minor), abs(side.gross_minor)) > _MINOR_MAX:
            raise ImplausibleSettlementError(key)
        if side.untaxable:
            raise UntaxedCountryError(key, side.untaxable)
