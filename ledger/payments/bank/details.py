"""What a line says of persons: masked where it looks like a card's number, and sealed."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from ledger.payments.bank.files.statement import EntryPart
from tariffs.model.canonical import canonical_json

MASK: Final = "[card number]"
_CARD: Final = re.compile(r"(?<![0-9])[0-9](?:[ .-]?[0-9]){12,18}(?![0-9])", re.ASCII)
_TEN: Final = 10


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
    """Return what is kept of *part*: all of it, but numbers of cards."""
    return LineDetails(
        payer=masked(part.payer),
        payer_account=part.payer_account,
        texts=tuple(map(masked, part.texts)),
        references=tuple(map(masked, part.references)),
        bank_reference=bank_reference,
    )


def encoded(details: LineDetails) -> str:
    """Return *details* as they are sealed."""
    return canonical_json(details).decode()


def decoded_details(text: str) -> LineDetails:
    """Return what was sealed."""
    return msgspec.json.decode(text, type=LineDetails)


def masked(text: str) -> str:
    """Return *text* without what may be the number of a card (ISO/IEC 7812: 13 to 19 digits)."""
    return _CARD.sub(lambda found: MASK if _is_card(found[0]) else found[0], text)


def _is_card(text: str) -> bool:
    digits = [int(each) for each in text if each.isdigit()]
    doubled = (sum(divmod(2 * each, _TEN)) for each in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % _TEN == 0
