"""Tariff: change it. A text, what is found in it while one writes, and drafts that are kept."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from litestar import Controller, Response, get, post
from litestar.exceptions import NotFoundException
from psycopg import Connection

from ledger.desk.drafting.drafts import (
    Draft,
    DraftTextError,
    draft_text,
    find_draft,
    keep_draft,
)
from ledger.desk.drafting.texts import text_to_edit
from ledger.four_eyes import is_same_person
from ledger.users.roles import Permission
from projections.console.entry import needs
from projections.console.page import ConsolePage, ThisPage
from projections.console.parts.typed_form import ThisForm, TypedForm
from projections.console.tariffs.look import Asked, Looked
from projections.console.tariffs.looking import DRAFTS
from projections.console.tariffs.terms import (
    WHAT_IF,
    SeenTerms,
    change_address,
    country_and_party,
    same_choices,
    tariff_address,
    terms_of,
    week_of,
    zone_names_of,
)
from projections.terms.held_assignments import held_assignments
from projections.terms.held_tariffs import declared_versions, held_at
from tariffs.files.yaml.reader import SIZE_MAX
from tariffs.lint.linter import FindingInFile
from tariffs.model.tariff import Tariff
from tariffs.zones import zone, zone_names

NEW: Final = """\
tariff: new-tariff
currency: EUR
vat: 19 %

elements:
  - name: energy
    energy: 0.49 per kWh

examples:
  - name: twenty kWh at noon
    time_zone: Europe/Berlin
    starts: 2026-03-02 12:00
    ends: 2026-03-02 13:00
    kwh: 20
    total: 11.66
