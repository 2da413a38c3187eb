"""What a line says of persons: masked where it looks like a card's number, and sealed."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from ledger.payments.bank.files.statement import EntryPart
from ledger.persons.card_numbers import has_card_number, mask_card_numbers
from tariffs.model.canonical import canonical_json

_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{8,30}", re.ASCII)


class LineDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The other side of a line and what it wrote; as in `EntryPart`."""

    payer: str = ""
    payer_account: str = ""
    texts: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    bank_reference: str = ""

    def written(self) -> tuple[str, ...]:
        """Return all that may name a document."""
        return self.references + self.texts


def details_of(part: EntryPart, bank_reference: str) -> LineDetails:
    """Return what is kept of *part*: all of it, but numbers of cards.

    An account that is a card's is left out: masked, many people would have the same one.
    """
    account = part.payer_account.upper()
    is_card = not _IBAN.fullmatch(account) and has_card_number(account)
    return LineDetails(
        payer=mask_card_numbers(part.payer),
        payer_account="" if is_card else account,
        texts=tuple(map(mask_card_numbers, part.texts)),
        references=tuple(map(mask_card_numbers, part.references)),
        bank_reference=mask_card_numbers(bank_reference),
    )


def encoded(details: LineDetails) -> str:
    """Return *details* as they are sealed."""
    return canonical_json(details).decode()


def decoded_details(text: str) -> LineDetails:
    """Return what was sealed."""
    return msgspec.json.decode(text, type=LineDetails)
