"""What people do here: cancel a try, propose a draft with a date, approve or reject as a second."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

from litestar import Controller, Response, post
from litestar.params import FromPath

from ledger.approvals.approvals import ContendedTariffError, NothingPendingError
from ledger.approvals.record import TariffRecord, TariffState
from ledger.desk.approvals import tariff_desk
from ledger.desk.drafting.drafts import draft_text
from ledger.errors import LedgerError
from ledger.jobs.asking import cancel_job
from ledger.users.roles import Permission
from projections.console.entry import needs
from projections.console.page import ConsolePage, ThisPage
from projections.console.what_if.approval_view import zones_of
from projections.console.what_if.seen import (
    PLACE,
    Form,
    check_change,
    number_of,
    records_of,
    seen_draft,
    seen_job,
)
from projections.what_if.answering import readable_draft

REASON_MAX: Final = 500


class StartDayError(LedgerError):
    """The day from which a version shall hold is none."""

    def __init__(self, day: str, zone: str) -> None:
        self.day, self.zone = day, zone
        given = f"{day[:20]} {zone[:40]}".strip()
        super().__init__(f"{given!r} is no day: write it as 2026-04-01, with one of the time zones")


class ApprovalReasonError(LedgerError):
    """A reason is for people to read."""

    def __init__(self) -> None:
        super().__init__(f"the reason is too long: say it in {REASON_MAX} characters")


class AssignsTooError(LedgerError):
    """A proposal also says where a tariff prices, which no page of a draft shows."""

    def __init__(self, tariff_id: str) -> None:
        self.tariff_id = tariff_id
        super().__init__(
            f"what waits of tariff {tariff_id} is to price other places, too: it is decided on the "
            "tariff's own page, which names them"
        )


class WhatIfActsController(Controller):
    """Everything here that changes something, each with its person."""

    path = "/what-if"
    opt = needs(Permission.CHANGE_TARIFFS)

    @post("/{number:int}/cancel", sync_to_thread=True)
    def cancel(self, page: ThisPage, number: FromPath[int]) -> Response[Any]:
        """Cancel a try."""
        with page.console.pool.connection() as connection:
            seen = seen_job(page, connection, number)
            cancel_job(connection, number, by=page.user.name, at=page.now)
        return page.go(seen.address, page.text("It was cancelled."))

    @post("/drafts/{number:int}/propose", sync_to_thread=True)
    def propose(self, page: ThisPage, number: FromPath[int], data: Form) -> Response[Any]:
        """Propose a draft: it holds from a day once somebody else approved it."""
        with page.console.pool.connection() as connection:
            draft = seen_draft(page, connection, number)
            check_change(page, connection, draft.tariff_id)
            # Others wait for the desk: it gets nothing that takes long to read, and is refused.
            readable_draft(connection, draft.number)
            zones = zones_of(page.console.newest.of(connection), draft.tariff_id, page.now)
            holds_from = _start(data.get("day", ""), data.get("zone", ""), zones)
            files = [(draft_text(connection, draft), draft.source)]
        with (
            page.console.desk.opened() as (connection, log),
            tariff_desk(connection, log) as desk,
        ):
            done = desk.propose(files, by=page.user.name, at=page.now, holds_from=holds_from)
        said = page.text("It is proposed: somebody else approves it.")
        if not done:
            said = page.text("There is nothing to propose: this holds already.")
        return page.go(_back(data, f"{PLACE}/drafts/{number}"), said)

    @post("/drafts/{number:int}/approve", sync_to_thread=True)
    def approve(self, page: ThisPage, number: FromPath[int], data: Form) -> Response[Any]:
        """Approve what was proposed, as a second person; it holds from its day on."""
        with page.console.desk.opened() as (connection, log):
            draft = seen_draft(page, connection, number)
            check_change(page, connection, draft.tariff_id)
            record = _proposed(page, draft.tariff_id, draft.version, data)
            with tariff_desk(connection, log) as desk:
                desk.approve(
                    record.tariff_id,
                    by=page.user.name,
                    at=page.now,
                    sha256=record.sha256,
                    reason=_reason(data),
                    read_as=record.read_as,
                )
        said = page.text("It is approved, and holds from the day that was proposed.")
        return page.go(_back(data, f"{PLACE}/drafts/{number}"), said)

    @post("/drafts/{number:int}/reject", sync_to_thread=True)
    def reject(self, page: ThisPage, number: FromPath[int], data: Form) -> Response[Any]:
        """Turn down what was proposed; its author takes it back in the same way."""
        with page.console.desk.opened() as (connection, log):
            draft = seen_draft(page, connection, number)
            check_change(page, connection, draft.tariff_id)
            record = _proposed(page, draft.tariff_id, draft.version, data)
            with tariff_desk(connection, log) as desk:
                desk.reject(
                    record.tariff_id,
                    by=page.user.name,
                    at=page.now,
                    reason=_reason(data),
                    read_as=record.read_as,
                )
        return page.go(_back(data, f"{PLACE}/drafts/{number}"), page.text("It is turned down."))


def _proposed(
    page: ConsolePage, tariff_id: str, version: str, data: dict[str, str]
) -> TariffRecord:
    """Return the proposal that the form showed, unless another one waits by now.

    Raises:
        NothingPendingError: If none waits.
        ContendedTariffError: If it is not the one that was looked at.
        AssignsTooError: If it has assignments: whether they are within reach is seen elsewhere.
    """
    records = records_of(page, version)
    if not records or records[0].state != TariffState.PROPOSED.value:
        raise NothingPendingError(tariff_id)
    if records[0].number != number_of(data.get("record", "")):
        raise ContendedTariffError(tariff_id)
    if records[0].assigned:
        raise AssignsTooError(tariff_id)
    return records[0]


def _reason(data: dict[str, str]) -> str:
    reason = data.get("reason", "").strip()
    if len(reason) > REASON_MAX:
        raise ApprovalReasonError
    return reason


def _back(data: dict[str, str], otherwise: str) -> str:
    """Return where the form was: the page of a try, or the draft's own."""
    job = number_of(data.get("job", ""))
    return f"{PLACE}/{job}" if job else otherwise


def _start(day: str, zone: str, zones: Sequence[str]) -> datetime:
    """Return the first moment of a day by the clock of one of *zones*."""
    try:
        first = date.fromisoformat(day)
    except ValueError:
        raise StartDayError(day, zone) from None
    if zone not in zones:
        raise StartDayError(day, zone)
    return datetime.combine(first, time(0), tzinfo=ZoneInfo(zone)).astimezone(UTC)