"""
"""What a new tariff begins as."""
AROUND: Final = 20
LINE_SHOWN: Final = 200
_TEXT: Final = "text"
# A form has three signs for a byte that is no letter.
_SENT_MAX: Final = 3 * SIZE_MAX + 10_000
_NUMBER: Final = re.compile(r"[0-9]{1,18}")


class Editing(NamedTuple):
    """What is edited: a text about a tariff ("": a new one), the draft that it was, what holds."""

    tariff_id: str
    draft: Draft | None
    text: str
    held: Tariff | None
    zone_name: str
    country: str | None
    party: str
    week: date
    waits: str
    """Who proposed what waits of it, "" where nothing does."""
    is_typed: bool = False
    """Whether the text is another one than what is kept."""


class EditController(Controller):
    """The editor."""

    path = "/tariffs/-"
    include_in_schema = False

    @get("/change", opt=needs(Permission.CHANGE_TARIFFS), sync_to_thread=True)
    def change(self, page: ThisPage) -> Response[str]:
        """Show a text to change: of a draft, of what holds, or of a new tariff."""
        with page.console.reading() as connection:
            terms = terms_of(page, connection)
            editing = _editing(page, connection, terms, page.address.query)
        return _show(page, terms, editing)

    @post(
        "/check",
        opt=needs(Permission.CHANGE_TARIFFS),
        status_code=200,
        request_max_body_size=_SENT_MAX,
        sync_to_thread=True,
    )
    def check(self, page: ThisPage, form: ThisForm) -> Response[str]:
        """Say what is found in a text; nothing is kept."""
        with page.console.reading() as connection:
            terms = terms_of(page, connection)
            editing = _editing(page, connection, terms, _query(form))
        return _show(page, terms, editing._replace(text=_typed(form), is_typed=True))

    @post(
        "/drafts",
        opt=needs(Permission.CHANGE_TARIFFS),
        request_max_body_size=_SENT_MAX,
        sync_to_thread=True,
    )
    def save(self, page: ThisPage, form: ThisForm) -> Response[Any]:
        """Keep a text as a draft, whatever it says."""
        with page.console.reading() as connection:
            terms = terms_of(page, connection)
            editing = _editing(page, connection, terms, _query(form))
        try:
            with page.console.desk.opened() as (connection, _):
                kept = keep_draft(
                    connection,
                    _typed(form),
                    by=page.user.name,
                    at=page.now,
                    based_on=editing.draft.number if editing.draft else None,
                    about=editing.tariff_id,
                )
        except DraftTextError as error:
            kept_nothing = editing._replace(text=_typed(form), is_typed=True)
            return _show(page, terms, kept_nothing, trouble=page.told(error))
        said = page.text("Kept as draft {number}.", number=kept.number)
        where = change_address(
            editing.tariff_id or kept.tariff_id,
            draft=str(kept.number),
            zone=form.of("zone"),
            week=form.of("week"),
        )
        return page.go(where, said)


def _typed(form: TypedForm) -> str:
    """Return the text as it was written: its blanks count."""
    return form.all(_TEXT)[-1].replace("\r\n", "\n") if form.all(_TEXT) else ""


def _query(form: TypedForm) -> Mapping[str, str]:
    return {name: form.of(name) for name in ("id", "draft", "version", "zone", "week")}


def _editing(
    page: ConsolePage, connection: Connection[Any], terms: SeenTerms, said: Mapping[str, str]
) -> Editing:
    """Return what is edited.

    Raises:
        NotFoundException: If there is no such tariff or draft, or none that this person sees.
    """
    tariff_id, number = said.get("id", ""), said.get("draft", "")
    draft = draft_said(connection, number)
    if number and (draft is None or not _may_read(draft, page, terms)):
        raise NotFoundException(detail="there is no such draft")
    tariff_id = tariff_id or (draft.tariff_id if draft else "")
    if not terms.sees(tariff_id):
        raise NotFoundException(detail="there is no such tariff")
    versions, records = declared_versions(connection, tariff_id), terms.records_of(tariff_id)
    held = held_at(versions, page.now) or next(iter(versions), None)
    tariff = held.tariff if held else None
    if draft is not None:
        text = draft_text(connection, draft)
    else:
        known = {each.sha256: each.tariff for each in versions}
        known |= {each.sha256: each.tariff for each in records}
        chosen = known.get(said.get("version", ""), tariff)
        text = text_to_edit(connection, chosen) if chosen else NEW
    found = held_assignments(connection, at=page.now, tariff=tariff_id, limit=AROUND)
    around = [each.assignment for each in found] if tariff_id else []
    zones = zone_names_of(terms.known, around)
    zone_name = said.get("zone", "") if said.get("zone") in zone_names() else zones[0]
    country, party = country_and_party(terms.known, around)
    week = week_of(said.get("week", ""), page.now, zone_name)
    waits = next((each.asked_by for each in records if each.is_pending), "")
    return Editing(tariff_id, draft, text, tariff, zone_name, country, party, week, waits)


def draft_said(connection: Connection[Any], said: str) -> Draft | None:
    """Return the draft whose number somebody says, None where it is none."""
    return find_draft(connection, int(said)) if _NUMBER.fullmatch(said) else None


def _may_read(draft: Draft, page: ConsolePage, terms: SeenTerms) -> bool:
    return is_same_person(draft.by, page.user.name) or terms.sees(draft.tariff_id)


def _show(
    page: ConsolePage, terms: SeenTerms, editing: Editing, *, trouble: str = ""
) -> Response[str]:
    looked = DRAFTS.look(
        Asked(
            text=editing.text,
            source=f"draft {editing.draft.number}"
            if editing.draft and not editing.is_typed
            else "draft",
            time_zone=editing.zone_name,
            first_day=editing.week,
            before=editing.held,
            country=editing.country,
            party=editing.party,
        )
    )
    # While one types, only what is found goes back.
    template = "tariffs/outcome.html.j2" if page.is_part else "tariffs/change.html.j2"
    return page.show(
        template,
        editing=editing,
        looked=looked,
        spots=list(_spots(editing.text, looked)),
        trouble=trouble,
        zone=zone(editing.zone_name),
        zone_choices=same_choices({*zone_names_of(terms.known), editing.zone_name}),
        week=editing.week,
        size_max=SIZE_MAX,
        what_if=f"{WHAT_IF}?{urlencode({'draft': editing.draft.number})}" if editing.draft else "",
        back=tariff_address(editing.tariff_id) if editing.held else "/console/tariffs",
    )


class FoundSpot(NamedTuple):
    """A line of the text with what was found in it, and the number of the line."""

    number: int
    line: str
    findings: tuple[FindingInFile, ...]


def _spots(text: str, looked: Looked) -> Iterator[FoundSpot]:
    """Yield the lines with findings, in order."""
    lines = text.splitlines()
    by_line: dict[int, list[FindingInFile]] = {}
    for each in looked.findings:
        by_line.setdefault(each.line, []).append(each)
    for number, found in sorted(by_line.items()):
        line = lines[number - 1] if number <= len(lines) else ""
        yield FoundSpot(number, line[:LINE_SHOWN], tuple(found))
