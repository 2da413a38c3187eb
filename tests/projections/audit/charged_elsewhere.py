"""Sessions that a driver of ours had at a partner's station, as they are decided, shown, stored."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, Literal

from msgspec.structs import replace

from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import BEGINNING, Declarations, Kind
from ledger.declared.store import declare, load_declarations
from ledger.invoices.document import read_document, render_invoice
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.invoices.order import cause_of_month, order_of
from ledger.invoices.shown import ShownInvoice, shown_invoice
from ledger.log.envelope import ChargeOn, Declared, PartnerMessage, encode_line
from ledger.log.event_log import NewRecord, Position, partition_of
from ledger.log.postgres import PostgresEventLog, make_log
from ledger.log.reading import numbered_lines
from ledger.master_data.customers import Customer, Invoicing
from ledger.master_data.partners import Partner, PartnerRole
from ledger.master_data.tokens import Token
from ledger.partners.elsewhere_cdrs import read_elsewhere
from ledger.persons.holders import token_holder
from ledger.persons.store import find_or_make
from ledger.rating.decisions import CorrectionCause, Moment, Release, SessionRated
from ledger.rating.elsewhere.charging_on import charge_on
from ledger.rating.entitlements import NO_ENTITLEMENTS, NOTHING_USED
from ledger.rating.reconciling.correcting import corrected
from ledger.rating.reconciling.giving_back import not_billed
from projections.documents.evidence import DocumentEvidence
from tests.depot import THINGS, changes, declared, keep_decisions, rated, session
from tests.projections.documents.shown_documents import DAY, FLEET, NUMBER, evidence_of, seller
from tests.roaming_ocpi.incoming.partner_stories import (
    CAME,
    CARD,
    NOON,
    PARTITIONS,
    PARTY,
    Told,
    append,
    append_lines,
    cdr_of,
    read_all,
    subject_of,
)

RETAIL: Final[dict[str, Any]] = {"retail_tariff": "energy"}
"""By our tariff of 0.40 per kWh: 32 kWh are 12.80 before taxes, 15.23 with 19 %."""
MARK_UP: Final[dict[str, Any]] = {
    "mark_up_percent": Decimal(10),
    "passed_on_vat": {"NL": Decimal(21)},
}
"""The partner's 8.00 with 10 %: 8.80 before taxes, 10.65 with 21 %."""
HERE: Final = partition_of(PARTY, partitions=PARTITIONS)


def partner(**terms: Any) -> Partner:  # noqa: ANN401 - what is agreed with it
    """Return the partner, with these *terms* of charging on."""
    return Partner(
        name="TNM Mobility", legal_entity="depot", roles=(PartnerRole.CPO,), **(terms or RETAIL)
    )


def elsewhere_session(
    declarations: Declarations | None = None,
    *,
    token: str = "fleet-1",
    cdr: dict[str, Any] | None = None,
    **terms: Any,  # noqa: ANN401 - what is agreed with the partner
) -> SessionRated:
    """Return what is decided of *cdr*, without any log: it stands at 0/17/0, decided at 0/18."""
    body = cdr or cdr_of()
    known = declarations or declared((Kind.PARTNER, PARTY, partner(**terms), BEGINNING))
    line = PartnerMessage(received_at=CAME, party=PARTY, what="cdrs", body=json.dumps(body))
    asked = ChargeOn(
        received_at=CAME,
        party=PARTY,
        cdr_id=body["id"],
        position=17,
        line=0,
        act="charge",
        subject=token,
    )
    return _rated(asked, line, known, Moment(partition=0, position=18, at=CAME))


def books_elsewhere(
    dsn: str,
    *told: Told,
    customer: str = "anna",
    **terms: Any,  # noqa: ANN401 - what is agreed with the partner
) -> list[Position]:
    """Declare the depot, a partner and a *customer*'s card; return where its CDRs stand, read."""
    with connect(dsn) as connection, PostgresEventLog(dsn) as log:
        make_log(connection, PARTITIONS)
        connection.execute("SET search_path = books, inputs, persons")
        holder = token_holder(CARD)
        assert holder is not None
        [subject] = find_or_make(connection, [holder]).values()
        us = THINGS[Kind.LEGAL_ENTITY, "depot"]
        wanted = [
            *changes(),
            Change(
                kind=Kind.LEGAL_ENTITY,
                key="depot",
                entity=replace(us, party="DE-HBC"),
                valid_from=BEGINNING,
            ),
            Change(kind=Kind.PARTNER, key=PARTY, entity=partner(**terms), valid_from=BEGINNING),
            Change(
                kind=Kind.TOKEN,
                key=subject.id,
                entity=Token(customer=customer),
                valid_from=BEGINNING,
            ),
        ]
        newest = {(each.kind, each.key): each for each in wanted}
        version = declare(connection, list(newest.values()), by="test", at=NOON)
        marker = encode_line(Declared(received_at=NOON, version=version))
        log.append([NewRecord(partition, [marker]) for partition in range(PARTITIONS)])
    stands = append(dsn, *(told or (Told(cdr_of()),)))
    read_all(dsn)
    return stands


