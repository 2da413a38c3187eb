"""Reckon a settlement: exact sums of CDRs, fees, one tax of the sum, and one amount due.

    CDRs of 10.004 and 5.001      -> cdrs 15.005, rounding 0.005, net 15.01
    their taxes 1.90 and 0.95     -> 2.85; 19 % of 15.01 are 2.85: no difference
    theirs for us come to 6.00    -> due 17.86 - 7.14 = 10.72

Between partners the sum of the CDRs' nets is what is agreed (OCPI says nothing about rounding);
the tax is the statement's, reckoned once for each rate on the net of that, and what it differs by
from the CDRs' own is a line with a name. Either side reckons the same from the same CDRs, with the
sign changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from hashlib import sha256
from typing import Final

import msgspec

from ledger.settlements.statement import (
    CdrSide,
    ExcludedCdr,
    LineCode,
    SettledCdr,
    SettledKind,
    Settlement,
    SettlementLine,
    SettlementSide,
    SettlementTax,
    SettlementTerms,
    VatRate,
)
from tariffs.currencies import currency_exponent
from tariffs.quantities import EXACT, Money, plain, round_money, round_ratio

_NOTHING: Final = Decimal(0)
UNKNOWN_COUNTRY: Final = "?"
_DIGEST_MODULUS: Final = 1 << 256


def settlement_of(
    sent: Iterable[SettledCdr], received: Iterable[SettledCdr], terms: SettlementTerms
) -> Settlement:
    """Return the settlement over the CDRs *sent* and *received*, each id once, in any order.

    No more is kept of them than their sums, what is disputed, and credits: they may be as many as
    they like.

    Raises:
        UnknownCurrencyError: If ISO 4217 has no such currency.
    """
    rates = _Rates(terms)
    ours = _Side(sent, rates)
    theirs = _Side(received, rates)
    delivered, obtained = ours.total(terms), theirs.total(terms)
    return Settlement(
        terms=terms,
        sent=delivered,
        received=obtained,
        due_minor=delivered.gross_minor - obtained.gross_minor,
        excluded=(*ours.excluded, *theirs.excluded),
    )


class _Sum:
    """A line while it is added up."""

    def __init__(self) -> None:
        self.count = 0
        self.energy_wh = self.net = self.tax = _NOTHING

    def add(self, cdr: SettledCdr) -> None:
        self.count += 1
        self.energy_wh = EXACT.add(self.energy_wh, cdr.energy_wh)
        self.net = EXACT.add(self.net, cdr.net)
        self.tax = EXACT.add(self.tax, cdr.tax or _NOTHING)

    def line(self, code: LineCode) -> SettlementLine:
        return _line(code, self.count, self.energy_wh, self.net, self.tax)


class _Rates:
    """Which rate a CDR has: that of its country, as it was when the charging ended."""

    def __init__(self, terms: SettlementTerms) -> None:
        self._of_all, self._is_by_country = terms.vat_percent, terms.is_by_country
        self.are_told = bool(terms.vat_rates)
        self._known: defaultdict[str, list[VatRate]] = defaultdict(list)
        for each in terms.vat_rates or ():
            self._known[each.country].append(each)

    def of(self, cdr: SettledCdr) -> tuple[str, Decimal | None]:
        """Return its country ("": all have the same) and its rate, None: it has none."""
        if not self.are_told:
            return "", self._of_all
        country = (cdr.country or UNKNOWN_COUNTRY) if self._is_by_country else ""
        found: Decimal | None = None
        # In the order of their beginnings; what ended before all of them has the first.
        for each in self._known.get(country, ()):
            if found is None or each.since is None or each.since <= cdr.ended_at:
                found = each.percent
        return country, found


class _Taxed:
    """What has one rate, while it is added up; `standing` CDRs cost a fee each."""

    def __init__(self) -> None:
        self.count = self.standing = 0
        self.net = self.tax = _NOTHING

    def add(self, cdr: SettledCdr) -> None:
        self.count += 1
        self.standing += -1 if cdr.takes_back else 1
        self.net = EXACT.add(self.net, cdr.net)
        self.tax = EXACT.add(self.tax, cdr.tax or _NOTHING)


class _Side:
    """What one side delivered, added up; `excluded` is what is not settled yet."""

    def __init__(self, cdrs: Iterable[SettledCdr], rates: _Rates) -> None:
        self._rates = rates
        self._taxed: defaultdict[tuple[str, Decimal | None], _Taxed] = defaultdict(_Taxed)
        self.excluded: list[ExcludedCdr] = []
        self._sums: defaultdict[LineCode, _Sum] = defaultdict(_Sum)
        self._earlier = self._untaxed = self._digest = 0
        disputed: dict[str, SettledCdr] = {}
        credits_: defaultdict[str, list[SettledCdr]] = defaultdict(list)
        for cdr in cdrs:
            if cdr.is_disputed:
                disputed[cdr.cdr_key] = cdr
            elif cdr.kind is SettledKind.CREDIT:
                credits_[(cdr.credits or "").casefold()].append(cdr)
            else:
                self._add(cdr)
        for key in sorted(credits_.keys() - disputed.keys()):
            self._add_all(credits_[key])
        for key in sorted(disputed):
            self._decide(disputed[key], credits_.get(key, ()))

    def total(self, terms: SettlementTerms) -> SettlementSide:
        """Return the lines and what they come to."""
        lines = [self._sums[each].line(each) for each in _OF_CDRS if each in self._sums]
        count = sum(each.count for each in lines)
        if terms.session_fee and any(each.standing for each in self._taxed.values()):
            lines.append(self._fees(terms))
        exact = _total(lines, "net")
        taxes = [self._tax(*rate, terms) for rate in sorted(self._taxed, key=_by_rate)]
        net_minor = sum(each.net_minor for each in taxes)
        rounding = EXACT.subtract(_major(net_minor, terms.currency), exact)
        if rounding:
            lines.append(_line(LineCode.ROUNDING, 0, _NOTHING, rounding, _NOTHING))
        owed_minor = sum(each.tax_minor for each in taxes)
        difference = EXACT.subtract(_major(owed_minor, terms.currency), _total(lines, "tax"))
        if difference:
            lines.append(_line(LineCode.TAX_DIFFERENCE, 0, _NOTHING, _NOTHING, difference))
        return SettlementSide(
            lines=tuple(lines),
            count=count,
            earlier=self._earlier,
            untaxed=self._untaxed,
            energy_wh=_total(lines, "energy_wh"),
            net_minor=net_minor,
            tax_minor=owed_minor,
            gross_minor=net_minor + owed_minor,
            digest=f"{self._digest:064x}",
            taxes=tuple(taxes) if self._rates.are_told else msgspec.UNSET,
        )

    def _decide(self, cdr: SettledCdr, credits_: Iterable[SettledCdr]) -> None:
        """Settle what is disputed with its credits where nothing is left of it; else none of it."""
        together = [cdr, *credits_]
        # To settle the credit alone would take back what was never paid.
        if len(together) > 1 and not _sum(each.net for each in together):
            self._add_all(together)
            return
        self.excluded.extend(
            ExcludedCdr(
                side=each.side,
                cdr_id=each.cdr_id,
                kind=each.kind,
                net=plain(each.net),
                energy_wh=plain(each.energy_wh),
            )
            for each in together
        )

    def _add_all(self, cdrs: Iterable[SettledCdr]) -> None:
        for cdr in cdrs:
            self._add(cdr)

    def _add(self, cdr: SettledCdr) -> None:
        if cdr.is_correction:
            code = LineCode.CORRECTIONS
        elif cdr.takes_back:
            code = LineCode.CREDITS
        else:
            code = LineCode.CDRS
        self._sums[code].add(cdr)
        self._taxed[self._rates.of(cdr)].add(cdr)
        self._earlier += cdr.is_earlier
        self._untaxed += cdr.tax is None
        # A sum of hashes is the same in any order.
        said = f"{cdr.cdr_key}\t{cdr.takes_back}\t{plain(cdr.energy_wh):f}\t{plain(cdr.net):f}"
        number = int.from_bytes(sha256(said.encode()).digest())
        self._digest = (self._digest + number) % _DIGEST_MODULUS

    def _fees(self, terms: SettlementTerms) -> SettlementLine:
        """Return the fees, each taxed as its CDR: what was taken back costs none."""
        count, net, tax = 0, _NOTHING, _NOTHING
        for (_, percent), taxed in self._taxed.items():
            fees = EXACT.multiply(terms.session_fee, Decimal(taxed.standing))
            count, net = count + taxed.standing, EXACT.add(net, fees)
            of_them = EXACT.multiply(fees, percent or _NOTHING).scaleb(-2, EXACT)
            tax = EXACT.add(tax, of_them)
        return _line(LineCode.FEES, count, _NOTHING, net, tax)

    def _tax(self, country: str, percent: Decimal | None, terms: SettlementTerms) -> SettlementTax:
        """Return what one rate comes to."""
        taxed = self._taxed[country, percent]
        fees = EXACT.multiply(terms.session_fee, Decimal(taxed.standing))
        net_minor = round_money(Money(EXACT.add(taxed.net, fees), terms.currency))
        return SettlementTax(
            country=country,
            percent=percent,
            count=taxed.count,
            net_minor=net_minor,
            tax_minor=tax_minor(net_minor, percent),
            cdr_tax=plain(taxed.tax),
        )


def _by_rate(rate: tuple[str, Decimal | None]) -> tuple[str, Decimal]:
    country, percent = rate
    return country, Decimal(-1) if percent is None else percent


_OF_CDRS: Final = (LineCode.CDRS, LineCode.CREDITS, LineCode.CORRECTIONS)


def minor_net(side: SettlementSide, code: LineCode, currency: str) -> int:
    """Return what the lines of *code* come to before taxes, in minor units."""
    exact = _sum(each.net for each in side.lines if each.code is code)
    return round_money(Money(exact, currency))


def side_of(settlement: Settlement, side: CdrSide) -> SettlementSide:
    """Return what one side delivered."""
    match side:
        case CdrSide.SENT:
            return settlement.sent
        case CdrSide.RECEIVED:
            return settlement.received


def tax_minor(net_minor: int, percent: Decimal | None) -> int:
    """Return the tax of *percent* on a net, in minor units; None: there is none."""
    if percent is None:
        return 0
    numerator, denominator = percent.as_integer_ratio()
    return round_ratio(net_minor * numerator, denominator * 100)


def _line(
    code: LineCode, count: int, energy_wh: Decimal, net: Decimal, tax: Decimal
) -> SettlementLine:
    return SettlementLine(
        code=code, count=count, energy_wh=plain(energy_wh), net=plain(net), tax=plain(tax)
    )


def _total(lines: Iterable[SettlementLine], name: str) -> Decimal:
    return _sum(getattr(each, name) for each in lines)


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    total = _NOTHING
    for each in amounts:
        total = EXACT.add(total, each)
    return plain(total)


def _major(minor: int, currency: str) -> Decimal:
    return Decimal(minor).scaleb(-currency_exponent(currency), EXACT)
