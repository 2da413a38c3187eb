"""Roaming partners: with whom we exchange locations, tokens, sessions and CDRs, on which terms."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from ledger.master_data.addresses import Address


class PartnerRole(StrEnum):
    """What a partner does. Source: OCPI 2.2.1, types, Role."""

    CPO = "cpo"
    """Has stations, at which our drivers charge."""
    EMSP = "emsp"
    """Has drivers, who charge at our stations."""
    HUB = "hub"
    """Passes on what others exchange."""


class SilentPartner(StrEnum):
    """What a driver gets whose partner wants to be asked, and does not answer in time."""

    REFUSE = "refuse"
    ACCEPT = "accept"


class OldCorrections(StrEnum):
    """How a CDR is corrected with a partner of OCPI 2.1.1, which has no credit CDRs."""

    STATEMENT = "statement"
    """On the next settlement, as a named line."""
    NEGATIVE_CDR = "negative_cdr"
    """By a CDR with negative amounts that refers to it in its remark, and a new one."""


class RealTime(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a partner is asked whether a token may charge (OCPI, tokens, real-time authorization).

    `list_max_age_h`: older than that, what the partner's list says of a token counts only while it
    is silent. `unknown_tokens`: it is asked also about tokens that nobody told us of, because it
    gives no list of its own.
    """

    timeout_ms: int = 3_000
    when_silent: SilentPartner = SilentPartner.REFUSE
    list_max_age_h: int = 24
    unknown_tokens: bool = False


class Partner(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A roaming partner; its key is its party, "NL-TNM" (`ledger.partners.party`).

    `legal_entity` is ours with which it has the contract, and the party that we are to it.
    `versions_url` is where its side of OCPI begins; None: it comes to us first. `versions`: those
    that may be spoken with it, none named: all of ours. `hub`: the party of the hub through which
    it is reached. `plain_token`: it sends tokens as they are where OCPI 2.2.1 wants Base64. Its
    drivers charge at `sites` alone (none named: at all). `mark_up_percent` comes on top of our
    price of a session; of a CPO, on what its CDR says when it is passed on to our customer.
    `retail_tariff`: our tariff by which our customers pay what they charged there; None: its CDR
    with the mark-up, and the VAT in percent that `passed_on_vat` has for the country where it was
    ({NL: 21}). `charges_flagged`: also what was flagged at its CDRs is charged on, without a person
    who accepts it first. `session_fee`: per CDR, in the currency of the settlement. `vat_percent`:
    of the settlement of services between the two; None: the buyer owes it (`vat_id`), we at
    `reverse_charge_percent` of what the partner delivers; None: that is not posted.
    `vat_by_country`: in its place where VAT is due where charging took place ({DE: 19, FR: 20}).
    `live_sessions`: it is told of its drivers' sessions while they last, at their start, their end
    and, where they change, every `session_every_s`.
    """

    name: str
    legal_entity: str
    roles: tuple[PartnerRole, ...]
    versions_url: str | None = None
    versions: tuple[str, ...] = ()
    hub: str | None = None
    plain_token: bool = False
    sites: tuple[str, ...] = ()
    mark_up_percent: Decimal = Decimal(0)
    retail_tariff: str | None = None
    passed_on_vat: dict[str, Decimal] = {}
    charges_flagged: bool = False
    session_fee: Decimal = Decimal(0)
    vat_percent: Decimal | None = None
    vat_by_country: dict[str, Decimal] = {}
    reverse_charge_percent: Decimal | None = None
    vat_id: str | None = None
    address: Address = Address()
    email: str | None = None
    language: str = "en"
    payment_days: int = 30
    real_time: RealTime = RealTime()
    old_corrections: OldCorrections = OldCorrections.STATEMENT
    live_sessions: bool = True
    session_every_s: int = 60
