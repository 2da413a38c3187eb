"""What the edge must know about stations and tokens; deploy implements it over declarations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal, NamedTuple, Protocol

from ingest.prices.credit import Credit
from ledger.declared.declarations import TariffInForce
from ledger.declared.identities import canonical
from ledger.facts.token_uid import NO_HABITS, TokenHabits
from ledger.log.authorization import Authorization
from ledger.master_data.hours import WeeklyHours, closes_at
from ledger.master_data.policies import Policy
from ledger.partners.asking import Asking


class AuthorizationStatus(StrEnum):
    """What a station may do for a token, in OCPP's words; 1.6 has not the last three."""

    ACCEPTED = "Accepted"
    BLOCKED = "Blocked"
    EXPIRED = "Expired"
    INVALID = "Invalid"
    NOT_HERE = "NotAtThisLocation"
    NOT_NOW = "NotAtThisTime"
    NO_CREDIT = "NoCredit"


class Purpose(StrEnum):
    """What a token is shown for. Who stops a session may do so wherever and whenever it runs."""

    ASK = "ask"
    START = "start"
    STOP = "stop"


RECORDED_AS: Final[
    Mapping[
        AuthorizationStatus,
        Literal["accepted", "blocked", "expired", "invalid", "elsewhere", "untimely", "no_credit"],
    ]
] = {
    AuthorizationStatus.ACCEPTED: "accepted",
    AuthorizationStatus.BLOCKED: "blocked",
    AuthorizationStatus.EXPIRED: "expired",
    AuthorizationStatus.INVALID: "invalid",
    AuthorizationStatus.NOT_HERE: "elsewhere",
    AuthorizationStatus.NOT_NOW: "untimely",
    AuthorizationStatus.NO_CREDIT: "no_credit",
}
"""The ledger's words for what a station is told in its protocol's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StationAccess:
    """Who may connect as a station.

    `station_id` is the identity as declared; the log and all books use it, however the station
    spells it in its URL. `password_hashes` are of `ledger.declared.passwords`; while a password is
    being changed there are two. `token_habits` are what the model makes of tokens; `time_zone` is
    the site's. `power_w` is declared of each plug, `evse_power_w` of those of an EVSE.
    """

    station_id: str
    password_hashes: tuple[str, ...]
    token_habits: TokenHabits = NO_HABITS
    site: str = ""
    time_zone: str = "UTC"
    power_w: Decimal | None = None
    evse_power_w: Mapping[int, Decimal] = field(default_factory=dict)


class Showing(NamedTuple):
    """Where, when and for what a token is shown; in which transaction, where that has an id."""

    station: StationAccess
    at: datetime
    purpose: Purpose = Purpose.ASK
    transaction_ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAccess:
    """What is known about a token; `group` is the uid of its parent token, as it is spelt.

    `by` says who knows it: a declaration, a visit (`reference`: its number), or a `party` that told
    us of its tokens, with the sealed `contract`. `is_unasked`: that party wants to be asked of it
    each time, which nobody did.
    `sites` and `hours` are where and when it may charge, all if none is named. `asked` and
    `reference`: what came of asking its party. `remembered_until`: no station may know it longer.
    `credit`: what is left to who pays for it in advance, where that was asked.
    """

    status: AuthorizationStatus
    expires_at: datetime | None = None
    group: str | None = None
    by: Literal["declared", "partner", "visit"] = "declared"
    party: str | None = None
    contract: str | None = None
    is_unasked: bool = False
    sites: tuple[str, ...] = ()
    hours: tuple[WeeklyHours, ...] = ()
    is_master_pass: bool = False
    asked: Asking | None = None
    reference: str | None = None
    remembered_until: datetime | None = None
    credit: Credit | None = None

    def status_at(self, moment: datetime, showing: Showing | None = None) -> AuthorizationStatus:
        """Return the status at *moment*: an accepted token expires.

        With *showing* it also counts where and when it is shown, and for what.
        """
        if self.status is not AuthorizationStatus.ACCEPTED:
            return self.status
        if self.expires_at is not None and self.expires_at <= moment:
            return AuthorizationStatus.EXPIRED
        if showing is None or showing.purpose is Purpose.STOP:
            return AuthorizationStatus.ACCEPTED
        return self._limited(showing)

    def _limited(self, showing: Showing) -> AuthorizationStatus:
        """Return the status of an accepted token that is shown to start, or to ask."""
        if self.is_master_pass:
            is_start = showing.purpose is Purpose.START
            return AuthorizationStatus.BLOCKED if is_start else AuthorizationStatus.ACCEPTED
        if self.sites and showing.station.site not in self.sites:
            return AuthorizationStatus.NOT_HERE
        if self.hours and closes_at(self.hours, showing.at, showing.station.time_zone) is None:
            return AuthorizationStatus.NOT_NOW
        has_credit = self.credit is None or self.credit.is_enough
        return AuthorizationStatus.ACCEPTED if has_credit else AuthorizationStatus.NO_CREDIT

    def holds_until(self, showing: Showing) -> datetime | None:
        """Return until when a station may remember what it is told; None: for as long as it does.

        That is when the token expires, or the hours end in which it may charge, or its partner is
        to be asked again.
        """
        closing = None
        if self.hours and not self.is_master_pass:
            closing = closes_at(self.hours, showing.at, showing.station.time_zone)
        ends = self.expires_at, closing, self.remembered_until
        return min(filter(None, ends), default=None)

    def authorization(
        self, subject_id: str, moment: datetime, showing: Showing | None = None
    ) -> Authorization:
        """Return what the log keeps of the token whose subject this is, asked at *moment*."""
        return Authorization(
            subject=subject_id,
            by=self.by,
            status="unasked" if self.is_unasked else RECORDED_AS[self.status_at(moment, showing)],
            until=self.expires_at,
            party=self.party,
            contract=self.contract,
            asked=self.asked,
            reference=self.reference,
            credit="unknown" if self.credit and self.credit.left is None else None,
        )


class PriceTerms(NamedTuple):
    """How a station is told what its sessions cost; `every_seconds` None: not while they charge.

    `is_telling` False: never. `in_messages`: its model knows prices in messages of a vendor.
    `on_display`: while they charge also as a message for its display. `is_limited`: some of its
    sessions may go only so far. `has_funds`: some, here or elsewhere, may cost only what is left.
    """

    is_telling: bool = False
    every_seconds: float | None = None
    in_messages: bool = False
    on_display: bool = False
    is_limited: bool = False
    has_funds: bool = False


NO_PRICES: Final = PriceTerms()


class StationDirectory(Protocol):
    """Master data as the edge asks for it, always in its latest version."""

    async def station(self, identity: str) -> StationAccess | None:
        """Return who may connect as *identity* (canonical), or None."""

    async def token(self, subject_id: str, showing: Showing | None = None) -> TokenAccess | None:
        """Return what is declared about the token whose subject this is, or its partner told us.

        With *showing* its partner may be asked, unless it is shown to stop.
        """

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

    async def is_funded(
        self, station_id: str, transaction_ref: str, subject_id: str | None = None
    ) -> bool:
        """Say whether the payer of a session that goes on may have only so much for it.

        *subject_id* is its token's, where that is known: then the books are not asked whose it is.
        """


async def power_at(directory: StationDirectory, station: StationAccess, evse_id: int) -> Decimal:
    """Return what a plug of an EVSE can bring, in watts, as it is declared now."""
    now = await directory.station(canonical(station.station_id)) or station
    declared = now.evse_power_w.get(evse_id, now.power_w)
    if declared is not None:
        return declared
    return Decimal((await directory.policy_in_force()).undeclared_power_w)
