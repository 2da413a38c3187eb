"""The work of a job: the draft priced over months of the books."""

from __future__ import annotations

import gzip
import io
from contextlib import closing
from typing import Any, Final

import msgspec
from psycopg import Connection

from ledger.declared.declarations import Declarations, Kind
from ledger.declared.store import load_declarations
from ledger.desk.drafting.drafts import Draft, UnknownDraftError, draft_text, find_draft, read_draft
from ledger.desk.drafting.places import places_of
from ledger.errors import LedgerError
from ledger.jobs.working import JobKind, JobProgress
from projections.errors import ProjectionError
from projections.history_reading import history_of_books
from projections.what_if.answer import TOP, WhatIfAnswer, answer_of
from projections.what_if.question import Against, WhatIf
from tariffs.errors import TariffError
from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.pricing import compile_tariff
from tariffs.model.policy import policy_named
from tariffs.model.tariff import Tariff
from tariffs.simulate.session_rows import SessionRows
from tariffs.simulate.simulation import simulated

FILE: Final = "sessions.csv.gz"
"""Of the job: a row for every session, old and new."""
_PROBLEMS_SHOWN: Final = 5


class UnreadableDraftError(ProjectionError):
    """A draft with problems prices nothing."""

    def __init__(self, draft: Draft, problems: tuple[str, ...]) -> None:
        self.draft = draft
        more = len(problems) - _PROBLEMS_SHOWN
        said = "; ".join(problems[:_PROBLEMS_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        super().__init__(f"draft {draft.number} cannot be tried out before it is mended: {said}")


class NothingToHoldAgainstError(ProjectionError):
    """No version of the tariff is in force after the months that were asked for."""

    def __init__(self, tariff_id: str, month: str) -> None:
        super().__init__(
            f"no version of tariff {tariff_id} holds after {month}: hold the draft against what "
            "was billed"
        )


def readable_draft(connection: Connection[Any], number: int) -> tuple[Draft, Tariff]:
    """Return a draft and the tariff that it is.

    Raises:
        UnknownDraftError: If there is none.
        UnreadableDraftError: If it has problems.
    """
    draft = find_draft(connection, number)
    if draft is None:
        raise UnknownDraftError(number)
    tariff, problems = read_draft(draft_text(connection, draft), draft.source)
    if tariff is None:
        raise UnreadableDraftError(draft, tuple(map(str, problems)))
    return draft, tariff


def answer_what_if(
    connection: Connection[Any], parameters: bytes, progress: JobProgress
) -> WhatIfAnswer:
    """Price the draft over the months, all of one moment of the books."""
    asked = msgspec.json.decode(parameters, type=WhatIf)
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        draft, tariff = readable_draft(connection, asked.draft)
        declarations = load_declarations(connection)
        policy = policy_named(declarations.policy(asked.after).pricing)
        old = _old_side(asked, tariff, declarations)
        with (
            progress.file(FILE) as file,
            # The time in its head would make two files of the same rows differ.
            gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6, mtime=0) as packed,
            closing(io.TextIOWrapper(packed, "utf-8", newline="")) as text,
        ):
            chunks = history_of_books(
                connection, asked.since, asked.until, tariff.currency, progress, asked.choose
            )
            rows = SessionRows(text, tariff.currency)
            new = compile_tariff(tariff)
            result = simulated(chunks, new, old, policy=policy, top=TOP, rows=rows)
    is_whole = _is_whole(asked, tariff, declarations)
    return answer_of(result, tariff.id, draft.version, is_whole=is_whole)


def _is_whole(asked: WhatIf, tariff: Tariff, declarations: Declarations) -> bool:
    """Say whether all sessions took part that the tariff prices; a new one prices none yet."""
    is_new = not declarations.history(Kind.TARIFF, tariff.id)
    places = places_of(declarations, tariff.id)
    return (
        not asked.site
        and (is_new or asked.tariff == tariff.id)
        and places.are_within(asked.reach.reach)
    )


def _old_side(asked: WhatIf, tariff: Tariff, declarations: Declarations) -> CompiledTariff | None:
    if asked.against is Against.BILLED:
        return None
    known = asked.tariff or tariff.id
    version = declarations.tariff(known, asked.after)
    if version is None:
        raise NothingToHoldAgainstError(known, asked.last_month)
    return compile_tariff(version.tariff)


WHAT_IF: Final = JobKind(answer_what_if, (LedgerError, ProjectionError, TariffError))
"""What a runner does for such a job."""
