"""Currencies and their minor units by ISO 4217 (not CLDR, which differs for 13 codes)."""

from __future__ import annotations

from typing import Final

from tariffs.errors import TariffError

_TWO: Final = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD "
    "CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL "
    "GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR "
    "LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD "
    "PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC "
    "SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR "
    "ZMW ZWG"
)
_NONE: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE: Final = "BHD IQD JOD KWD LYD OMR TND"
_FOUR: Final = "CLF UYW"

CURRENCY_EXPONENTS: Final[dict[str, int]] = (
    dict.fromkeys(_TWO.split(), 2)
    | dict.fromkeys(_NONE.split(), 0)
    | dict.fromkeys(_THREE.split(), 3)
    | dict.fromkeys(_FOUR.split(), 4)
)


def currency_exponent(currency: str) -> int:
    """Return how many decimals the minor unit of *currency* has (EUR 2, JPY 0, KWD 3).

    Raises:
        UnknownCurrencyError: If ISO 4217 has no such code.
    """
    exponent = CURRENCY_EXPONENTS.get(currency)
    if exponent is None:
        raise UnknownCurrencyError(currency)
    return exponent


class UnknownCurrencyError(TariffError):
    """A currency code that ISO 4217 does not know."""

    def __init__(self, currency: str) -> None:
        super().__init__(f"{currency!r} is not a currency of ISO 4217")
        self.currency = currency
