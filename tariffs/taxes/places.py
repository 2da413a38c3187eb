"""VAT by place of supply: standard rates and whose debt the VAT is, as a table with its sources.

Charging a vehicle is the supply of goods (CJEU C-282/22, P. w W), taxed where the electricity is
used, which is where the station stands (Directive 2006/112/EC, art. 39), or, sold to a dealer in
electricity, where that one is established (art. 38). Nobody is billed by this table: a tariff says
its VAT itself. It is held against what a tariff says (`tariffs.lint.places`), and says in which
countries a seller's own country lets a dealer owe the VAT. What is not known here is not there:
reduced rates, which some countries have for electricity, and countries that are missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple


class StandardRate(NamedTuple):
    """What VAT is in percent if no law says otherwise, from `since` on."""

    percent: Decimal
    since: date


class VatPlace(NamedTuple):
    """A country: its standard rates, the newest last, and the `source` of them.

    `dealers_owe`: the law by which a dealer in electricity owes the VAT to a seller of the same
    country (in the Union: Directive 2006/112/EC, art. 199a (1) (e)); "": none is known here.
    """

    rates: tuple[StandardRate, ...]
    source: str
    dealers_owe: str = ""

    def rates_within(self, first: date, after: date | None) -> tuple[StandardRate, ...]:
        """Return the rates that hold on any day from *first* until before *after*."""
        found = []
        for number, rate in enumerate(self.rates):
            ends = self.rates[number + 1].since if number + 1 < len(self.rates) else None
            is_over = ends is not None and ends <= first
            if not is_over and (after is None or rate.since < after):
                found.append(rate)
        return tuple(found)


def _rates(*told: tuple[str, str]) -> tuple[StandardRate, ...]:
    return tuple(StandardRate(Decimal(percent), date.fromisoformat(day)) for percent, day in told)


_TEDB: Final = "European Commission, Taxes in Europe Database"
PLACES: Final[Mapping[str, VatPlace]] = {
    "AT": VatPlace(_rates(("20", "1984-01-01")), "UStG 1994 s. 10 (1)", "UStBBKV s. 2 no. 3"),
    "BE": VatPlace(_rates(("21", "1996-01-01")), "Royal decree no. 20 of 20 July 1970, art. 1"),
    "BG": VatPlace(_rates(("20", "1999-01-01")), _TEDB),
    "CH": VatPlace(_rates(("7.7", "2018-01-01"), ("8.1", "2024-01-01")), "MWSTG art. 25 (1)"),
    "CY": VatPlace(_rates(("19", "2014-01-13")), _TEDB),
    "CZ": VatPlace(_rates(("21", "2013-01-01")), "Act 235/2004 s. 47"),
    "DE": VatPlace(
        _rates(("19", "2007-01-01"), ("16", "2020-07-01"), ("19", "2021-01-01")),
        "UStG s. 12 (1), s. 28 (1)",
        "UStG s. 13b (2) no. 5 (b), (5) sentence 4",
    ),
    "DK": VatPlace(_rates(("25", "1992-01-01")), "Momsloven s. 33"),
    "EE": VatPlace(
        _rates(("20", "2009-07-01"), ("22", "2024-01-01"), ("24", "2025-07-01")),
        "Käibemaksuseadus s. 15 (1)",
    ),
    "ES": VatPlace(_rates(("21", "2012-09-01")), "Ley 37/1992 art. 90"),
    "FI": VatPlace(
        _rates(("24", "2013-01-01"), ("25.5", "2024-09-01")), "Arvonlisäverolaki 1501/1993 s. 84"
    ),
    "FR": VatPlace(_rates(("20", "2014-01-01")), "CGI art. 278", "CGI art. 283 (2 quinquies)"),
    "GB": VatPlace(
        _rates(("20", "2011-01-04")), "Value Added Tax Act 1994 s. 2 (1)", "SI 2014/1458"
    ),
    "GR": VatPlace(_rates(("24", "2016-06-01")), _TEDB),
    "HR": VatPlace(_rates(("25", "2012-03-01")), _TEDB),
    "HU": VatPlace(_rates(("27", "2012-01-01")), "Act CXXVII of 2007 s. 82"),
    "IE": VatPlace(
        _rates(("23", "2012-01-01"), ("21", "2020-09-01"), ("23", "2021-03-01")),
        "Value-Added Tax Consolidation Act 2010 s. 46 (1) (a)",
    ),
    "IT": VatPlace(
        _rates(("22", "2013-10-01")), "DPR 633/1972 art. 16", "DPR 633/1972 art. 17 (6) (d-quater)"
    ),
    "LT": VatPlace(_rates(("21", "2009-09-01")), _TEDB),
    "LU": VatPlace(_rates(("17", "2015-01-01"), ("16", "2023-01-01"), ("17", "2024-01-01")), _TEDB),
    "LV": VatPlace(_rates(("21", "2012-07-01")), _TEDB),
    "MT": VatPlace(_rates(("18", "2004-01-01")), _TEDB),
    "NL": VatPlace(_rates(("21", "2012-10-01")), "Wet op de omzetbelasting 1968 art. 9 (1)"),
    "NO": VatPlace(_rates(("25", "2005-01-01")), "Merverdiavgiftsloven s. 5-1"),
    "PL": VatPlace(_rates(("23", "2011-01-01")), _TEDB),
    "PT": VatPlace(_rates(("23", "2011-01-01")), "CIVA art. 18 (mainland)"),
    "RO": VatPlace(_rates(("19", "2017-01-01"), ("21", "2025-08-01")), _TEDB),
    "SE": VatPlace(_rates(("25", "1990-07-01")), _TEDB),
    "SI": VatPlace(_rates(("22", "2013-07-01")), _TEDB),
    "SK": VatPlace(_rates(("20", "2011-01-01"), ("23", "2025-01-01")), _TEDB),
}
"""By ISO 3166-1 alpha-2."""


def dealers_owe_vat(country: str) -> bool:
    """Whether a dealer in electricity owes the VAT where both are established in *country*."""
    place = PLACES.get(country.upper())
    return place is not None and place.dealers_owe != ""
