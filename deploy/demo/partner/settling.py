"""Settling the demo's month on both sides, as `wattledger partner settle` does."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime
from typing import Any, Final, NamedTuple

from psycopg import Connection

from deploy.demo.partner.instance import OURS, THEIRS
from deploy.errors import DeployError
from ledger.database import connect
from ledger.declared.store import load_declarations
from ledger.desk.settling.desk import SettlementDesk, SettlementStanding, settlement_desk
from ledger.settlements.candidates import SettlementScope
from ledger.settlements.statement import Settlement
from roaming_ocpi.settlement.invoices.records import publish_records

_BY: Final = {OURS: "mara", THEIRS: "amelie"}


class UnequalSettlementError(DeployError):
    """What both sides reckoned for a month is not the same, so nobody agrees."""

    def __init__(self, month: str, why: str) -> None:
        super().__init__(f"{month} cannot be settled between {OURS} and {THEIRS}: {why}")


class SettlingSide(NamedTuple):
    """Where one side settles: as which party, with whom, and what there is to settle."""

    party: str
    connection: Connection[Any]
    desk: SettlementDesk
    scope: SettlementScope

    def standing(self) -> SettlementStanding:
        """Return how it stands."""
        return self.desk.standing(self.scope)

    def propose(self, at: datetime) -> Settlement:
        """Propose what there is, and return it."""
        return self.desk.propose(self.scope, by=_BY[self.party], at=at).settlement

    def agree(self, at: datetime) -> None:
        """Agree to what was proposed, and let the other side know which CDRs it is about."""

        def publish(connection: Connection[Any], number: str) -> None:
            other = self.scope.party
            publish_records(connection, number, owner=self.party, partner=other, at=at)

        self.desk.agree(self.scope, by=_BY[self.party], at=at, also=publish)


def settle_month(cpo_dsn: str, emsp_dsn: str, month: str, *, at: datetime) -> None:
    """Let both sides propose *month*, compare, and agree.

    Raises:
        UnequalSettlementError: If they come to something else.
    """
    with ExitStack() as exits:
        ours, theirs = settling_sides(exits, cpo_dsn, emsp_dsn, month)
        sent, received = ours.propose(at), theirs.propose(at)
        if sent.due_minor != -received.due_minor or sent.sent.digest != received.received.digest:
            why = f"{sent.due_minor} and {-received.due_minor} minor units"
            raise UnequalSettlementError(month, why)
        ours.agree(at)
        theirs.agree(at)


def settling_sides(
    exits: ExitStack, cpo_dsn: str, emsp_dsn: str, month: str
) -> tuple[SettlingSide, SettlingSide]:
    """Open both sides' desks for *month*; *exits* close them.

    Raises:
        UnequalSettlementError: If one of them has nothing to settle, or in several currencies.
    """
    found = []
    for dsn, party, other in ((cpo_dsn, OURS, THEIRS), (emsp_dsn, THEIRS, OURS)):
        connection = exits.enter_context(connect(dsn))
        desk = exits.enter_context(settlement_desk(connection, load_declarations(connection)))
        scopes = desk.scopes(other, month)
        if len(scopes) != 1:
            raise UnequalSettlementError(month, f"{party} has {len(scopes)} settlements for it")
        found.append(SettlingSide(party, connection, desk, scopes[0]))
    ours, theirs = found
    return ours, theirs
