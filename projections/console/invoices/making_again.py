"""The screen "Make it again": a document made anew by a job, and what came of comparing it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any, Final

from litestar import Controller, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from ledger.jobs.asking import ask_for, find_job, jobs_of, result_of
from ledger.jobs.job import Job, JobState
from ledger.persons.store import names_in, readable
from ledger.shapes import read_stored
from ledger.users.roles import Permission
from projections.console.entry import needs
from projections.console.invoices.showing import document_within
from projections.console.links import invoice_link, number_in
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage, ThisPage
from projections.replay.made_again import AGAIN_KIND, AgainAnswer, AgainWish

HISTORY_MAX: Final = 20


class AgainPage(Controller):
    """Making a document again."""

    path = "/invoices/{number:str}/again"

    @post("/", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def asked(self, page: ThisPage, number: FromPath[str]) -> Response[Any]:
        """Ask for it to be made again; nothing of the books changes by that."""
        number = number_in(number)
        with page.console.pool.connection() as connection:
            document_within(connection, page, number)
            job = ask_for(
                connection,
                AGAIN_KIND,
                AgainWish(number),
                subject=number,
                by=page.user.name,
                at=page.now,
            )
        return page.go(f"{invoice_link(number)}/again/{job}")

    @get("/{job:int}", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def shown(self, page: ThisPage, number: FromPath[str], job: FromPath[int]) -> Response[str]:
        """Show how far it is, or what came of it."""
        number = number_in(number)
        with page.console.reading() as connection:
            document_within(connection, page, number)
            found = find_job(connection, job)
            if found is None or (found.kind, found.subject) != (AGAIN_KIND, number):
                raise NotFoundException(page.text("There is no document {number}.", number=number))
            result = result_of(connection, job) if found.state is JobState.DONE else None
            answer = None if result is None else read_stored(result, AgainAnswer)
            names = names_in(connection, answer)
            history = jobs_of(connection, AGAIN_KIND, subject=number, limit=HISTORY_MAX)
            return page.show(
                "invoices/again.html.j2",
                number=number,
                here=invoice_link(number),
                job=found,
                answer=answer,
                left=[readable(each, names) for each in answer.left] if answer else [],
                history=_history(page, number, history),
            )


def _history(page: ConsolePage, number: str, jobs: Sequence[Job]) -> Listing:
    words = {
        JobState.WAITING: "waiting",
        JobState.RUNNING: "running",
        JobState.DONE: "done",
        JobState.FAILED: "failed",
        JobState.CANCELLED: "cancelled",
    }
    return Listing(
        caption=page.text("When it was made again"),
        columns=(
            Column("at", "When"),
            Column("by", "Asked by"),
            Column("state", "State"),
        ),
        rows=[
            (
                Cell(at=each.asked_at, zone=UTC),
                Cell(each.asked_by),
                Cell(page.text(words[each.state]), f"{invoice_link(number)}/again/{each.number}"),
            )
            for each in jobs
        ],
        address=page.address,
        empty="",
    )
