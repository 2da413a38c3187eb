"""What an invoice says, in English: the one place of its sentences."""

from __future__ import annotations

from typing import Final

from ledger.rating import english

SENTENCES: Final = {
    "buyer_owes_vat": "Reverse charge: the buyer, VAT id {vat_id}, owes the VAT.",
    "rounding": "Rounding",
    "rounded_once": "the tax of each rate is rounded once, on the invoice's sum",
    "bearer": "Bearer of token {token}",
    "fee": "{dimension:word fee}{name:? (*)}",
    "adjusted_fee": "{dimension:word fee}: {label:label}",
}
WORDS: Final = {
    "fee.FLAT": "Session fee",
    "fee.ENERGY": "Energy",
    "fee.TIME": "Charging time",
    "fee.PARKING_TIME": "Parking time",
    "fee.RESERVATION_TIME": "Reservation time",
    "fee.SESSION": "Price limit",
}
ENGLISH: Final = english.ENGLISH.extended(SENTENCES | WORDS)
