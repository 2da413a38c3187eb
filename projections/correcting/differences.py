"""Rated sessions priced again, as a person's correction would price them: nothing is decided.

Station after station, by the facts that are known now and the master data as it is declared now.
What a session found used of shared grants stands, as in the correction itself
(`ledger.rating.reconciling.correcting`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString, NamedTuple

import msgspec
from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.rating.allowances import ReadAllowances
from ledger.rating.decide import release
from ledger.rating.decisions import SessionHeld, SessionRated
from ledger.rating.entitlements import Entitlements
from ledger.rating.reconciling.correcting import is_billed_otherwise
from ledger.rating.stored import unpack_decision
from ledger.sessions.session import ChargingSession
from projections.stations.history import station_history
from tariffs.phrases.phrase import Phrase

_SELECTED: LiteralString = """
FROM final_decision AS decision JOIN session USING (session_id)
WHERE decision.kind IN ('rated', 'released', 'corrected')
AND started_at >= %(since)s AND started_at < %(until)s
AND (%(station)s::text IS NULL OR decision.station_id = %(station)s)
"""
_STATIONS: LiteralString = (
    "SELECT decision.station_id, count(*)"
    + _SELECTED
    + " GROUP BY decision.station_id ORDER BY decision.station_id"
)
_RATINGS: LiteralString = (
    "SELECT body, validations" + _SELECTED + " ORDER BY started_at, decision.session_id"
)


class RatedSelection(msgspec.Struct, frozen=True, kw_only=True):
    """Which rated sessions: those that began in [since, until), and of each that is given."""

    since: datetime
    until: datetime
    station: str | None = None
    site: str | None = None
    tariff: str | None = None
    customer: str | None = None

    def has(self, rated: SessionRated) -> bool:
        """Whether a rating of its time and station is selected."""
        wanted = {
            rated.site_id: self.site,
            rated.tariff_id: self.tariff,
            rated.payer.customer: self.customer,
        }
        return all(each is None or each == is_ for is_, each in wanted.items())


class BilledOtherwise(NamedTuple):
    """A session that would be billed otherwise; `now` None: `reasons` say why it has no price."""

    was: SessionRated
    now: SessionRated | None
    reasons: tuple[Phrase, ...] = ()


class CustomerDifference(msgspec.Struct, frozen=True, kw_only=True):
    """What corrections move of one payer's bills; amounts with taxes, in minor units."""

    payer: str
    currency: str
    sessions: int
    was_minor: int
    now_minor: int

    @property
    def difference_minor(self) -> int:
        """Return what is owed more, or less."""
        return self.now_minor - self.was_minor


def selected_stations(connection: Connection[Any], selection: RatedSelection) -> Mapping[str, int]:
    """Return how many sessions of each station are looked at."""
    return dict(connection.execute(_STATIONS, msgspec.structs.asdict(selection)).fetchall())


def differences(
    connection: Connection[Any],
    declarations: Declarations,
    selection: RatedSelection,
    station_id: str,
) -> Iterator[BilledOtherwise]:
    """Yield the selected sessions of a station that would be billed otherwise now."""
    given = msgspec.structs.asdict(selection) | {"station": station_id}
    rated: list[tuple[SessionRated, Sequence[str]]] = []
    for body, validations in connection.execute(_RATINGS, given):
        decision = unpack_decision(body)
        assert isinstance(decision, SessionRated)
        # Who took a release back has not said that it is billed after all.
        if selection.has(decision) and decision.not_billed is None:
            rated.append((decision, validations))
    if not rated:
        return
    sessions = station_history(connection, declarations, station_id).sessions
    for was, validations in rated:
        session = _session_of(was, sessions)
        if session is None:
            continue  # late facts gave its frames to another: no correction knows it
        found = Entitlements(
            validations=tuple(validations),
            allowances=ReadAllowances(connection),
            corrects=was,
        )
        now = release(
            session,
            declarations,
            moment=was.moment,  # of no record: nothing is decided
            by="",
            reason="",
            entitlements=found,
            revision=was.revision + 1,
        )
        if isinstance(now, SessionHeld):
            yield BilledOtherwise(was, None, now.reasons)
        elif is_billed_otherwise(now, was):
            yield BilledOtherwise(was, now)


def _session_of(
    was: SessionRated, sessions: Mapping[str, ChargingSession]
) -> ChargingSession | None:
    """Return the session that was rated, also under the id that a moved start gave it."""
    found = sessions.get(was.session_id)
    if found is not None:
        return found
    prefix = was.session_id.rpartition("/")[0]
    moved = [
        session
        for session_id, session in sessions.items()
        if session_id.rpartition("/")[0] == prefix and session.ended_at == was.ended_at
    ]
    if len(moved) != 1:
        return None
    return msgspec.structs.replace(moved[0], session_id=was.session_id)


class PayerTotals:
    """What corrections move of each payer's bills: sums alone, however many sessions there are."""

    def __init__(self) -> None:
        self._sums: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])

    def add(self, was: SessionRated, now: SessionRated) -> None:
        """Count a session. Who owed it is credited, who owes it is billed: perhaps another."""
        owed = self._sums[was.payer.party, was.currency]
        owed[0] += 1
        owed[1] += was.gross_minor
        owes = self._sums[now.payer.party, now.currency]
        owes[0] += 0 if owes is owed else 1
        owes[2] += now.gross_minor

    def rows(self) -> list[CustomerDifference]:
        """Return each payer's, the largest differences first."""
        found = [
            CustomerDifference(
                payer=payer, currency=currency, sessions=count, was_minor=before, now_minor=after
            )
            for (payer, currency), (count, before, after) in self._sums.items()
        ]
        return sorted(found, key=lambda row: (-abs(row.difference_minor), row.payer, row.currency))
