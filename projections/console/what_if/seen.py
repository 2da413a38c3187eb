"""Which jobs, drafts and proposals a person sees here, and which tariffs they may change.

What is beyond somebody's reach is answered as what does not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, NamedTuple

from litestar.enums import RequestEncodingType
from litestar.exceptions import (
    NotFoundException,
    PermissionDeniedException,
    ValidationException,
)
from litestar.params import Body
from psycopg import Connection

from ledger.approvals.record import TariffRecord
from ledger.declared.declarations import Declarations
from ledger.desk.drafting.drafts import Draft, drafts, find_draft
from ledger.desk.drafting.places import places_of
from ledger.desk.drafting.variance import TRY_KIND
from ledger.jobs.asking import find_job, jobs_of, oldest_jobs_of, parameters_of, parameters_of_all
from ledger.jobs.job import Job
from ledger.shapes import read_stored
from ledger.users.roles import Permission, Reach
from projections.console.navigation import HOME
from projections.console.page import ConsolePage
from projections.what_if.question import WhatIf

Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]
"""What a browser sends."""
PLACE: Final = f"{HOME}/what-if"
ROWS: Final = 25
NEWEST: Final = 2**63 - 1


class SeenJob(NamedTuple):
    """A job with what was asked; None: that cannot be read."""

    job: Job
    asked: WhatIf | None

    @property
    def address(self) -> str:
        """Return its page."""
        return f"{PLACE}/{self.job.number}"


class UnreadableJobError(NotFoundException):
    """What a job was asked cannot be read: nothing that it came to can be shown."""


class Rows(NamedTuple):
    """A page of a list: what is seen of it, and after which number it goes on, "" at its end."""

    rows: Sequence[Any]
    next_after: str


def seeing(page: ConsolePage) -> Reach:
    """Return where this person sees tariffs."""
    return page.user.reach(Permission.SEE_TARIFFS)


def seen_job(page: ConsolePage, connection: Connection[Any], number: int) -> SeenJob:
    """Return a job that this person sees.

    Raises:
        NotFoundException: If there is none.
    """
    job = find_job(connection, number)
    if job is None or job.kind != TRY_KIND:
        raise NotFoundException(detail=page.text("There is no such job."))
    seen = SeenJob(job, read_stored(parameters_of(connection, number), WhatIf))
    if not _is_seen(page, seen):
        raise NotFoundException(detail=page.text("There is no such job."))
    return seen


def asked_of(page: ConsolePage, seen: SeenJob) -> WhatIf:
    """Return what a job was asked.

    Raises:
        UnreadableJobError: If that cannot be read.
    """
    if seen.asked is None:
        raise UnreadableJobError(detail=page.text("What was asked cannot be read: ask it anew."))
    return seen.asked


def seen_jobs(
    page: ConsolePage, connection: Connection[Any], before: int, subject: str | None = None
) -> Rows:
    """Return the newest jobs that this person sees, older ones than *before*."""
    found = jobs_of(connection, TRY_KIND, subject=subject, before=before, limit=ROWS)
    return _seen_rows(page, connection, found)


def sorted_jobs(page: ConsolePage, connection: Connection[Any], place: int) -> Rows:
    """Return jobs as an address sorts them, the newest first by itself; behind *place*, 0: all.

    Raises:
        ValidationException: If it sorts by anything but the job.
    """
    key, is_down = page.address.sort
    if key not in {"", "job"}:
        message = page.text("{value} is no column that sorts", value=key[:100])
        raise ValidationException(message)
    if not key or is_down:
        return seen_jobs(page, connection, place or NEWEST)
    return _seen_rows(
        page, connection, oldest_jobs_of(connection, TRY_KIND, after=place, limit=ROWS)
    )


def _seen_rows(page: ConsolePage, connection: Connection[Any], found: Sequence[Job]) -> Rows:
    given = parameters_of_all(connection, [each.number for each in found])
    rows = [SeenJob(each, read_stored(given[each.number], WhatIf)) for each in found]
    seen = [each for each in rows if _is_seen(page, each)]
    return Rows(seen, str(found[-1].number) if len(found) == ROWS else "")


def _is_seen(page: ConsolePage, seen: SeenJob) -> bool:
    """Say whether this person sees a job: of one that cannot be read nobody knows its reach."""
    if seen.asked is None:
        return seeing(page).is_everywhere or seen.job.asked_by == page.user.name
    return seen.asked.reach.is_within(seeing(page))


def sees_draft(page: ConsolePage, known: Declarations, draft: Draft) -> bool:
    """Say whether this person sees a draft: their own, and of tariffs within their reach."""
    if draft.by == page.user.name:
        return True
    return places_of(known, draft.tariff_id).touch(seeing(page))


def seen_draft(page: ConsolePage, connection: Connection[Any], number: int) -> Draft:
    """Return a draft that this person sees.

    Raises:
        NotFoundException: If there is none.
    """
    draft = find_draft(connection, number)
    if draft is None or not sees_draft(page, page.console.newest.of(connection), draft):
        raise NotFoundException(detail=page.text("There is no such draft."))
    return draft


def seen_drafts(page: ConsolePage, connection: Connection[Any], before: int) -> Rows:
    """Return the newest drafts that this person sees, older ones than *before*."""
    found = drafts(connection, before=before, limit=ROWS)
    known = page.console.newest.of(connection)
    seen = [each for each in found if sees_draft(page, known, each)]
    return Rows(seen, str(found[-1].number) if len(found) == ROWS else "")


def may_change(page: ConsolePage, connection: Connection[Any], tariff_id: str) -> bool:
    """Say whether this person may propose and approve versions of a tariff."""
    reach = page.user.reach(Permission.CHANGE_TARIFFS)
    return bool(reach) and places_of(page.console.newest.of(connection), tariff_id).are_within(
        reach
    )


def check_change(page: ConsolePage, connection: Connection[Any], tariff_id: str) -> None:
    """Let nobody change what prices sessions beyond their reach.

    Raises:
        PermissionDeniedException: If it does.
    """
    if not may_change(page, connection, tariff_id):
        message = page.text("This tariff prices sessions at places that are not yours to decide.")
        raise PermissionDeniedException(message)


def records_of(page: ConsolePage, version: str) -> Sequence[TariffRecord]:
    """Return the records of a version of a tariff, the newest first."""
    found = page.console.records.of(page.console.dsn)
    return [each for each in reversed(found) if each.sha256 == version]


def number_of(text: str) -> int:
    """Return a number out of an address or a form; 0 where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0  # noqa: PLR2004 - what 64 bits hold
