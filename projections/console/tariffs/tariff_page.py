"""One tariff: its versions, prices of the week, examples, findings, differences, assignments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from litestar import Controller, Response, get
from litestar.params import FromPath
from psycopg import Connection

from ledger.approvals.english import codes_of
from ledger.approvals.record import TariffRecord, TariffState
from ledger.declared.declarations import Kind
from ledger.desk.drafting.drafts import draft_of_version, drafts
from ledger.desk.drafting.texts import kept_text
from ledger.desk.drafting.variance import VarianceFinding, findings_of, variances_of
from ledger.four_eyes import is_same_person
from ledger.master_data.partners import Partner
from ledger.persons.store import names_in, readable
from ledger.users.roles import Permission
from projections.console.entry import needs
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage, ThisPage
from projections.console.tariffs.lists import assignment_row
from projections.console.tariffs.look import Asked, Looked
from projections.console.tariffs.looking import PUBLISHED
from projections.console.tariffs.terms import (
    HASH_SHOWN,
    SeenTerms,
    approved_by,
    as_of,
    change_address,
    chosen_zone,
    country_and_party,
    same_choices,
    tariff_address,
    terms_of,
    week_of,
    zone_names_of,
)
from projections.console.tariffs.versions import KnownVersion, TariffVersions, versions_of
from projections.terms.held_assignments import HeldAssignment, held_assignments
from projections.terms.reach import terms_in_reach
from tariffs.files.writing.tariff import write_tariff_file
from tariffs.ocpi.versions import OcpiVersion
from tariffs.zones import zone

TEXT: Final = "/console/tariffs/-/text"
LINES_MAX: Final = 400
LINE_MAX: Final = 300
ASSIGNED_SHOWN: Final = 20
DRAFTS_SHOWN: Final = 10
_VERSIONS: Final = (
    Column("version", "Version"),
    Column("from", "Holds from"),
    Column("by", "Asked by"),
    Column("approved", "Approved by"),
    Column("state", "State"),
)
_ASSIGNED: Final = (
    Column("place", "Where"),
    Column("driver", "For whom"),
    Column("tariff", "Tariff"),
    Column("since", "Holds since"),
    Column("by", "Decided by"),
    Column("next", "Changes"),
)


class ShownTariff(NamedTuple):
    """A tariff as a page shows it, read at one moment."""

    versions: TariffVersions
    shown: KnownVersion | None
    compared: KnownVersion | None
    text: str
    is_kept: bool
    at: datetime
    zone_name: str


class TariffController(Controller):
    """One tariff."""

    path = "/tariffs"
    include_in_schema = False

    @get("/{tariff_id:str}", opt=needs(Permission.SEE_TARIFFS), sync_to_thread=True)
    def tariff(self, page: ThisPage, tariff_id: FromPath[str]) -> Response[str]:
        """Show a tariff."""
        return _page(page, tariff_id)

    @get("/-/of", opt=needs(Permission.SEE_TARIFFS), sync_to_thread=True)
    def odd_tariff(self, page: ThisPage) -> Response[str]:
        """Show a tariff whose id no path takes."""
        return _page(page, page.address.of("id"))

    @get("/-/text", opt=needs(Permission.SEE_TARIFFS), sync_to_thread=True)
    def text(self, page: ThisPage) -> Response[str]:
        """Return the file of a version."""
        with page.console.reading() as connection:
            shown = _read(page, connection, terms_of(page, connection), page.address.of("id"))
        headers = {
            "Content-Disposition": "attachment; filename=tariff.yaml",
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(shown.text, media_type="text/plain; charset=utf-8", headers=headers)


def _page(page: ConsolePage, tariff_id: str) -> Response[str]:
    with page.console.reading() as connection:
        terms = terms_of(page, connection)
        shown = _read(page, connection, terms, tariff_id)
        within = terms_in_reach(terms.known, terms.reach)
        assigned = held_assignments(
            connection,
            at=shown.at,
            tariff=tariff_id,
            of=None if within is None else within.assignments,
            limit=ASSIGNED_SHOWN + 1,
        )
        pending = shown.versions.pending
        asked = [each.key() for each in pending.assigned] if pending else []
        names = names_in(connection, [*(each.key for each in assigned), *asked])
        gate = _gate(connection, terms, page.now, pending)
        tried = draft_of_version(connection, pending.sha256) if pending else None
        written = drafts(connection, tariff_id=tariff_id, limit=DRAFTS_SHOWN)
    looked, lines = _looked(page, terms, shown, assigned), shown.text.splitlines()
    local = zone(shown.zone_name)
    return page.show(
        "tariffs/tariff.html.j2",
        tariff_id=tariff_id,
        shown=shown,
        looked=looked,
        pending=pending and _pending(page, shown, pending),
        gate=gate,
        tried=tried,
        pending_assigned=[readable(each, names) for each in asked],
        listed=_versions(page, shown),
        assigned=_assigned(page, assigned, names, terms),
        retail=_retail(terms, tariff_id),
        drafts=written,
        edit=change_address(tariff_id, version=shown.shown.sha256 if shown.shown else ""),
        change_address=change_address,
        lines=[each[:LINE_MAX] for each in lines[:LINES_MAX]],
        is_cut=len(lines) > LINES_MAX or any(len(each) > LINE_MAX for each in lines),
        text_at=_text_address(shown),
        zone=local,
        zone_choices=same_choices({*zone_names_of(terms.known), shown.zone_name}),
        week=week_of(page.address.of("week"), shown.at, shown.zone_name),
        ocpi_choices=same_choices(each.value for each in OcpiVersion),
        may_change=page.user.may(Permission.CHANGE_TARIFFS),
        hash_shown=HASH_SHOWN,
    )


def _read(
    page: ConsolePage, connection: Connection[Any], terms: SeenTerms, tariff_id: str
) -> ShownTariff:
    around = held_assignments(connection, at=page.now, tariff=tariff_id, limit=ASSIGNED_SHOWN)
    zone_name = chosen_zone(page, zone_names_of(terms.known, [e.assignment for e in around]))
    at = as_of(page, zone_name)
    versions = versions_of(page, connection, terms, tariff_id, zone_name)
    shown = versions.shown(page.address.of("version"), at)
    compared = versions.find(page.address.of("with"))
    if compared is None and shown is not None:
        compared = versions.before(shown)
    kept = kept_text(connection, shown.sha256) if shown else None
    text = kept or (write_tariff_file(shown.tariff)[0] if shown else "")
    return ShownTariff(versions, shown, compared, text, kept is not None, at, zone_name)


def _looked(
    page: ConsolePage, terms: SeenTerms, shown: ShownTariff, assigned: Sequence[HeldAssignment]
) -> Looked | None:
    if shown.shown is None:
        return None
    country, party = country_and_party(terms.known, [each.assignment for each in assigned])
    said = page.address.of("ocpi")
    return PUBLISHED.look(
        Asked(
            text=shown.text,
            source=shown.versions.tariff_id,
            time_zone=shown.zone_name,
            first_day=week_of(page.address.of("week"), shown.at, shown.zone_name),
            tariff=shown.shown.tariff,
            before=shown.compared.tariff if shown.compared else None,
            country=country,
            party=party,
            updated_at=shown.versions.declared_at(shown.shown.sha256),
            ocpi=said if said in {each.value for each in OcpiVersion} else "2.3.0",
        )
    )


def _pending(page: ConsolePage, shown: ShownTariff, record: TariffRecord) -> dict[str, object]:
    """Return what waits, what it changes in words, and whether this person may decide."""
    held = shown.versions.held(record.holds_from or page.now)
    is_retiring = record.state == TariffState.RETIRING.value
    changes = None
    if not is_retiring:
        changes = PUBLISHED.look(
            Asked(
                text=write_tariff_file(record.tariff)[0],
                source=record.tariff_id,
                time_zone=shown.zone_name,
                first_day=week_of("", record.holds_from or page.now, shown.zone_name),
                tariff=record.tariff,
                before=held.tariff if held else None,
            )
        )
    return {
        "record": record,
        "is_retiring": is_retiring,
        "from": record.holds_until if is_retiring else record.holds_from,
        "looked": changes,
        "is_new": held is None,
        "is_own": is_same_person(page.user.name, record.asked_by),
        "address": tariff_address(record.tariff_id, version=record.sha256),
    }


def _gate(
    connection: Connection[Any], terms: SeenTerms, now: datetime, pending: TariffRecord | None
) -> Sequence[VarianceFinding]:
    """Return why who approves has to say why."""
    if pending is None or pending.state != TariffState.PROPOSED.value:
        return ()
    tries = variances_of(connection, pending.sha256)
    return findings_of(terms.known.policy(now), tries, assigns=bool(pending.assigned))


def _versions(page: ConsolePage, shown: ShownTariff) -> Listing:
    """Return all versions: what is declared, and what is on record beside it."""
    versions, local, rows = shown.versions, zone(shown.zone_name), list[list[Cell]]()
    held = versions.held(page.now)
    for each in versions.declared:
        record = approved_by(versions.records, each.sha256, each.valid_from)
        is_next = each.valid_from > page.now
        state = "holds now" if each == held else "to come" if is_next else "held before"
        here = tariff_address(versions.tariff_id, version=each.sha256)
        by = record.approved_by if record else ""
        rows.append(
            [
                Cell(each.sha256[:HASH_SHOWN], here) if each.sha256 else Cell(page.text("retired")),
                Cell(at=each.valid_from, zone=local),
                Cell(record.author if record and by else each.declared_by),
                Cell(by or page.text("nobody else")),
                Cell(page.text(state), tone="good" if each == held else ""),
            ]
        )
    undeclared = {TariffState.PROPOSED.value, TariffState.REJECTED.value}
    for record in versions.records:
        if record.state in undeclared:
            here = tariff_address(versions.tariff_id, version=record.sha256)
            start = (
                Cell(at=record.holds_from, zone=local)
                if record.holds_from
                else Cell(page.text("from the approval on"))
            )
            said = Cell(page.text(record.state), note=_reason(page, record))
            version = Cell(
                record.sha256[:HASH_SHOWN],
                here,
                page.text("{number}. proposal", number=record.number),
            )
            rows.append([version, start, Cell(record.asked_by), Cell(), said])
    caption = page.text("Versions")
    return Listing(caption, _VERSIONS, rows, page.address, "")


def _reason(page: ConsolePage, record: TariffRecord) -> str:
    """Return why a version was turned down or approved, in a person's words or in ours."""
    codes = [page.phrase(each) for each in codes_of(record)]
    return "; ".join(codes) or record.reason


def _assigned(
    page: ConsolePage, found: Sequence[HeldAssignment], names: dict[str, str], terms: SeenTerms
) -> Listing:
    return Listing(
        caption=page.text("Assignments"),
        columns=_ASSIGNED,
        rows=[assignment_row(page, each, names, terms.known) for each in found[:ASSIGNED_SHOWN]],
        address=page.address,
        empty=page.text("It prices nobody's sessions yet: assign it to a site below."),
        total=page.text("only the first ones") if len(found) > ASSIGNED_SHOWN else "",
    )


def _text_address(shown: ShownTariff) -> str:
    sha256 = shown.shown.sha256 if shown.shown else ""
    return f"{TEXT}?{urlencode({'id': shown.versions.tariff_id, 'version': sha256})}"


def _retail(terms: SeenTerms, tariff_id: str) -> list[str]:
    """Return the partners where our customers pay by this tariff."""
    found = (
        (key, terms.known.history(Kind.PARTNER, key)) for key in terms.known.keys(Kind.PARTNER)
    )
    return [
        key
        for key, history in found
        if isinstance(partner := history[-1].entity, Partner)
        and partner.retail_tariff == tariff_id
        and terms.reach.covers(partner.legal_entity)
    ]
