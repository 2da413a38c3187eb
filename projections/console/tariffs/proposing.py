"""Proposals: a draft from a date on, or an assignment; a second person approves or turns down."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

from litestar import Controller, Response, post
from litestar.exceptions import NotFoundException, PermissionDeniedException
from psycopg import Connection

from ledger.approvals.record import TariffRecord
from ledger.desk.approvals import tariff_desk
from ledger.desk.drafting.drafts import Draft, draft_text
from ledger.desk.drafting.places import places_of
from ledger.desk.forgetting.person_exchange import exchange_assignments
from ledger.errors import LedgerError
from ledger.facts.token_uid import canonical_token
from ledger.master_data.assignments import Assignment
from ledger.users.roles import Permission, Reach
from projections.console.entry import needs
from projections.console.page import ConsolePage, ThisPage
from projections.console.parts.typed_form import ThisForm, TypedForm
from projections.console.tariffs.editing import draft_said
from projections.console.tariffs.terms import (
    SeenTerms,
    midnight,
    tariff_address,
    terms_of,
)
from projections.terms.held_assignments import SIDES
from projections.terms.held_tariffs import declared_versions, held_at
from projections.terms.reach import may_assign
from tariffs.zones import zone_names

_NAME_MAX: Final = 255


class BadProposalError(LedgerError):
    """What a form asks for is nothing that can be proposed."""


class BeyondReachError(PermissionDeniedException):
    """A tariff also prices what is out of somebody's reach."""

    def __init__(self) -> None:
        super().__init__(
            "this prices sessions beyond the sites that are yours: ask somebody whose role "
            "covers all of them"
        )


class ProposingController(Controller):
    """What waits, and what becomes of it."""

    path = "/tariffs/-"
    include_in_schema = False

    @post("/propose", opt=needs(Permission.CHANGE_TARIFFS), sync_to_thread=True)
    def propose(self, page: ThisPage, form: ThisForm) -> Response[Any]:
        """Propose a draft, to hold from a date on."""
        with page.console.reading() as connection:
            terms = terms_of(page, connection)
            draft, text = _draft(connection, form, terms)
        assigned = _assignments(form, draft.tariff_id)
        _check_reach(page, terms, draft.tariff_id, assigned)
        with (
            page.console.desk.opened() as (connection, log),
            tariff_desk(connection, log) as desk,
        ):
            proposed = desk.propose(
                [(text, draft.source)],
                exchange_assignments(connection, assigned),
                by=page.user.name,
                at=page.now,
                holds_from=_holds_from(page, form),
            )
        return _told(page, draft.tariff_id, proposed)

    @post("/assign", opt=needs(Permission.CHANGE_TARIFFS), sync_to_thread=True)
    def assign(self, page: ThisPage, form: ThisForm) -> Response[Any]:
        """Propose that what holds of a tariff prices further sessions, from a date on."""
        tariff_id, holds_from = form.of("id"), _holds_from(page, form)
        with page.console.reading() as connection:
            terms = terms_of(page, connection)
            versions = declared_versions(connection, tariff_id)
        held = held_at(versions, holds_from or page.now)
        if held is None or held.version is None or not terms.sees(tariff_id):
            raise BadProposalError(page.text("No version of this tariff holds on that day."))
        _check_nothing_waits(page, terms, tariff_id)
        assigned = _assignments(form, tariff_id)
        if not assigned:
            raise BadProposalError(page.text("Name a site, a station, or who charges."))
        _check_reach(page, terms, "", assigned)
        with (
            page.console.desk.opened() as (connection, log),
            tariff_desk(connection, log) as desk,
        ):
            proposed = desk.propose_versions(
                [held.version],
                exchange_assignments(connection, assigned),
                by=page.user.name,
                at=page.now,
                holds_from=holds_from,
            )
        return _told(page, tariff_id, proposed)

    @post("/retire", opt=needs(Permission.CHANGE_TARIFFS), sync_to_thread=True)
    def retire(self, page: ThisPage, form: ThisForm) -> Response[Any]:
        """Ask that a tariff prices nothing any more, from a date on."""
        tariff_id, holds_until = form.of("id"), _holds_from(page, form)
        with page.console.reading() as connection:
            terms = terms_of(page, connection)
        if not terms.sees(tariff_id):
            raise NotFoundException(detail="there is no such tariff")
        _check_nothing_waits(page, terms, tariff_id)
        _check_reach(page, terms, tariff_id, ())
        with (
            page.console.desk.opened() as (connection, log),
            tariff_desk(connection, log) as desk,
        ):
            desk.retire(
                tariff_id, by=page.user.name, at=page.now, holds_until=holds_until, is_asked=True
            )
        return page.go(
            tariff_address(tariff_id),
            page.text("Asked for: it ends once somebody else approves it."),
        )

    @post("/approve", opt=needs(Permission.CHANGE_TARIFFS), sync_to_thread=True)
    def approve(self, page: ThisPage, form: ThisForm) -> Response[Any]:
        """Approve what waits, as it was read; the desk asks for a second person."""
        record = _pending(page, form)
        with (
            page.console.desk.opened() as (connection, log),
            tariff_desk(connection, log) as desk,
        ):
            desk.approve(
                record.tariff_id,
                by=page.user.name,
                at=page.now,
                sha256=form.of("sha256"),
                reason=form.of("reason"),
                read_as=form.of("record"),
            )
        return page.go(
            tariff_address(record.tariff_id, version=record.sha256),
            page.text("Approved: it holds from the day that was proposed."),
        )

    @post("/reject", opt=needs(Permission.CHANGE_TARIFFS), sync_to_thread=True)
    def reject(self, page: ThisPage, form: ThisForm) -> Response[Any]:
        """Turn down what waits, or take it back."""
        record = _pending(page, form)
        reason = form.of("reason")
        if not reason:
            raise BadProposalError(page.text("Say why: it is kept with the decision."))
        with (
            page.console.desk.opened() as (connection, log),
            tariff_desk(connection, log) as desk,
        ):
            desk.reject(
                record.tariff_id,
                by=page.user.name,
                at=page.now,
                reason=reason,
                read_as=form.of("record"),
            )
        return page.go(tariff_address(record.tariff_id), page.text("Turned down; nothing changes."))


