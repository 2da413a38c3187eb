"""The record of one settlement: proposed, disputed, agreed, by whom; it then has its number."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid5

import msgspec
from eventsourcing.domain import Aggregate, event

from ledger.aggregates.namespace import NAMESPACE
from ledger.errors import LedgerError
from ledger.settlements.statement import Settlement
from tariffs.model.canonical import canonical_json


class SettlementState(StrEnum):
    """How far a settlement is; only what is AGREED is booked."""

    OPEN = "open"
    PROPOSED = "proposed"
    DISPUTED = "disputed"
    AGREED = "agreed"


class SettlementAct(StrEnum):
    """What people do with a settlement."""

    PROPOSE = "propose"
    DISPUTE = "dispute"
    AGREE = "agree"


SETTLEMENT_MOVES: Final[Mapping[tuple[SettlementState, SettlementAct], SettlementState]] = {
    (SettlementState.OPEN, SettlementAct.PROPOSE): SettlementState.PROPOSED,
    # What came since, or was decided, makes another one of it.
    (SettlementState.PROPOSED, SettlementAct.PROPOSE): SettlementState.PROPOSED,
    (SettlementState.PROPOSED, SettlementAct.DISPUTE): SettlementState.DISPUTED,
    (SettlementState.DISPUTED, SettlementAct.PROPOSE): SettlementState.PROPOSED,
    (SettlementState.PROPOSED, SettlementAct.AGREE): SettlementState.AGREED,
}
"""Every legal move. An agreed settlement stays: what comes later goes into the next month's."""


class SettlementKey(msgspec.Struct, frozen=True, kw_only=True):
    """Which settlement: with whom, of which legal entity of ours, month and currency."""

    legal_entity: str
    party: str
    month: str
    currency: str

    def __str__(self) -> str:
        return f"{self.party}, {self.month}, {self.legal_entity} in {self.currency}"


class PartnerSettlement(Aggregate):
    """The settlement of one month with one partner, in one currency.

    `text` is what was proposed last, as canonical JSON, `sha256` its hash. `moves` are what was
    done, in order: act, by whom, when, why.
    """

    @event("Begun")
    def __init__(self, *, legal_entity: str, party: str, month: str, currency: str) -> None:
        self.legal_entity, self.party = legal_entity, party
        self.month, self.currency = month, currency
        self.state = SettlementState.OPEN.value
        self.text = self.sha256 = self.number = ""
        self.moves: list[tuple[str, str, str, str]] = []

    @staticmethod
    def create_id(*, legal_entity: str, party: str, month: str, currency: str) -> UUID:
        """Return the id of a settlement."""
        return uuid5(NAMESPACE, f"settlement:{party}:{month}:{currency}:{legal_entity}")

    @property
    def key(self) -> SettlementKey:
        """Return which settlement it is."""
        return SettlementKey(
            legal_entity=self.legal_entity,
            party=self.party,
            month=self.month,
            currency=self.currency,
        )

    @property
    def settlement(self) -> Settlement:
        """Return what was proposed last."""
        return msgspec.json.decode(self.text, type=Settlement)

    def propose(self, settlement: Settlement, *, by: str, at: datetime) -> None:
        """Record what it is to be.

        Raises:
            IllegalSettlementMoveError: If it is agreed.
        """
        self.check(SettlementAct.PROPOSE)
        self._propose(text=canonical_json(settlement).decode(), by=by, at=at)

    def dispute(self, *, by: str, at: datetime, reason: str) -> None:
        """Record that the partner, or we, do not agree.

        Raises:
            IllegalSettlementMoveError: If nothing is proposed.
        """
        self.check(SettlementAct.DISPUTE)
        self._dispute(by=by, at=at, reason=reason)

    def agree(self, settlement: Settlement, *, number: str, by: str, at: datetime) -> None:
        """Record that both agreed to what was proposed, under its number.

        Raises:
            IllegalSettlementMoveError: If nothing is proposed.
            ChangedSettlementError: If *settlement*, as it is now, is not what was proposed.
        """
        self.check(SettlementAct.AGREE)
        if sha256(canonical_json(settlement)).hexdigest() != self.sha256:
            raise ChangedSettlementError(self.key)
        self._agree(number=number, by=by, at=at)

    def check(self, act: SettlementAct) -> None:
        """Say whether *act* is a legal move now.

        Raises:
            IllegalSettlementMoveError: If it is none.
        """
        if (SettlementState(self.state), act) not in SETTLEMENT_MOVES:
            raise IllegalSettlementMoveError(self.key, self.state, act)

    @event("Proposed")
    def _propose(self, text: str, by: str, at: datetime) -> None:
        self.text, self.sha256 = text, sha256(text.encode()).hexdigest()
        self._move(SettlementAct.PROPOSE, by, at, "")

    @event("Disputed")
    def _dispute(self, by: str, at: datetime, reason: str) -> None:
        self._move(SettlementAct.DISPUTE, by, at, reason)

    @event("Agreed")
    def _agree(self, number: str, by: str, at: datetime) -> None:
        self.number = number
        self._move(SettlementAct.AGREE, by, at, "")

    def _move(self, act: SettlementAct, by: str, at: datetime, reason: str) -> None:
        self.state = SETTLEMENT_MOVES[SettlementState(self.state), act].value
        self.moves.append((act.value, by, at.isoformat(), reason))


class IllegalSettlementMoveError(LedgerError):
    """A settlement in this state cannot be proposed, disputed or agreed."""

    def __init__(self, key: SettlementKey, state: str, act: SettlementAct) -> None:
        why = {
            SettlementState.OPEN.value: "nothing was proposed yet: propose it first (--propose)",
            SettlementState.AGREED.value: "it is agreed, and stays: what comes later goes into "
            "the next month's",
            SettlementState.DISPUTED.value: "it is disputed: propose it again once that is decided",
        }.get(state, f"it is {state}")
        super().__init__(f"cannot {act} the settlement of {key}: {why}")
        self.key, self.state, self.act = key, state, act


class ChangedSettlementError(LedgerError):
    """What there is to settle is not what was proposed."""

    def __init__(self, key: SettlementKey) -> None:
        super().__init__(
            f"the settlement of {key} has changed since it was proposed or looked at: CDRs came, "
            "or were decided about; look at it, propose it again, and agree to that"
        )
        self.key = key
