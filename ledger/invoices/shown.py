"""An invoice as people read it: the document with the lines of the ratings it names, in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec.structs import replace

from ledger.books.document_taxes import line_tax
from ledger.errors import LedgerError
from ledger.facts.flags import Flag
from ledger.invoices.document import (
    BilledSession,
    BuyerReferences,
    CreditedInvoice,
    InvoiceDocument,
    Party,
    SellerDetails,
    TaxTotal,
    VatTotal,
    charged_by,
)
from ledger.invoices.english import ENGLISH
from ledger.invoices.order import CreditedPart
from ledger.master_data.customers import PersonDetails
from ledger.partners.elsewhere import ChargedElsewhere
from ledger.rating.decisions import RatedLine, SessionRated, encode_decision, hash_decision
from ledger.rating.english import line_label, line_words
from tariffs.model.tariff import Dimension
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.quantities import money_of_minor
from tariffs.taxes.names import tax_name

UNITS: Final = {
    Dimension.FLAT: "session",
    Dimension.ENERGY: "kWh",
    Dimension.TIME: "h",
    Dimension.PARKING_TIME: "h",
    Dimension.RESERVATION_TIME: "h",
    Dimension.SESSION: "session",
}


class InvoiceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line; `rated_line` is its number in the session's rating, times are local to the site.

    The last line may be the invoice's own (`is_rounding`): no session is named, `rated_line` is 0.

    `quantity` is exact, `unit_price` before taxes, or with them where `tax_included`. `tax_name` is
    what the tax at `vat_percent` is called here. `codes` say what `reason` says, in no language.
    `credits_line`: of a credit note, which line of its invoice is owed no more. `said` is its
    description, `component` what it is about and `country` whose tax it bears, in no language.
    `reverse_charge`: the buyer owes its VAT.
    """

    line: int
    session_id: str
    revision: int
    rated_line: int
    description: str
    reason: str
    codes: tuple[Phrase, ...]
    starts_at: datetime
    ends_at: datetime
    quantity: Decimal
    unit: str
    unit_price: Decimal
    tax_included: bool
    vat_percent: Decimal | None
    net_minor: int
    vat_minor: int
    gross_minor: int
    tax_name: str
    said: Phrase
    component: str
    country: str
    reverse_charge: bool = False
    credits_line: int | None = None

    @property
    def is_rounding(self) -> bool:
        """Whether it is the line by which the lines add up to what the invoice rounded once."""
        return not self.session_id


class InvoicedSession(msgspec.Struct, frozen=True, kw_only=True):
    """One charging session on the invoice; `rating_sha256` names the decision behind its lines.

    `cost_centre` and `driver` (a subject id) are the customer's, as declared of its token.
    `gross_minor` is that of its lines here. `credited`: of a credit note, what is taken back, why.
    `elsewhere`: it was at a partner's station; what that one bills us is no reader's business.
    `is_attested`: a person of the seller's, not the station, said when it ended and what its
    register showed.
    """

    session_id: str
    revision: int
    station_id: str
    evse_id: int | None
    token_uid: str | None
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    energy_wh: Decimal
    meter_start_wh: Decimal | None
    meter_stop_wh: Decimal | None
    tariff_id: str
    tariff_hash: str
    rating_sha256: str
    gross_minor: int
    cost_centre: str | None
    driver: str | None
    credited: CreditedPart | None = None
    elsewhere: ChargedElsewhere | None = None
    is_attested: bool = False


class CostCentreTotal(msgspec.Struct, frozen=True, kw_only=True):
    """What the sessions of one cost centre come to; None: of those without one.

    These are sums of the sessions' lines: what the invoice rounds once, on its sum, is in none.
    """

    cost_centre: str | None
    sessions: int
    energy_wh: Decimal
    net_minor: int
    vat_minor: int
    gross_minor: int


