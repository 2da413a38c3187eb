"""Numbers of our documents, found in what payers write.

Sure is a number that stands there whole, between blanks or marks, in whatever case, or a creditor
reference with right check digits. What only looks like one is for a person to see.

    "Invoice WL-2026-000001, thanks"     sure
    "wl-2026-000001/WL-2026-000002"      sure, both
    "RF47 WL20 2600 0001"                sure
    "XWL-2026-0000015"                   nothing
    "WL 2O26 OOOOO1", "2026-000001"      alike
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from ledger.declared.declarations import Declarations, Kind
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.numbers import SeriesNumbers
from ledger.payments.bank.creditor_references import referred_to

_SETTLEMENTS: Final = SeriesNumbers(format="{prefix}-RS-{year}-{number:06}")
"""As `ledger.desk.settling` numbers what was agreed with partners."""
_NUMBER_DIGITS_MAX: Final = 12
_ALIKE_MAX: Final = 10
_ALIKE_DIGITS_MIN: Final = 6
_ALIKE: Final = str.maketrans("OQILZ|", "001121")
_WORD: Final = re.compile(r"RF[0-9]{2}[A-Z0-9]+", re.ASCII)


class _Form(NamedTuple):
    """One format of numbers: what it is made of, and how it is found."""

    pieces: tuple[str | int, ...]
    sure: re.Pattern[str]
    close: re.Pattern[str]
    alike: tuple[re.Pattern[str], ...]

    def number(self, found: re.Match[str]) -> str:
        """Return the number as it was given: its digits as found, its texts as declared."""
        digits = iter(found.groups())
        return "".join(each if isinstance(each, str) else next(digits) for each in self.pieces)


class DocumentNames:
    """How documents of a legal entity are and were numbered."""

    def __init__(self, declared: Declarations, legal_entity: str) -> None:
        """Take every format that was ever declared for *legal_entity*."""
        forms: dict[tuple[str | int, ...], _Form] = {}
        for row in declared.history(Kind.LEGAL_ENTITY, legal_entity):
            if isinstance(row.entity, LegalEntity):
                for pieces in _pieces(row.entity, legal_entity):
                    forms[pieces] = forms.get(pieces) or _form(pieces)
        self._forms = tuple(forms.values())

    def sure(self, texts: Iterable[str]) -> list[str]:
        """Return the numbers that surely stand in *texts*, each once."""
        found: dict[str, None] = {}
        for text in texts:
            for form in self._forms:
                found |= dict.fromkeys(map(form.number, form.sure.finditer(text)))
            for body in _referred(text):
                for form in self._forms:
                    if match := form.close.fullmatch(body):
                        found[form.number(match)] = None
        return list(found)

    def alike(self, texts: Iterable[str]) -> list[str]:
        """Return numbers that *texts* may mean: never sure, and at most ten."""
        written = _closed("".join(texts)).translate(_ALIKE)
        found: dict[str, None] = {}
        for form in self._forms:
            for pattern in form.alike:
                found |= dict.fromkeys(map(form.number, pattern.finditer(written)))
        return list(found)[:_ALIKE_MAX]


def _pieces(entity: LegalEntity, key: str) -> Iterator[tuple[str | int, ...]]:
    for series in (entity.numbers.invoices, entity.numbers.credit_notes, _SETTLEMENTS):
        yield series.pieces(prefix=entity.invoice_prefix, legal_entity=key)


def _form(pieces: tuple[str | int, ...]) -> _Form:
    whole = "".join(_sure(each) for each in pieces)
    closed = [_closed(each) if isinstance(each, str) else each for each in pieces]
    loose = [each.translate(_ALIKE) if isinstance(each, str) else abs(each) for each in closed]
    alike = [_joined(loose)]
    without = loose[1:] if isinstance(loose[0], str) else []
    if sum(each for each in without if isinstance(each, int)) >= _ALIKE_DIGITS_MIN:
        alike.append(_joined(without))
    return _Form(
        pieces=pieces,
        sure=re.compile(rf"(?<![A-Za-z0-9]){whole}(?![A-Za-z0-9])", re.ASCII | re.IGNORECASE),
        close=re.compile("".join(_sure(each) for each in closed), re.ASCII),
        alike=tuple(re.compile(each, re.ASCII) for each in alike),
    )


def _joined(pieces: list[str | int]) -> str:
    return "".join(re.escape(each) if isinstance(each, str) else f"([0-9]{{{each}}})"
                   for each in pieces)  # fmt: skip


def _sure(piece: str | int) -> str:
    if isinstance(piece, str):
        return re.escape(piece)
    most = piece if piece > 0 else _NUMBER_DIGITS_MAX
    return f"([0-9]{{{abs(piece)},{most}}})"


def _closed(text: str) -> str:
    return "".join(
        each for each in text.upper() if each.isascii() and (each.isalnum() or each == "|")
    )


def _referred(text: str) -> Iterator[str]:
    """Yield what creditor references in *text* refer to: it is one, or has one as a word."""
    if "RF" not in (upper := text.upper()):
        return
    whole = referred_to(upper)
    words = [whole] if whole else [referred_to(word) for word in _WORD.findall(upper)]
    yield from (body for body in words if body)
