"""From a rated session to the CDR that its partner gets. Pure: no clock, no database.

What is owed is what was rated, with the partner's mark-up on top: 10.01 EUR and 5 % are 10.51, of
the exact price and rounded once. `Speaker` finds how to say it; what it refuses, nobody sends.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final, NamedTuple

from ledger.master_data.partners import Partner
from ledger.rating.decisions import RatedLine, SessionRated
from ledger.rating.english import ENGLISH
from roaming_ocpi.cdrs.made import CdrBody, CdrNote, CdrPlace, SaidBy
from roaming_ocpi.cdrs.saying import CdrCase, Speaker
from roaming_ocpi.cdrs.tariff_copies import factor_of
from roaming_ocpi.errors import RoamingError
from roaming_ocpi.wire.moments import to_millisecond
from tariffs.currencies import currency_exponent
from tariffs.kernel.compiled import Why
from tariffs.model.tariff import Dimension, Tariff
from tariffs.phrases.printable import printable
from tariffs.quantities import money_of_minor, round_ratio

REMARK_MAX: Final = 255
_CUT: Final = "..."
_REQUIRED: Final = ("address", "city", "country", "latitude", "longitude", "standard", "power_type")
_UNITS: Final = {
    Dimension.ENERGY: " kWh",
    Dimension.TIME: " h",
    Dimension.PARKING_TIME: " h",
    Dimension.RESERVATION_TIME: " h",
}
_AUTH_METHODS: Final = {None: "WHITELIST", "commanded": "COMMAND"}
# Where the partner was asked, whatever it answered.
_ASKED: Final = "AUTH_REQUEST"


class CdrTerms(NamedTuple):
    """What a CDR needs beside the rating; `tariff` is what `own_tariff` made for the partner."""

    tariff: Tariff
    partner: Partner
    our_party: str
    place: CdrPlace


class OwedByPartner(NamedTuple):
    """What a partner owes for a session, in minor units."""

    net_minor: int
    tax_minor: int


class MadeBody(NamedTuple):
    """A CDR before it is numbered and frozen."""

    body: CdrBody
    owed: OwedByPartner
    notes: tuple[CdrNote, ...]


class NoPeriodsError(RoamingError):
    """A session that was rated before its periods were kept with the rating."""

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"session {session_id} was rated without its charging periods; price it again: "
            f"`wattledger sessions correct {session_id} --reason ... --by ...`"
        )


def owed_by(rated: SessionRated, partner: Partner) -> OwedByPartner:
    """Return what *partner* owes for *rated*: the price, its mark-up on top."""
    if not partner.mark_up_percent:
        return OwedByPartner(rated.net_minor, rated.tax_minor)
    factor = Fraction(factor_of(partner.mark_up_percent))
    scale = 10 ** currency_exponent(rated.currency)
    net = sum((Fraction(line.net) for line in rated.lines), Fraction(0)) * factor * scale
    tax = sum((Fraction(line.tax) for line in rated.lines), Fraction(0)) * factor * scale
    net_minor = round_ratio(net.numerator, net.denominator)
    gross = net + tax
    return OwedByPartner(net_minor, round_ratio(gross.numerator, gross.denominator) - net_minor)


def make_body(rated: SessionRated, terms: CdrTerms, speaker: Speaker) -> MadeBody:
    """Return the CDR of *rated* for the partner that owes it.

    Raises:
        NoPeriodsError: If the rating has no charging periods.
        UnsayableCdrError: If no version of OCPI can say it so that it comes to its total.
        TariffError: If the tariff cannot be told at all.
    """
    share, partner = rated.partner_share, terms.partner
    if share is None:
        raise NoPeriodsError(rated.session_id)
    owed = owed_by(rated, partner)
    starts_at, ends_at = to_millisecond(rated.started_at), to_millisecond(rated.ended_at)
    mark_up = partner.mark_up_percent
    said = speaker.say(
        CdrCase(
            starts_at=starts_at,
            ends_at=ends_at,
            time_zone=rated.time_zone,
            currency=rated.currency,
            cuts=share.periods,
            lines=rated.lines,
            tariff=terms.tariff,
            tariff_key=(rated.tariff_hash, terms.our_party, mark_up),
            mark_up=mark_up,
            net_minor=owed.net_minor,
            tax_minor=owed.tax_minor,
        )
    )
    is_told_in_words = any(form.said_by is not SaidBy.TARIFF for form in said.forms)
    authorization = share.authorization
    body = CdrBody(
        session_id=rated.session_id,
        starts_at=starts_at,
        ends_at=ends_at,
        our_party=terms.our_party,
        currency=rated.currency,
        place=terms.place,
        forms=said.forms,
        versions=said.versions,
        token=rated.token_uid,
        contract=rated.payer.contract,
        auth_method=_AUTH_METHODS.get(authorization.asked if authorization else None, _ASKED),
        authorization_reference=rated.payer.reference,
        signed=share.signed,
        remark=remark_of(rated) if is_told_in_words else None,
        old_corrections=partner.old_corrections,
    )
    return MadeBody(body, owed, (*said.notes, *_own_notes(rated, terms, owed)))


def remark_of(rated: SessionRated) -> str:
    """Return the lines of *rated* in words, as many as OCPI's remark has room for."""
    words = printable("; ".join(_words(line, rated.currency) for line in rated.lines))
    return words if len(words) <= REMARK_MAX else words[: REMARK_MAX - len(_CUT)] + _CUT


def _words(line: RatedLine, currency: str) -> str:
    net = money_of_minor(line.net_minor, currency).amount
    is_price = line.component.split("/")[2] == Why.PRICED
    if is_price and line.dimension is Dimension.FLAT:
        return f"fee {net:f}"
    if is_price:
        volume = f"{line.billed_volume:f}{_UNITS.get(line.dimension, '')}"
        return f"{volume} x {line.unit_price:f} = {net:f}"
    why = ENGLISH.joined(line.reasons, line.context(currency))
    return f"{why} {net:f}" if net else why


def _own_notes(rated: SessionRated, terms: CdrTerms, owed: OwedByPartner) -> Iterator[CdrNote]:
    """Yield what the partner manager should know beside how it is said."""
    if mark_up := terms.partner.mark_up_percent:
        more = money_of_minor(owed.net_minor - rated.net_minor, rated.currency)
        message = f"{mark_up:f} % are on top of our price, {more} before taxes"
        yield CdrNote(code="mark_up", message=message)
    place = terms.place
    missing = [name for name in _REQUIRED if getattr(place, name) is None]
    if missing:
        message = f"site or connector lacks {', '.join(missing)}, which OCPI requires: declare it"
        yield CdrNote(code="place_incomplete", message=message)
    if rated.is_given_back:
        yield CdrNote(code="given_back", message="nothing of it is owed any more")