def _draft(connection: Connection[Any], form: TypedForm, terms: SeenTerms) -> tuple[Draft, str]:
    draft = draft_said(connection, form.of("draft"))
    if draft is None or not draft.is_readable or not terms.sees(draft.tariff_id):
        raise NotFoundException(detail="there is no such draft, or it has errors still")
    return draft, draft_text(connection, draft)


def _pending(page: ConsolePage, form: TypedForm) -> TariffRecord:
    """Return what waits of a tariff, and is within reach of who decides."""
    tariff_id = form.of("id")
    with page.console.reading() as connection:
        terms = terms_of(page, connection)
    waiting = [each for each in terms.waiting() if each.tariff_id == tariff_id]
    if not waiting:
        raise NotFoundException(detail="nothing of this tariff waits")
    record = waiting[-1]
    known = {each.key(): each for each in record.assigned}
    _check_reach(page, terms, tariff_id, list(known.values()))
    return record


def _check_nothing_waits(page: ConsolePage, terms: SeenTerms, tariff_id: str) -> None:
    """Check that nothing waits: a proposal takes the place of one that does, and not unseen."""
    if any(each.is_pending for each in terms.records_of(tariff_id)):
        raise BadProposalError(
            page.text("Something of this tariff waits already: have that decided first.")
        )


def _check_reach(
    page: ConsolePage, terms: SeenTerms, tariff_id: str, assigned: Sequence[Assignment]
) -> None:
    """Check that who changes a price may do so wherever it holds."""
    reach: Reach = page.user.reach(Permission.CHANGE_TARIFFS)
    is_within = not tariff_id or places_of(terms.known, tariff_id).are_within(reach)
    if not is_within or not all(
        may_assign(each, known=terms.known, reach=reach) for each in assigned
    ):
        raise BeyondReachError


def _assignments(form: TypedForm, tariff_id: str) -> list[Assignment]:
    """Return what a form assigns; nothing where it names nothing."""
    said = {side: form.of(side)[:_NAME_MAX] for side in SIDES if form.of(side)}
    if not said:
        return []
    try:
        return [
            Assignment(
                tariff=tariff_id,
                site=said.get("site"),
                station=said.get("station"),
                token_group=said.get("token_group"),
                partner=said.get("partner"),
                token=canonical_token(said.get("token")),
            )
        ]
    except ValueError as error:
        raise BadProposalError(str(error)) from None


def _holds_from(page: ConsolePage, form: TypedForm) -> datetime | None:
    """Return when the day that a form names begins, None for "from the approval on"."""
    said = form.of("holds_from")
    if not said:
        return None
    try:
        day = date.fromisoformat(said)
    except ValueError:
        raise BadProposalError(page.text("Write the day as 2026-04-01.")) from None
    zone_name = form.of("zone") if form.of("zone") in zone_names() else "UTC"
    holds_from = midnight(day, zone_name)
    if holds_from < page.now:
        raise BadProposalError(
            page.text("That day has begun: no price reaches back. Choose a later one.")
        )
    return holds_from


def _told(page: ConsolePage, tariff_id: str, proposed: Sequence[TariffRecord]) -> Response[Any]:
    if not proposed:
        said = page.text("Nothing changes: all of it holds already, as it is.")
        return page.go(tariff_address(tariff_id), said)
    return page.go(
        tariff_address(tariff_id, version=proposed[-1].sha256),
        page.text("Proposed: it holds once somebody else approves it."),
    )
