"""What the edge must know about stations and tokens; deploy implements it over declarations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal, NamedTuple, Protocol

from ledger.declared.declarations import TariffInForce
from ledger.facts.token_uid import NO_HABITS, TokenHabits
from ledger.log.authorization import Authorization
from ledger.master_data.policies import Policy


class AuthorizationStatus(StrEnum):
    """What a station may do for a token. Both protocol versions use these words."""

    ACCEPTED = "Accepted"
    BLOCKED = "Blocked"
    EXPIRED = "Expired"
    INVALID = "Invalid"


RECORDED_AS: Final[
    Mapping[AuthorizationStatus, Literal["accepted", "blocked", "expired", "invalid"]]
] = {
    AuthorizationStatus.ACCEPTED: "accepted",
    AuthorizationStatus.BLOCKED: "blocked",
    AuthorizationStatus.EXPIRED: "expired",
    AuthorizationStatus.INVALID: "invalid",
}
"""The ledger's words for what a station is told in its protocol's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StationAccess:
    """Who may connect as a station.

    `station_id` is the identity as declared; the log and all books use it, however the station
    spells it in its URL. `password_hashes` are of `ledger.declared.passwords`; while a password is
    being changed there are two. `token_habits` are what the model makes of tokens.
    """

    station_id: str
    password_hashes: tuple[str, ...]
    token_habits: TokenHabits = NO_HABITS


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAccess:
    """What is known about a token; `group` is the uid of its parent token, as it is spelt.

    `by` says who knows it: a declaration, or a `party` that told us of its tokens, with the sealed
    `contract`. `is_unasked`: that party wants to be asked about it each time, which nobody did.
    """

    status: AuthorizationStatus
    expires_at: datetime | None = None
    group: str | None = None
    by: Literal["declared", "partner"] = "declared"
    party: str | None = None
    contract: str | None = None
    is_unasked: bool = False

    def status_at(self, moment: datetime) -> AuthorizationStatus:
        """Return the status at *moment*: an accepted token expires."""
        if self.status is not AuthorizationStatus.ACCEPTED:
            return self.status
        if self.expires_at is not None and self.expires_at <= moment:
            return AuthorizationStatus.EXPIRED
        return AuthorizationStatus.ACCEPTED

    def authorization(self, subject_id: str, moment: datetime) -> Authorization:
        """Return what the log keeps of the token whose subject this is, asked at *moment*."""
        return Authorization(
            subject=subject_id,
            by=self.by,
            status="unasked" if self.is_unasked else RECORDED_AS[self.status_at(moment)],
            until=self.expires_at,
            party=self.party,
            contract=self.contract,
        )


class PriceTerms(NamedTuple):
    """How a station is told what its sessions cost; `every_seconds` None: not while they charge.

    `is_telling` False: never. `in_messages`: its model knows prices in messages of a vendor.
    `on_display`: while they charge also as a message for its display.
    """

    is_telling: bool = False
    every_seconds: float | None = None
    in_messages: bool = False
    on_display: bool = False


NO_PRICES: Final = PriceTerms()


class StationDirectory(Protocol):
    """Master data as the edge asks for it, always in its latest version."""

    async def station(self, identity: str) -> StationAccess | None:
        """Return who may connect as *identity* (canonical), or None."""

    async def token(self, subject_id: str) -> TokenAccess | None:
        """Return what is declared about the token whose subject this is, or its partner told us."""

    async def unknown_token(
        self, station_id: str, subject_id: str, *, seen_at: datetime
    ) -> AuthorizationStatus:
        """Record that *station_id* showed a token that nobody declared; say the policy's answer."""

    async def price_terms(self, station_id: str) -> PriceTerms:
        """Return how a station is told what its sessions cost, as it is now."""

    async def tariff_in_force(
        self, station_id: str, subject_id: str | None, *, partner: str | None = None
    ) -> TariffInForce | None:
        """Return what prices a session that begins now: whoever's, or that of a token's subject.

        *partner* is whose token it is, if it is not declared.
        """

    async def policy_in_force(self) -> Policy:
        """Return the operator's policy."""
