"""History to re-rate: sessions in columns with whose they are, where, and what was billed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec
import numpy as np

from tariffs.bulk.columns import ColumnWriter, Flags, Integers, SessionColumns
from tariffs.currencies import currency_exponent
from tariffs.errors import TariffError
from tariffs.model.usage import SessionUsage
from tariffs.quantities import Money, round_money

CHUNK_SESSIONS: Final = 65_536
# Beyond, an amount is a mistake; up to it, the sums of a chunk fit into 64 bits.
AMOUNT_MINOR_MAX: Final = 10**12


class PastSession(msgspec.Struct, frozen=True, kw_only=True):
    """One session of the past; `billed_*` is what it cost then, None if nobody says."""

    id: str
    usage: SessionUsage
    customer: str = ""
    site: str = ""
    station: str = ""
    billed_before_taxes: Decimal | None = None
    billed_after_taxes: Decimal | None = None


class Unread(msgspec.Struct, frozen=True, rename={"spot": "place"}):
    """A session that could not be read: where it stands, and why."""

    spot: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryChunk:
    """Some sessions in columns. `customer`, `site` and `station` count into the names.

    `station` None: nobody says at which stations they were.

    Billed amounts in minor units of `currency`, valid where `is_billed`. `unread` are sessions of
    the same stretch of the source that are not in the columns. `spots` say where each session
    stands; a columnar file has none, its ids are its places.
    """

    columns: SessionColumns
    ids: tuple[str, ...]
    customers: tuple[str, ...]
    customer: Integers
    sites: tuple[str, ...]
    site: Integers
    currency: str
    billed_before: Integers
    billed_after: Integers
    is_billed: Flags
    unread: tuple[Unread, ...] = ()
    spots: tuple[str, ...] = ()
    stations: tuple[str, ...] = ()
    station: Integers | None = None

    def left_out(self, row: int, why: str) -> Unread:
        """Return the session of *row* as one that is not priced."""
        spot, identity = self.spots[row] if self.spots else "", self.ids[row]
        return Unread(spot, f"{identity}: {why}") if spot else Unread(identity, why)

    def in_columns(self) -> Integers:
        """Return the rows that the columns say everything of."""
        return np.array([i for i in range(len(self.ids)) if i not in self.columns.whole], np.int64)

    def only(self, rows: Integers) -> HistoryChunk:
        """Return the sessions of *rows*."""
        return HistoryChunk(
            columns=self.columns.only(rows),
            ids=tuple(self.ids[row] for row in rows.tolist()),
            customers=self.customers,
            customer=self.customer[rows],
            sites=self.sites,
            site=self.site[rows],
            currency=self.currency,
            billed_before=self.billed_before[rows],
            billed_after=self.billed_after[rows],
            is_billed=self.is_billed[rows],
            stations=self.stations,
            station=None if self.station is None else self.station[rows],
        )


class HistoryWriter:
    """Collects past sessions into one chunk."""

    def __init__(self, currency: str) -> None:
        self._currency = currency
        self._writer = ColumnWriter()
        self._ids: list[str] = []
        self._spots: list[str] = []
        self._customers: dict[str, int] = {}
        self._customer: list[int] = []
        self._sites: dict[str, int] = {}
        self._site: list[int] = []
        self._stations: dict[str, int] = {}
        self._station: list[int] = []
        self._billed: list[tuple[int, int, bool]] = []
        self._unread: list[Unread] = []

    def __len__(self) -> int:
        return len(self._ids) + len(self._unread)

    def add(self, session: PastSession, spot: str) -> None:
        """Add *session*, or what is wrong with it."""
        try:
            billed = self._billed_minor(session)
            self._writer.add(session.usage)
        except TariffError as error:
            self.add_unread(Unread(spot, str(error)))
            return
        self._ids.append(session.id)
        self._spots.append("" if spot == session.id else spot)
        self._customer.append(self._customers.setdefault(session.customer, len(self._customers)))
        self._site.append(self._sites.setdefault(session.site, len(self._sites)))
        known = self._stations
        self._station.append(known.setdefault(session.station, len(known)))
        self._billed.append(billed)

    def add_unread(self, unread: Unread) -> None:
        """Note a session that could not be read."""
        self._unread.append(unread)

    def _billed_minor(self, session: PastSession) -> tuple[int, int, bool]:
        before, after = session.billed_before_taxes, session.billed_after_taxes
        if after is None:
            return 0, 0, False
        return self._minor(after if before is None else before), self._minor(after), True

    def _minor(self, amount: Decimal) -> int:
        if not amount.is_finite() or abs(amount) * 10 ** currency_exponent(self._currency) > (
            AMOUNT_MINOR_MAX
        ):
            raise BilledAmountError(amount)
        return round_money(Money(amount, self._currency))

    def chunk(self) -> HistoryChunk:
        """Return what was added."""
        billed = np.array(self._billed, dtype=np.int64).reshape(-1, 3)
        return HistoryChunk(
            columns=self._writer.columns(),
            ids=tuple(self._ids),
            customers=tuple(self._customers),
            customer=np.array(self._customer, dtype=np.int64),
            sites=tuple(self._sites),
            site=np.array(self._site, dtype=np.int64),
            currency=self._currency,
            billed_before=billed[:, 0].copy(),
            billed_after=billed[:, 1].copy(),
            is_billed=billed[:, 2] == 1,
            unread=tuple(self._unread),
            spots=tuple(self._spots),
            stations=tuple(self._stations),
            station=np.array(self._station, np.int64) if any(self._stations) else None,
        )


def chunks_of(
    sessions: Iterable[tuple[str, PastSession | Unread]],
    currency: str,
    size: int = CHUNK_SESSIONS,
) -> Iterator[HistoryChunk]:
    """Gather (spot, session) pairs into chunks of at most *size*."""
    writer = HistoryWriter(currency)
    for spot, session in sessions:
        match session:
            case PastSession():
                writer.add(session, spot)
            case Unread():
                writer.add_unread(session)
        if len(writer) >= size:
            yield writer.chunk()
            writer = HistoryWriter(currency)
    if len(writer):
        yield writer.chunk()


class BilledAmountError(TariffError):
    """An amount that nobody can have billed."""

    def __init__(self, amount: Decimal) -> None:
        super().__init__(f"the billed amount {amount} is no reasonable number")
        self.amount = amount
