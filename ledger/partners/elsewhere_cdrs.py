"""A partner's CDR as it stands in the log, read for the one who is charged for it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from ledger.errors import LedgerError
from ledger.log.envelope import ChargeOn, LogLine, PartnerMessage
from tariffs.cdr.cdr import Cdr
from tariffs.ocpi.cdr_reader import ocpi_cdr_of
from tariffs.ocpi.countries import two_letters
from tariffs.ocpi.documents import decode_json
from tariffs.ocpi.versions import version_of_cdr
from tariffs.phrases.phrase import bounded
from tariffs.quantities import EXACT

_ENERGY_SLACK_KWH: Final = Decimal("0.001")
"""By so much the periods and the total may differ: each is rounded."""
_PLACE_PARTS: Final = ("name", "address", "city")
_WH_PER_KWH: Final = 1000


class ElsewhereCdr(NamedTuple):
    """The CDR; in the partner's words, where it was; and in which country (two letters)."""

    cdr: Cdr
    place: str
    country: str | None

    @property
    def energy_wh(self) -> Decimal:
        """The energy of its periods, which is what is priced."""
        total = Decimal(0)
        for period in self.cdr.periods:
            total = EXACT.add(total, period.energy or Decimal(0))
        return EXACT.multiply(total, Decimal(_WH_PER_KWH))

    @property
    def is_energy_clear(self) -> bool:
        """Whether its total is what its periods add up to."""
        stated = self.cdr.stated.total_energy
        if stated is None:
            return True
        off = EXACT.subtract(EXACT.multiply(stated, Decimal(_WH_PER_KWH)), self.energy_wh)
        slack = _ENERGY_SLACK_KWH * max(1, len(self.cdr.periods)) * _WH_PER_KWH
        return abs(off) <= slack

    @property
    def net(self) -> Decimal | None:
        """What the partner bills for it before taxes; None: it states none."""
        total = self.cdr.stated.total_cost
        return None if total is None else total.before_taxes


class NoCdrThereError(LedgerError):
    """A line says that a CDR is charged on that does not stand where it says."""

    def __init__(self, asked: ChargeOn) -> None:
        where = f"line {asked.line} of record {asked.position}"
        super().__init__(f"{where} is no CDR of {asked.party}: nothing is charged on")


def read_elsewhere(asked: ChargeOn, line: LogLine | None) -> ElsewhereCdr:
    """Return the CDR that *asked* is about, from the *line* where it stands.

    Raises:
        NoCdrThereError: If the line is no CDR of that partner with that id.
        OcpiError: If it cannot be read.
        TariffError: If what it holds cannot be priced.
    """
    if not isinstance(line, PartnerMessage) or line.party != asked.party:
        raise NoCdrThereError(asked)
    head = decode_json(line.body.encode())
    if not isinstance(head, Mapping):
        raise NoCdrThereError(asked)
    cdr = ocpi_cdr_of(head, version=version_of_cdr(head)).cdr
    if cdr.id.casefold() != asked.cdr_id.casefold():
        raise NoCdrThereError(asked)
    location = _location(head)
    country = location.get("country")
    return ElsewhereCdr(
        cdr=cdr,
        place=_place(location),
        country=two_letters(country) if isinstance(country, str) else None,
    )


def _location(head: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return where it was. Source: OCPI 2.2.1, CdrLocation; 2.1.1 has a whole location."""
    for name in ("cdr_location", "location"):
        found = head.get(name)
        if isinstance(found, Mapping):
            return found
    return {}


def _place(location: Mapping[str, Any]) -> str:
    said = [location.get(name) for name in _PLACE_PARTS]
    parts = [" ".join(each.split()) for each in said if isinstance(each, str)]
    return bounded(", ".join(dict.fromkeys(part for part in parts if part)))