class ShownInvoice(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice or credit note with everything that a reader is told, in whole minor units.

    The lines add up to `net_minor`, to `vat_minor`, and with their gross to `due_minor`.
    `cost_centres`: where any session has one, all of them, those without the last. `bearer`: the
    token of a buyer who is no customer, whom `buyer` names in English.
    """

    schema: int
    type_code: int
    number: str
    issued_on: date
    credits: CreditedInvoice | None
    month: str | None
    seller: Party
    buyer: Party
    currency: str
    currency_exponent: int
    sessions: tuple[InvoicedSession, ...]
    lines: tuple[InvoiceLine, ...]
    vat: tuple[VatTotal, ...]
    taxes: tuple[TaxTotal, ...]
    net_minor: int
    vat_minor: int
    gross_minor: int
    rounding_minor: int
    due_minor: int
    notes: tuple[str, ...]
    codes: tuple[Phrase, ...]
    due_on: date | None
    cost_centres: tuple[CostCentreTotal, ...]
    language: str
    seller_details: SellerDetails
    buyer_references: BuyerReferences
    bearer: str | None


def shown_invoice(
    document: InvoiceDocument,
    sessions: Sequence[SessionRated],
    details: Mapping[str, PersonDetails] = MappingProxyType({}),
) -> ShownInvoice:
    """Return *document* with the lines of *sessions*, the ratings that it names, in its order.

    *details* say who a buyer is; one who was erased stays a subject id.

    Raises:
        OtherRatingError: If one of them is not the rating that was invoiced.
    """
    for billed, session in zip(document.sessions, sessions, strict=True):
        if hash_decision(encode_decision(session)) != billed.rating_sha256:
            raise OtherRatingError(document.number, billed.session_id)
    return ShownInvoice(
        schema=document.schema,
        type_code=document.type_code,
        number=document.number,
        issued_on=document.issued_on,
        credits=document.credits,
        month=document.month,
        seller=document.seller,
        buyer=_buyer(document, details),
        currency=document.currency,
        currency_exponent=document.currency_exponent,
        sessions=tuple(map(_session, document.sessions, sessions)),
        lines=tuple(_lines(document, sessions)),
        vat=document.vat,
        taxes=document.taxes,
        net_minor=document.net_minor,
        vat_minor=document.vat_minor,
        gross_minor=document.gross_minor,
        rounding_minor=document.rounding_minor,
        due_minor=document.due_minor,
        notes=tuple(map(ENGLISH.words, document.notes)),
        codes=document.notes,
        due_on=document.due_on,
        cost_centres=_cost_centres(charged_by(document, sessions)),
        language=document.language or "en",
        seller_details=document.seller_details or SellerDetails(),
        buyer_references=document.buyer_references or BuyerReferences(),
        bearer=document.bearer if document.buyer is None else None,
    )


def _cost_centres(sessions: Sequence[SessionRated]) -> tuple[CostCentreTotal, ...]:
    by_centre: defaultdict[str | None, list[SessionRated]] = defaultdict(list)
    for session in sessions:
        by_centre[session.payer.cost_centre].append(session)
    if by_centre.keys() <= {None}:
        return ()
    return tuple(
        CostCentreTotal(
            cost_centre=centre,
            sessions=len(theirs),
            energy_wh=sum((each.energy_wh for each in theirs), Decimal(0)),
            net_minor=sum(each.net_minor for each in theirs),
            vat_minor=sum(each.tax_minor for each in theirs),
            gross_minor=sum(each.gross_minor for each in theirs),
        )
        for centre, theirs in sorted(by_centre.items(), key=lambda each: by_name(each[0]))
    )


def by_name(cost_centre: str | None) -> tuple[bool, str]:
    """Return the key by which cost centres are sorted: none comes last."""
    return cost_centre is None, cost_centre or ""


def _buyer(document: InvoiceDocument, details: Mapping[str, PersonDetails]) -> Party:
    buyer = document.buyer
    if buyer is not None:
        person = details.get(buyer.details or "")
        if person is None:
            return buyer
        return replace(buyer, name=person.name, address=person.address, email=person.email)
    return Party(name=ENGLISH.words(phrase("bearer", token=document.bearer)))


def _session(billed: BilledSession, session: SessionRated) -> InvoicedSession:
    local = session.local_zone
    return InvoicedSession(
        session_id=session.session_id,
        revision=session.revision,
        station_id=session.station_id,
        evse_id=session.evse_id,
        token_uid=session.token_uid,
        starts_at=session.started_at.astimezone(local),
        ends_at=session.ended_at.astimezone(local),
        time_zone=session.time_zone,
        energy_wh=session.energy_wh,
        meter_start_wh=session.meter_start_wh,
        meter_stop_wh=session.meter_stop_wh,
        tariff_id=session.tariff_id,
        tariff_hash=session.tariff_hash,
        rating_sha256=hash_decision(encode_decision(session)),
        gross_minor=billed.gross_minor,
        cost_centre=session.payer.cost_centre,
        driver=session.payer.driver,
        credited=billed.credited,
        elsewhere=session.elsewhere,
        is_attested=Flag.STOP_ATTESTED in session.flags,
    )


def _lines(document: InvoiceDocument, sessions: Sequence[SessionRated]) -> Iterator[InvoiceLine]:
    if not sessions:
        return
    rated: list[tuple[SessionRated, RatedLine]] = []
    credited: list[int | None] = []
    for billed, session in zip(document.sessions, sessions, strict=True):
        part = billed.credited
        shown = [line for line in session.lines if not part or line.line in part.rated_lines]
        rated += ((session, line) for line in shown)
        credited += part.invoice_lines if part else [None] * len(shown)
    for number, ((session, line), on_invoice) in enumerate(zip(rated, credited, strict=True), 1):
        yield _line(number, session, line, on_invoice)
    net = document.net_minor - sum(line.net_minor for _, line in rated)
    vat = document.vat_minor - sum(line.tax_minor for _, line in rated)
    if net or vat or document.rounding_minor:
        gross = net + vat + document.rounding_minor
        yield _rounding(len(rated) + 1, sessions[-1], net, vat, gross)


def _rounding(
    number: int, last: SessionRated, net_minor: int, vat_minor: int, gross_minor: int
) -> InvoiceLine:
    """Return what lies between sessions, each rounded for itself, and the invoice as a whole."""
    ends_at = last.ended_at.astimezone(last.local_zone)
    why = phrase("rounded_once")
    return InvoiceLine(
        line=number,
        session_id="",
        revision=0,
        rated_line=0,
        description=ENGLISH.words(phrase("rounding")),
        reason=ENGLISH.words(why),
        codes=(why,),
        starts_at=ends_at,
        ends_at=ends_at,
        quantity=Decimal(1),
        unit="invoice",
        unit_price=money_of_minor(net_minor, last.currency).amount,
        tax_included=False,
        vat_percent=None,
        net_minor=net_minor,
        vat_minor=vat_minor,
        gross_minor=gross_minor,
        tax_name=tax_name(last.country),
        said=phrase("rounding"),
        component="",
        country=last.country,
    )


def _line(
    number: int, session: SessionRated, rated: RatedLine, credits_line: int | None
) -> InvoiceLine:
    local, context = session.local_zone, rated.context(session.currency)
    said, tax = _said(rated, session.currency), line_tax(session, rated)
    return InvoiceLine(
        line=number,
        session_id=session.session_id,
        revision=session.revision,
        rated_line=rated.line,
        description=ENGLISH.words(said),
        reason=line_words(rated, session.currency),
        codes=tuple(ENGLISH.whole(each, context) for each in rated.reasons),
        starts_at=rated.starts_at.astimezone(local),
        ends_at=rated.ends_at.astimezone(local),
        quantity=rated.billed_volume,
        unit=UNITS[rated.dimension],
        unit_price=rated.unit_price,
        tax_included=session.tax_included,
        vat_percent=rated.tax_percent,
        net_minor=rated.net_minor,
        vat_minor=rated.tax_minor,
        gross_minor=rated.net_minor + rated.tax_minor,
        tax_name=tax.title,
        credits_line=credits_line,
        said=said,
        component=rated.component,
        country=session.country,
        reverse_charge=tax.reverse_charge,
    )


def _said(rated: RatedLine, currency: str) -> Phrase:
    """Return what a line is for; what lowered or raised a fee stands beside it, by its label."""
    dimension = rated.dimension.value
    if line_label(rated, currency) is None:
        return phrase("fee", dimension=dimension, name=rated.element_name or None)
    reason = ENGLISH.whole(rated.reasons[0], rated.context(currency))
    return phrase("adjusted_fee", dimension=dimension, label=reason)


class OtherRatingError(LedgerError):
    """A session's rating is not the one whose hash the invoice holds."""

    def __init__(self, number: str, session_id: str) -> None:
        super().__init__(
            f"invoice {number} was issued for another rating of {session_id} than is stored: "
            "run `wattledger replay --check`"
        )
        self.number, self.session_id = number, session_id
