"""What the desk of settlements refuses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from ledger.errors import LedgerError
from ledger.settlements.record import SettlementKey


class UndeclaredPartnerError(LedgerError):
    """No partner of that party was declared."""

    def __init__(self, party: str) -> None:
        super().__init__(
            f"there is no partner {party[:20]!a}: `wattledger apply` declares partners, each under "
            'its party, as "NL-TNM"'
        )
        self.party = party


class MonthNotOverError(LedgerError):
    """A month is settled once it is over."""

    def __init__(self, month: str, ends_at: datetime) -> None:
        super().__init__(f"{month} is not over before {ends_at:%Y-%m-%d %H:%M %Z}: look, and wait")
        self.month, self.ends_at = month, ends_at


class NothingToSettleError(LedgerError):
    """There is nothing to agree to."""

    def __init__(self, key: SettlementKey) -> None:
        super().__init__(
            f"there is nothing to settle for {key}: no CDR, or each of them is disputed"
        )
        self.key = key


class ImplausibleSettlementError(LedgerError):
    """A settlement comes to more than can be booked."""

    def __init__(self, key: SettlementKey) -> None:
        super().__init__(
            f"the settlement of {key} comes to more than anybody owes: have the CDR that says so "
            "disputed (`wattledger cdr list`)"
        )
        self.key = key


class UntaxedCountryError(LedgerError):
    """Nobody declared the VAT of where CDRs were charged."""

    def __init__(self, key: SettlementKey, untaxable: Mapping[str, int]) -> None:
        told = ", ".join(f"{country} ({count} CDRs)" for country, count in untaxable.items())
        super().__init__(
            f"the settlement of {key} has no VAT for {told}: declare it with the partner "
            "(vat_by_country), or dispute CDRs that do not say where they are from (?)"
        )
        self.key, self.untaxable = key, untaxable


class ReasonlessDisputeError(LedgerError):
    """Who disputes says why."""

    def __init__(self, party: str) -> None:
        super().__init__(f"say why {party}'s settlement, or CDR, is disputed (--reason)")
        self.party = party
