"""Tariffs: what holds where. Lists of tariffs, of assignments, and of what waits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any, Final

from litestar import Controller, Response, get

from ledger.approvals.record import TariffRecord, TariffState
from ledger.declared.declarations import Declarations
from ledger.persons.store import names_in, readable
from ledger.users.roles import Permission
from projections.console.addresses import AFTER, FORMAT
from projections.console.entry import needs
from projections.console.exports.listing_file import asked_file
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage, ThisPage
from projections.console.tariffs.exported import assignments_file, tariffs_file
from projections.console.tariffs.filters import assignment_filter, tariff_filter
from projections.console.tariffs.terms import (
    AS_OF,
    HASH_SHOWN,
    WAITING,
    SeenTerms,
    approved_by,
    assignments_address,
    chosen_zone,
    tariff_address,
    tariff_zone,
    terms_of,
    zone_names_of,
)
from projections.terms.held_assignments import HeldAssignment, held_assignments
from projections.terms.held_tariffs import ASSIGNED_MAX, HeldTariff, held_tariffs
from tariffs.zones import zone

PAGE: Final = 50
_TARIFFS: Final = (
    Column("tariff", "Tariff", sorts=True),
    Column("version", "Version"),
    Column("since", "Holds since"),
    Column("by", "Decided by"),
    Column("next", "Changes"),
    Column("assigned", "Assignments", is_figure=True),
)
_ASSIGNMENTS: Final = (
    Column("place", "Where"),
    Column("driver", "For whom"),
    Column("tariff", "Tariff"),
    Column("since", "Holds since"),
    Column("by", "Decided by"),
    Column("next", "Changes"),
)
_WAITING: Final = (
    Column("tariff", "Tariff"),
    Column("what", "What waits"),
    Column("from", "From"),
    Column("by", "Asked by"),
    Column("at", "Asked at"),
)


class TariffListController(Controller):
    """What holds where."""

    path = "/tariffs"
    include_in_schema = False

    @get("/", opt=needs(Permission.SEE_TARIFFS), sync_to_thread=True)
    def tariffs(self, page: ThisPage) -> Response[Any]:
        """Show the tariffs, as of a day."""
        with page.console.reading() as connection:
            terms = terms_of(page, connection)
            zone_name = chosen_zone(page, zone_names_of(terms.known))
            wanted, is_down = tariff_filter(page, terms, zone_name), page.is_sorted_down("tariff")
            if kind := page.address.of(FORMAT):
                return tariffs_file(page, kind, wanted)
            found = held_tariffs(
                connection,
                **wanted._asdict(),
                after=page.address.of(AFTER),
                limit=PAGE + 1,
                is_down=is_down,
            )
        rows = [_tariff_row(page, each, terms, zone_name) for each in found[:PAGE]]
        listing = Listing(
            caption=page.text("Tariffs"),
            columns=_TARIFFS,
            rows=rows,
            address=page.address,
            empty=page.text(
                "No tariff fits: take the filter away, write one, or publish a file with "
                "wattledger tariff publish FILE."
            ),
            next_after=found[PAGE - 1].tariff_id if len(found) > PAGE else "",
            exports=bool(rows),
            by_itself="tariff",
        )
        return page.show(
            "tariffs/tariffs.html.j2",
            listing=listing,
            waiting=len(terms.waiting()),
            may_change=page.user.may(Permission.CHANGE_TARIFFS),
            waits_at=WAITING,
            at=wanted.at,
            zone=zone(zone_name),
        )

    @get("/-/assignments", opt=needs(Permission.SEE_TARIFFS), sync_to_thread=True)
    def assignments(self, page: ThisPage) -> Response[Any]:
        """Show assignments by what they name, as of a day."""
        with page.console.reading() as connection:
            terms = terms_of(page, connection)
            zone_name = chosen_zone(page, zone_names_of(terms.known))
            wanted = assignment_filter(page, connection, terms, zone_name)
            if kind := page.address.of(FORMAT):
                return assignments_file(page, kind, wanted)
            found = held_assignments(
                connection, **wanted._asdict(), after=page.address.of(AFTER), limit=PAGE + 1
            )
            names = names_in(connection, [each.key for each in found])
        listing = Listing(
            caption=page.text("Assignments"),
            columns=_ASSIGNMENTS,
            rows=[assignment_row(page, each, names, terms.known) for each in found[:PAGE]],
            address=page.address,
            empty=page.text(
                "No assignment fits: take a filter away, or assign a tariff on its own page."
            ),
            next_after=found[PAGE - 1].key if len(found) > PAGE else "",
            exports=bool(found),
        )
        return page.show("tariffs/assignments.html.j2", listing=listing, sides=side_titles())

    @get("/-/waiting", opt=needs(Permission.SEE_TARIFFS), sync_to_thread=True)
    def waiting(self, page: ThisPage) -> Response[Any]:
        """Show what waits for a second person, or return it as a file."""
        with page.console.reading() as connection:
            terms = terms_of(page, connection)
        zone_name = chosen_zone(page, zone_names_of(terms.known))
        rows = [
            _waiting_row(page, each, tariff_zone(terms.known, each.tariff_id, zone_name))
            for each in terms.waiting()
        ]
        listing = Listing(
            caption=page.text("What waits for a second person"),
            columns=_WAITING,
            rows=rows,
            address=page.address,
            empty=page.text("Nothing waits: what somebody proposes stands here for another one."),
            file="waiting",
        )
        if file := asked_file(page, [listing]):
            return file
        return page.show("tariffs/waiting.html.j2", listing=listing)


def side_titles() -> Mapping[str, str]:
    """Return the title of what an assignment may name, in English."""
    return {
        "site": "Site",
        "station": "Station",
        "token_group": "Token group",
        "partner": "Partner",
        "token": "Token",
    }


def assignment_row(
    page: ConsolePage, held: HeldAssignment, names: Mapping[str, str], known: Declarations
) -> list[Cell]:
    """Return an assignment as a row, in the zone of its site; *names* say whose a token is."""
    each, titles = held.assignment, side_titles()
    local = zone(zone_names_of(known, [each])[0])
    place, driver = (
        next(
            (
                Cell(
                    readable(value, names),
                    assignments_address(**{side: value}),
                    page.text(titles[side]),
                )
                for side in sides
                if (value := getattr(each, side))
            ),
            Cell(page.text(otherwise)),
        )
        for sides, otherwise in (
            (("station", "site"), "everywhere"),
            (("token", "token_group", "partner"), "everybody"),
        )
    )
    return [
        place,
        driver,
        Cell(each.tariff, tariff_address(each.tariff)),
        Cell(at=held.valid_from, zone=local),
        Cell(held.declared_by),
        _next_cell(page, held, local),
    ]


def _next_cell(page: ConsolePage, held: HeldAssignment, local: tzinfo) -> Cell:
    if held.next_from is None:
        return Cell()
    said = page.text("then {tariff}", tariff=held.next_tariff or page.text("nothing"))
    href = tariff_address(held.next_tariff) if held.next_tariff else ""
    return Cell(at=held.next_from, zone=local, note=said, href=href)


def _tariff_row(
    page: ConsolePage, each: HeldTariff, terms: SeenTerms, zone_name: str
) -> list[Cell]:
    local = zone(tariff_zone(terms.known, each.tariff_id, zone_name))
    held, records = each.held, terms.records_of(each.tariff_id)
    day = page.address.of(AS_OF)
    here = tariff_address(each.tariff_id, as_of=day)
    tariff = held.tariff if held else None
    waits = sum(one.is_pending for one in records)
    note = page.text("waits for approval") if waits else ""
    many = f"{ASSIGNED_MAX:,}+" if each.assigned > ASSIGNED_MAX else str(each.assigned)
    return [
        Cell(each.tariff_id, here, tariff.name or "" if tariff else ""),
        Cell(held.sha256[:HASH_SHOWN], here) if held and tariff else Cell(page.text("none holds")),
        Cell(at=held.valid_from, zone=local) if held else Cell(),
        _decided(page, held.declared_by, held.sha256, held.valid_from, records) if held else Cell(),
        Cell(at=each.next_from, zone=local, note=note, href=here)
        if each.next_from
        else Cell(note, here if note else "", tone="warn" if note else ""),
        Cell(many, assignments_address(tariff=each.tariff_id, as_of=day)),
    ]


def _decided(
    page: ConsolePage,
    declared_by: str,
    sha256: str,
    valid_from: datetime,
    records: Any,  # noqa: ANN401 - any sequence of records
) -> Cell:
    record = approved_by(records, sha256, valid_from)
    if record is None or not record.approved_by:
        return Cell(declared_by, note=page.text("without a second person"))
    return Cell(record.author, note=page.text("approved by {name}", name=record.approved_by))


def _waiting_row(page: ConsolePage, record: TariffRecord, zone_name: str) -> list[Cell]:
    is_retiring = record.state == TariffState.RETIRING.value
    wished = record.holds_until if is_retiring else record.holds_from
    what = (
        page.text("its retirement")
        if is_retiring
        else page.text("version {number}", number=record.number)
    )
    local = zone(zone_name)
    start = Cell(at=wished, zone=local) if wished else Cell(page.text("from the approval on"))
    return [
        Cell(record.tariff_id, f"{tariff_address(record.tariff_id)}#waiting"),
        Cell(what, note=record.sha256[:HASH_SHOWN]),
        start,
        Cell(record.asked_by),
        Cell(at=record.proposed_at, zone=local),
    ]
