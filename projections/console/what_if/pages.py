"""What would change: the tries with the form for another, one of them, one session in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from litestar import Controller, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response.streaming import ASGIStreamingResponse
from psycopg import Connection

from ledger.declared.declarations import Declarations, Kind
from ledger.desk.drafting.drafts import Draft
from ledger.desk.drafting.variance import TRY_KIND
from ledger.jobs.asking import ask_for, moves_of, result_of
from ledger.jobs.files import read_piece
from ledger.jobs.job import JobState
from ledger.shapes import read_stored
from ledger.users.roles import Permission
from projections.console.addresses import AFTER, FORMAT, LIST
from projections.console.entry import needs
from projections.console.exports.listing_file import asked_file, every_page, listing_file
from projections.console.listing import Listing
from projections.console.page import HEADERS, ConsolePage, ThisPage
from projections.console.parts.rated_lines import listing_of_lines
from projections.console.what_if.answer_view import answer_view
from projections.console.what_if.approval_view import approval_view
from projections.console.what_if.lists import draft_listing, job_listing
from projections.console.what_if.seen import (
    NEWEST,
    PLACE,
    Form,
    SeenJob,
    asked_of,
    number_of,
    seeing,
    seen_draft,
    seen_drafts,
    seen_job,
    sorted_jobs,
)
from projections.terms.reach import terms_in_reach
from projections.what_if.answer import WhatIfAnswer
from projections.what_if.answering import FILE, readable_draft
from projections.what_if.question import Against, AskedReach, WhatIf, check_months
from projections.what_if.session_prices import session_prices

ANY_TARIFF: Final = "*"


class WhatIfController(Controller):
    """Tries of drafts."""

    path = "/what-if"

    @get("/", opt=needs(Permission.SEE_TARIFFS), sync_to_thread=True)
    def listed(self, page: ThisPage) -> Response[Any]:
        """Show what was tried out, the drafts there are, and the form to try one; or a file."""
        if form := page.address.of(FORMAT):
            return _list_file(page, form)
        with page.console.reading() as connection:
            drafts = seen_drafts(page, connection, NEWEST)
            chosen = number_of(page.address.of("draft"))
            if chosen and not any(each.number == chosen for each in drafts.rows):
                drafts = drafts._replace(rows=[seen_draft(page, connection, chosen), *drafts.rows])
            known = page.console.newest.of(connection)
            return page.show(
                "what_if/list.html.j2",
                jobs=_jobs(page, connection),
                drafts=draft_listing(page, drafts),
                choices=[(str(each.number), _named(each)) for each in drafts.rows
                         if each.is_readable],
                chosen=str(chosen or ""),
                tariffs=_tariffs(page, known),
                sites=_sites(page, connection),
                month=_month_before(page.now),
                may_change=page.user.may(Permission.CHANGE_TARIFFS),
            )  # fmt: skip

    @post("/", opt=needs(Permission.CHANGE_TARIFFS), sync_to_thread=True)
    def ask(self, page: ThisPage, data: Form) -> Response[Any]:
        """Ask for a try."""
        first, last = data.get("first_month", "").strip(), data.get("last_month", "").strip()
        check_months(first, last)
        against = Against.IN_FORCE if data.get("against") == "in_force" else Against.BILLED
        tariff, site = data.get("tariff", ""), data.get("site", "")
        with page.console.pool.connection() as connection:
            draft = seen_draft(page, connection, number_of(data.get("draft", "")))
            readable_draft(connection, draft.number)
            known = page.console.newest.of(connection)
            if tariff not in ("", ANY_TARIFF, *_tariffs(page, known)):
                raise NotFoundException(detail=page.text("There is no such tariff."))
            if site and site not in _sites(page, connection):
                raise NotFoundException(detail=page.text("There is no such site."))
            asked = WhatIf(
                draft=draft.number,
                first_month=first,
                last_month=last,
                tariff="" if tariff == ANY_TARIFF else tariff or draft.tariff_id,
                site=site,
                against=against,
                reach=AskedReach.of(seeing(page)),
            )
            number = ask_for(
                connection, TRY_KIND, asked, subject=draft.version, by=page.user.name, at=page.now
            )
        return page.go(f"{PLACE}/{number}")

    @get("/{number:int}", opt=needs(Permission.SEE_TARIFFS), sync_to_thread=True)
    def one(self, page: ThisPage, number: FromPath[int]) -> Response[Any]:
        """Show how far a try is, or what came of it."""
        with page.console.reading() as connection:
            seen = seen_job(page, connection, number)
            return show_job(page, connection, seen)

    @get("/{number:int}/session", opt=needs(Permission.SEE_TARIFFS), sync_to_thread=True)
    def session(self, page: ThisPage, number: FromPath[int]) -> Response[str]:
        """Show why a session costs what it did, and why what the draft makes of it."""
        with page.console.reading() as connection:
            seen = seen_job(page, connection, number)
            asked = asked_of(page, seen)
            _, tariff = readable_draft(connection, asked.draft)
            prices = session_prices(connection, asked, tariff, page.address.of("id"))
        rated = prices.rated
        old, new = (
            listing_of_lines(page, side.lines, rated.currency, rated.local_zone, caption)
            for side, caption in (
                (prices.old, page.text("Before, line by line")),
                (prices.new, page.text("With the draft, line by line")),
            )
        )
        return page.show(
            "what_if/session.html.j2", seen=seen, prices=prices, old_lines=old, new_lines=new
        )

    @get("/{number:int}/sessions.csv.gz", opt=needs(Permission.SEE_TARIFFS), sync_to_thread=True)
    def sessions(self, page: ThisPage, number: FromPath[int]) -> ASGIStreamingResponse:
        """Return a row for each session, old and new."""
        with page.console.reading() as connection:
            seen_job(page, connection, number)
            first = read_piece(connection, number, FILE, 0)
        if first is None:
            message = page.text("Its sessions are not kept any more: try the draft out again.")
            raise NotFoundException(detail=message)
        name = f'attachment; filename="what-if-{number}.csv.gz"'
        headers = {**HEADERS, "Content-Disposition": name}
        return ASGIStreamingResponse(
            iterator=_pieces(page, number, first),
            media_type="application/gzip",
            headers=headers,
        )


def show_job(page: ConsolePage, connection: Connection[Any], seen: SeenJob) -> Response[Any]:
    """Return the page of a try, or the one of its lists that is wanted as a file."""
    if seen.asked is None:
        return page.show("what_if/odd_job.html.j2", seen=seen, job=seen.job, utc=UTC)
    is_done = seen.job.state is JobState.DONE
    result = result_of(connection, seen.job.number) if is_done else None
    content: dict[str, Any] = {}
    answer = read_stored(result, WhatIfAnswer) if result is not None else None
    if answer is not None:
        view = answer_view(page, connection, seen, answer)
        if file := asked_file(page, view.files):
            return file
        content = {
            "answer": answer,
            "view": view,
            "approval": approval_view(page, connection, answer.tariff_id, answer.version),
        }
    return page.show(
        "what_if/job.html.j2",
        seen=seen,
        job=seen.job,
        asked=seen.asked,
        moves=moves_of(connection, seen.job.number),
        utc=UTC,
        is_done=answer is not None,
        is_unreadable=is_done and answer is None,
        may_change=page.user.may(Permission.CHANGE_TARIFFS),
        **content,
    )


def _jobs(page: ConsolePage, connection: Connection[Any]) -> Listing:
    place = number_of(page.address.of(AFTER))
    return job_listing(page, sorted_jobs(page, connection, place), is_sorted=True)


def _drafts(page: ConsolePage, connection: Connection[Any]) -> Listing:
    place = number_of(page.address.of(AFTER))
    found = seen_drafts(page, connection, place or NEWEST)
    return draft_listing(page, found)._replace(next_after=found.next_after)


def _list_file(page: ConsolePage, form: str) -> Response[Any]:
    """Return one of the lists of the screen, with all its pages, as a file."""
    lists = {"jobs": _jobs, "drafts": _drafts}
    wanted = page.address.of(LIST)
    if wanted not in lists:
        raise NotFoundException(detail=page.text("There is no such list."))
    return listing_file(form, f"what-if-{wanted}", every_page(page, lists[wanted]))


def _pieces(page: ConsolePage, number: int, first: bytes) -> Iterator[bytes]:
    """Yield a file piece by piece: who reads slowly keeps no connection from others."""
    piece: bytes | None = first
    count = 0
    while piece is not None:
        yield piece
        count += 1
        with page.console.pool.connection() as connection:
            piece = read_piece(connection, number, FILE, count)


def _tariffs(page: ConsolePage, known: Declarations) -> Sequence[str]:
    """Return the tariffs within this person's reach."""
    seen = terms_in_reach(known, seeing(page))
    return [each for each in known.keys(Kind.TARIFF) if seen is None or each in seen.tariffs]


def _sites(page: ConsolePage, connection: Connection[Any]) -> list[str]:
    """Return the sites within this person's reach."""
    known = page.console.newest.of(connection)
    found = ((each, known.site(each, page.now)) for each in known.keys(Kind.SITE))
    reach = seeing(page)
    return [each for each, site in found if site and reach.covers(site.legal_entity, each)]


def _named(draft: Draft) -> str:
    return f"{draft.number}: {draft.tariff_id} ({draft.by})"


def _month_before(now: datetime) -> str:
    first = now.astimezone(UTC).replace(day=1)
    return f"{first.year - 1}-12" if first.month == 1 else f"{first.year}-{first.month - 1:02}"
