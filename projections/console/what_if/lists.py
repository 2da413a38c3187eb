"""The lists of this screen: tries, and drafts."""

from __future__ import annotations

from datetime import UTC

from ledger.desk.drafting.drafts import Draft
from ledger.jobs.job import JobState
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage
from projections.console.what_if.seen import PLACE, Rows, SeenJob

STATES = {
    JobState.WAITING: "waits for its turn",
    JobState.RUNNING: "is being worked on",
    JobState.DONE: "done",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
}
"""In English; the catalogues have them."""
_TONES = {JobState.DONE: "good", JobState.FAILED: "bad"}


def job_listing(page: ConsolePage, jobs: Rows, *, is_sorted: bool = False) -> Listing:
    """Return the list of tries; *is_sorted*: as the address says."""
    return Listing(
        caption=page.text("What was tried out"),
        columns=(
            Column("job", "Job", is_figure=True, sorts=is_sorted),
            Column("draft", "Draft"),
            Column("months", "Months"),
            Column("tariff", "Sessions priced by"),
            Column("state", "State"),
            Column("by", "Asked by"),
            Column("at", "Asked at (UTC)"),
        ),
        rows=[_job_row(page, each) for each in jobs.rows],
        address=page.address,
        empty=page.text("Nothing was tried out yet: choose a draft above, and months."),
        next_after=jobs.next_after,
        file="jobs" if is_sorted else "",
        by_itself="-job",
    )


def draft_listing(page: ConsolePage, drafts: Rows) -> Listing:
    """Return the list of drafts."""
    return Listing(
        caption=page.text("Drafts"),
        columns=(
            Column("number", "Draft", is_figure=True),
            Column("tariff", "Tariff"),
            Column("state", "State"),
            Column("by", "Kept by"),
            Column("at", "Kept at (UTC)"),
        ),
        rows=[_draft_row(page, each) for each in drafts.rows],
        address=page.address._replace(query={}),
        empty=page.text("There is no draft yet: keep one below, or change a tariff."),
        file="drafts",
    )


def _job_row(page: ConsolePage, seen: SeenJob) -> tuple[Cell, ...]:
    job, asked = seen
    state = page.text(STATES[job.state])
    if job.state is JobState.RUNNING:
        state = f"{state} ({job.percent} %)"
    what = (Cell(""), Cell(page.text("cannot be read"), tone="bad"), Cell(""))
    if asked is not None:
        what = (
            Cell(str(asked.draft), f"{PLACE}/drafts/{asked.draft}"),
            Cell(months_text(asked.first_month, asked.last_month)),
            Cell(asked.tariff or page.text("any tariff"), note=asked.site),
        )
    return (
        Cell(str(job.number), seen.address),
        *what,
        Cell(state, tone=_TONES.get(job.state, "")),
        Cell(job.asked_by),
        Cell(at=job.asked_at, zone=UTC),
    )


def _draft_row(page: ConsolePage, draft: Draft) -> tuple[Cell, ...]:
    is_readable = draft.is_readable
    state = page.text("readable") if is_readable else page.text("has problems")
    return (
        Cell(str(draft.number), f"{PLACE}/drafts/{draft.number}"),
        Cell(draft.tariff_id),
        Cell(state, tone="good" if is_readable else "bad"),
        Cell(draft.by),
        Cell(at=draft.at, zone=UTC),
    )


def months_text(first: str, last: str) -> str:
    """Return the months as a person writes them."""
    return first if first == last else f"{first} – {last}"