def charge(
    dsn: str,
    stands: Position,
    *,
    was: SessionRated | None = None,
    act: Literal["charge", "take_back"] = "charge",
    by: str = "",
    reason: str = "",
) -> SessionRated:
    """Say in the log that the CDR at *stands* is charged on, or no more; decide and store that."""
    with PostgresEventLog(dsn) as log:
        [record] = log.read(stands.partition, stands.position, records=1)
        line = dict(numbered_lines(record.payload))[stands.line]
        assert isinstance(line, PartnerMessage)
        asked = ChargeOn(
            received_at=CAME + timedelta(minutes=was.revision if was else 0),
            party=PARTY,
            cdr_id=json.loads(line.body)["id"],
            position=stands.position,
            line=stands.line,
            act=act,
            subject=subject_of(dsn),
            by=by,
            reason=reason,
        )
        append_lines(dsn, [encode_line(asked)])
        position = max(each.position for each in log.read(stands.partition, 0, records=10_000))
    moment = Moment(partition=stands.partition, position=position, at=asked.received_at)
    frames = ((stands.position, stands.line), (position, 0))
    chosen = Release(by=by, reason=reason) if by else None
    cause = CorrectionCause.PARTNER
    with connect(dsn) as connection:
        if act == "take_back":
            assert was is not None
            decision = not_billed(
                was, moment, NOTHING_USED, cause=cause, chosen=chosen, frames=frames
            )
        else:
            revision = was.revision + 1 if was else 1
            decision = _rated(asked, line, load_declarations(connection), moment, revision)
            if was is not None:
                decision = corrected(decision, was, frames=frames, chosen=chosen, cause=cause)
        keep_decisions(connection, [decision])
    return decision


def invoiced(dsn: str, *, hours: int = 9) -> Sequence[str]:
    """Issue and book what is due some hours after the CDR came; return the numbers."""
    with connect(dsn) as connection, InvoiceIssuer(dsn) as issuer:
        declarations = load_declarations(connection)
        return issue_due(connection, issuer, declarations, up_to=CAME + timedelta(hours=hours))


def _rated(
    asked: ChargeOn,
    line: object,
    declarations: Declarations,
    moment: Moment,
    revision: int = 1,
) -> SessionRated:
    assert isinstance(line, PartnerMessage)
    decision = charge_on(
        asked,
        read_elsewhere(asked, line),
        declarations,
        moment=moment,
        entitlements=NO_ENTITLEMENTS,
        revision=revision,
    )
    assert isinstance(decision, SessionRated), decision
    return decision


def an_invoice_elsewhere(
    language: str = "en",
    *,
    cdr: dict[str, Any] | None = None,
    has_ours: bool = False,
    cost_centre: str | None = None,
    **terms: Any,  # noqa: ANN401 - what is agreed with the partner
) -> ShownInvoice:
    """Return a month's invoice over a session at the partner's; *has_ours*: and one at ours."""
    fleet = Customer(
        details="Fleet AG", invoicing=Invoicing.PER_MONTH, language=language, payment_days=14
    )
    known = declared(
        (Kind.PARTNER, PARTY, partner(**terms), BEGINNING),
        (Kind.CUSTOMER, "fleet", fleet, BEGINNING),
        (Kind.LEGAL_ENTITY, "depot", seller(), BEGINNING),
        (Kind.TOKEN, "fleet-1", Token(customer="fleet", cost_centre=cost_centre), BEGINNING),
    )
    decisions = [elsewhere_session(known, cdr=cdr)]
    if has_ours:
        decisions.append(rated(session(7, token_uid="fleet-1", started_at=NOON), known))
    cause = cause_of_month(legal_entity="depot", customer="fleet", currency="EUR", month="2026-03")
    order = order_of(cause, decisions, known, at=CAME)
    document = read_document(render_invoice(order, number=NUMBER, issued_on=DAY))
    by_id = {each.session_id: each for each in decisions}
    named = [by_id[each.session_id] for each in document.sessions]
    return shown_invoice(document, named, {"Fleet AG": FLEET})


def evidence_elsewhere(shown: ShownInvoice) -> DocumentEvidence:
    """Return what is known behind *shown*: of the partner's session its name and no reading."""
    made = evidence_of(shown)
    there = {
        each.session_id: replace(
            made.sessions[each.session_id],
            site="",
            partner="TNM Mobility",
            readings=(),
            readings_count=0,
            signed=(),
            signed_count=0,
        )
        for each in shown.sessions
        if each.elsewhere is not None
    }
    return replace(made, sessions={**made.sessions, **there})
