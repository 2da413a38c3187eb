"""Documents of a small operator as their readers are shown them, and what lies behind them."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TypedDict, Unpack

from ledger.declared.declarations import BEGINNING, Declarations, Kind
from ledger.invoices.document import read_document, render_invoice
from ledger.invoices.order import (
    Credited,
    CreditedPart,
    cause_of_credit,
    cause_of_month,
    cause_of_session,
    order_of,
)
from ledger.invoices.shown import ShownInvoice, shown_invoice
from ledger.master_data.addresses import Address, BankAccount, Contact
from ledger.master_data.customers import Customer, Invoicing, PersonDetails
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.tariff_versions import published
from ledger.rating.decisions import CorrectionCause, SessionRated
from projections.documents.evidence import (
    DocumentEvidence,
    SessionEvidence,
    ShownReading,
    SignedReference,
)
from tariffs.model.tariff import Dimension, Tariff
from tests.depot import NOON, component, declared, rated, session, tariff

DAY = date(2026, 12, 1)
NUMBER = "WL-2026-000007"
BANK = BankAccount(iban="DE02120300000000202051", bic="BYLADEM1001")
TIMED = tariff(
    "timed", component(Dimension.ENERGY, "0.40"), component(Dimension.PARKING_TIME, "6.00")
)
FLEET = PersonDetails(
    name="Fleet AG",
    address=Address(street="Am Kai 3", postal_code="28195", city="Bremen", country="DE"),
    email="pay@fleet.example",
)
LOGO = (
    "data:image/svg+xml;base64,"
    + b64encode(
        b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 30">'
        b'<rect width="30" height="30" rx="5" fill="#1d4e89"/></svg>'
    ).decode()
)


class Asked(TypedDict, total=False):
    """What ratings may be asked to be like."""

    priced: Tariff
    sold_by: LegalEntity
    language: str
    hours_apart: int


def seller(
    name: str = "Depot GmbH",
    *,
    legal_text: str = "Geschäftsführerin: Petra Muster. Sitz: Hamburg.",
    bank: BankAccount | None = BANK,
) -> LegalEntity:
    """Return the seller with everything that its documents may say."""
    return LegalEntity(
        name=name,
        country="DE",
        time_zone="Europe/Berlin",
        invoice_prefix="WL",
        vat_id="DE123456789",
        address=Address(street="Hafen 1", postal_code="20457", city="Hamburg", country="DE"),
        tax_number="22/815/08151",
        registration="HRB 4711, Amtsgericht Hamburg",
        email="rechnung@depot.example",
        contact=Contact(name="Kundendienst", phone="+49 40 123456", email="hilfe@depot.example"),
        bank=bank,
        legal_text=legal_text,
    )


def ratings(
    sessions: int = 1,
    *,
    token: str = "fleet-1",
    priced: Tariff = TIMED,
    sold_by: LegalEntity | None = None,
    language: str = "de",
    hours_apart: int = 3,
) -> tuple[list[SessionRated], Declarations]:
    """Return ratings of several sessions, and the declarations that they were made with."""
    fleet = Customer(
        details="Fleet AG", invoicing=Invoicing.PER_MONTH, language=language, payment_days=14
    )
    declarations = declared(
        (Kind.TARIFF, "energy", published(priced), BEGINNING),
        (Kind.LEGAL_ENTITY, "depot", sold_by or seller(), BEGINNING),
        (Kind.CUSTOMER, "fleet", fleet, BEGINNING),
    )
    found = [
        rated(
            session(
                number,
                token_uid=token,
                energy_wh=str(7293 + 13 * number),
                started_at=NOON + timedelta(hours=hours_apart * (number - 1)),
                minutes=95,
                parked_minutes=30,
            ),
            declarations,
        )
        for number in range(1, sessions + 1)
    ]
    return found, declarations


def an_invoice(
    sessions: int = 1,
    *,
    buyer: PersonDetails = FLEET,
    token: str = "fleet-1",
    **given: Unpack[Asked],
) -> ShownInvoice:
    """Return an invoice over several sessions; *given* as for `ratings`."""
    decisions, declarations = ratings(sessions, token=token, **given)
    cause = cause_of_session(decisions[0].decides)
    if token == "fleet-1":
        cause = cause_of_month(
            legal_entity="depot", customer="fleet", currency="EUR", month="2026-11"
        )
    order = order_of(cause, decisions, declarations, at=NOON)
    document = read_document(render_invoice(order, number=NUMBER, issued_on=DAY))
    return shown_invoice(document, decisions, {"Fleet AG": buyer})


def a_credit_note(
    cause: CorrectionCause = CorrectionCause.DISPUTE, **given: Unpack[Asked]
) -> ShownInvoice:
    """Return a credit note over the first line of an invoice's one session."""
    decisions, declarations = ratings(1, **given)
    part = CreditedPart(invoice_lines=(1,), rated_lines=(1,), replaced_by=2, cause=cause)
    credited = Credited(number=NUMBER, issued_on=DAY, parts={decisions[0].session_id: part})
    order = order_of(
        cause_of_credit(NUMBER, 1), decisions, declarations, at=NOON, credited=credited
    )
    document = read_document(render_invoice(order, number="WLG-2026-000001", issued_on=DAY))
    return shown_invoice(document, decisions, {"Fleet AG": FLEET})


def evidence_of(
    shown: ShownInvoice, *, readings: int = 20, site: str = "Quayside"
) -> DocumentEvidence:
    """Return readings that rise evenly over each session of *shown*."""
    found = {}
    for each in shown.sessions:
        took: timedelta = each.ends_at - each.starts_at
        rows = []
        for number in range(readings + 1):
            at: datetime = (each.starts_at + took * number / readings).astimezone(UTC)
            energy = (each.energy_wh * number / readings).quantize(Decimal(1))
            rows.append(ShownReading(at, energy, 1000 + energy, f"0/{number}/0"))
        found[each.session_id] = SessionEvidence(
            site=site,
            record="0/17",
            kernel_version="1",
            declared_version=3,
            readings=tuple(rows),
            readings_count=len(rows),
            signed=(SignedReference("0/3/0", "ab" * 32),),
            signed_count=1,
        )
    return DocumentEvidence(sessions=found, names={})
