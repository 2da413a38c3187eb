"""Books of the depot with a partner in a real database, and a maker of CDRs that follows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, LiteralString

from msgspec.structs import replace
from psycopg import Connection

from ledger.books.following import Runner
from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import BEGINNING, Declarations, Kind
from ledger.declared.store import declare
from ledger.master_data.partners import Partner
from ledger.rating.decide import decide
from ledger.rating.decisions import CorrectionCause, SessionRated
from ledger.rating.reconciling.correcting import corrected
from ledger.sessions.session import ChargingSession
from roaming_ocpi.cdrs.made import MadeCdr
from roaming_ocpi.cdrs.maker import CdrMaker
from roaming_ocpi.cdrs.store import SELECT, made_of
from tests.depot import NOON, changes, keep_decisions, moment_of
from tests.roaming_ocpi.cdrs.rated_for_partner import PARTNER, roaming_depot

LATER = datetime(2026, 12, 1, tzinfo=UTC)
_ALL: LiteralString = f"{SELECT} ORDER BY party, number"
Clock = Callable[[], datetime]


def declare_depot(dsn: str, partner: Partner | None = PARTNER, party: str = "NL-TNM") -> None:
    """Declare the depot, our party, and a partner."""
    with connect(dsn) as connection:
        declare(connection, _with_party(changes()), by="test", at=NOON)
    if partner is not None:
        declare_partner(dsn, partner, party)


def _with_party(found: Sequence[Change]) -> list[Change]:
    changed = []
    for each in found:
        entity = each.entity
        if each.kind is Kind.LEGAL_ENTITY:
            entity = replace(entity, party="DE-HBC")  # type: ignore[type-var]
        changed.append(replace_change(each, entity))
    return changed


def replace_change(change: Change, entity: Any) -> Change:  # noqa: ANN401 - any that is declared
    """Return *change* with another entity."""
    return Change(kind=change.kind, key=change.key, entity=entity, valid_from=change.valid_from)


def declare_partner(dsn: str, partner: Partner, party: str = "NL-TNM") -> None:
    """Declare a partner of the depot."""
    change = Change(kind=Kind.PARTNER, key=party, entity=partner, valid_from=BEGINNING)
    with connect(dsn) as connection:
        declare(connection, [change], by="test", at=NOON)


def decide_all(dsn: str, *decisions: SessionRated) -> None:
    """Store decisions as the worker does."""
    with connect(dsn) as connection:
        keep_decisions(connection, decisions)


def rated_as(
    charging: ChargingSession, declarations: Declarations | None = None, *, position: int = 1
) -> SessionRated:
    """Return the first rating of a session."""
    moment = replace(moment_of(charging, hours=2), position=position)
    found = decide(charging, declarations or roaming_depot(), moment=moment)
    assert isinstance(found, SessionRated), found
    return found


def corrected_as(was: SessionRated, now: SessionRated, *, position: int = 50) -> SessionRated:
    """Return *now* as the next revision of *was*."""
    again = replace(now, revision=was.revision + 1, moment=replace(now.moment, position=position))
    return corrected(again, was, cause=CorrectionCause.LATE_FACT)


def follow(dsn: str, maker: CdrMaker | None = None) -> CdrMaker:
    """Let a maker follow the feed to its end."""
    maker = maker or CdrMaker(lambda: LATER)
    with Runner(dsn, [maker]) as runner:
        while runner.run_once():
            pass
    return maker


def all_made(dsn: str) -> list[MadeCdr]:
    """Return every CDR there is, by party and number."""
    with connect(dsn) as connection:
        return [made_of(row) for row in connection.execute(_ALL)]


def ask_books(dsn: str, query: LiteralString) -> list[tuple[Any, ...]]:
    """Return what a query finds."""
    with connect(dsn) as connection:
        return connection.execute(query).fetchall()


def in_transaction(dsn: str, work: Callable[[Connection[Any]], object]) -> object:
    """Return what *work* does in one transaction."""
    with connect(dsn) as connection, connection.transaction():
        return work(connection)
