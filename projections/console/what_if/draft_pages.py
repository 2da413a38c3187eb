"""Drafts: kept, looked at, proposed."""

from __future__ import annotations

from datetime import UTC
from typing import Any, Final

from litestar import Controller, Response, get, post
from litestar.params import FromPath

from ledger.desk.drafting.drafts import draft_text, keep_draft, read_draft
from ledger.users.roles import Permission
from projections.console.entry import needs
from projections.console.page import ThisPage
from projections.console.what_if.approval_view import approval_view
from projections.console.what_if.lists import job_listing
from projections.console.what_if.seen import PLACE, Form, number_of, seen_draft, seen_jobs

PROBLEMS_SHOWN: Final = 50
_NEWEST: Final = 2**63 - 1


class DraftController(Controller):
    """Texts of tariffs that somebody works on."""

    path = "/what-if/drafts"

    @post("/", opt=needs(Permission.CHANGE_TARIFFS), sync_to_thread=True)
    def keep(self, page: ThisPage, data: Form) -> Response[Any]:
        """Keep a text, whatever it says."""
        with page.console.pool.connection() as connection:
            based_on = number_of(data.get("based_on", ""))
            if based_on:
                seen_draft(page, connection, based_on)
            draft = keep_draft(
                connection,
                data.get("text", ""),
                by=page.user.name,
                at=page.now,
                based_on=based_on or None,
            )
        return page.go(f"{PLACE}/drafts/{draft.number}", page.text("The draft is kept."))

    @get("/{number:int}", opt=needs(Permission.SEE_TARIFFS), sync_to_thread=True)
    def one(self, page: ThisPage, number: FromPath[int]) -> Response[str]:
        """Show a draft: its text, its problems, what was tried of it, how far it is."""
        with page.console.reading() as connection:
            draft = seen_draft(page, connection, number)
            text = draft_text(connection, draft)
            problems = [] if draft.is_readable else read_draft(text, draft.source)[1]
            jobs = seen_jobs(page, connection, _NEWEST, draft.version) if draft.version else None
            approval = (
                approval_view(page, connection, draft.tariff_id, draft.version)
                if draft.is_readable
                else None
            )
        return page.show(
            "what_if/draft.html.j2",
            draft=draft,
            text=text,
            problems=problems[:PROBLEMS_SHOWN],
            more=max(len(problems) - PROBLEMS_SHOWN, 0),
            jobs=job_listing(page, jobs) if jobs else None,
            approval=approval,
            utc=UTC,
            may_change=page.user.may(Permission.CHANGE_TARIFFS),
        )
