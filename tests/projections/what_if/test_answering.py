"""What a draft would have made of the charging day, and whose sessions take part."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest
from psycopg import Connection

from ledger.database import connect
from ledger.declared.store import load_declarations
from ledger.desk.drafting.drafts import keep_draft
from ledger.desk.drafting.variance import TRY_KIND
from ledger.jobs.asking import ask_for
from ledger.jobs.files import read_file
from ledger.jobs.taking import TakenJob, finish_job, take_job
from ledger.jobs.working import JobProgress
from ledger.shapes import read_stored
from projections.what_if.answer import WhatIfAnswer
from projections.what_if.answering import FILE, NothingToHoldAgainstError, answer_what_if
from projections.what_if.question import (
    Against,
    AskedReach,
    BadMonthsError,
    WhatIf,
    check_months,
    months_between,
)
from projections.what_if.session_prices import SessionTookNoPartError, session_prices
from tariffs.files.writing.tariff import write_tariff_file
from tariffs.model.canonical import canonical_json
from tests.charging_day import MORNING
from tests.projections.books_of_a_day import books_of_a_day

NOW = datetime(2026, 4, 1, tzinfo=UTC)
EVERYWHERE = AskedReach(everywhere=True)


@pytest.fixture
def books(database: str) -> str:
    return books_of_a_day(database)


def day_text(connection: Connection[Any], *, plain: bool = False) -> str:
    version = load_declarations(connection).tariff("DAY", MORNING)
    assert version is not None
    tariff = version.tariff
    if plain:
        tariff = msgspec.structs.replace(tariff, adjustments=())
    return write_tariff_file(tariff)[0]


def answered(
    connection: Connection[Any], text: str, **asked: object
) -> tuple[WhatIfAnswer, TakenJob]:
    """Do the work of a job as its process does."""
    draft = keep_draft(connection, text, by="mara", at=NOW)
    given = {
        "first_month": "2026-03",
        "last_month": "2026-03",
        "tariff": "DAY",
        "reach": EVERYWHERE,
    }
    question = WhatIf(draft=draft.number, **{**given, **asked})  # type: ignore[arg-type]
    ask_for(connection, TRY_KIND, question, subject=draft.version, by="mara", at=NOW)
    taken = take_job(connection, {TRY_KIND}, runner="r", seconds=60, at=NOW)
    assert taken is not None
    with connect(connection.info.dsn) as telling:
        answer = answer_what_if(connection, taken.parameters, JobProgress(telling, taken))
    kept = canonical_json(answer)
    finish_job(connection, taken, kept, at=NOW)
    assert read_stored(kept, WhatIfAnswer) == answer
    return answer, taken


def test_the_version_in_force_as_a_draft_changes_nothing(books: str) -> None:
    with connect(books) as connection:
        text = day_text(connection)
        billed, taken = answered(connection, text)
        in_force, _ = answered(connection, text, against=Against.IN_FORCE)
        rows = connection.execute(
            "SELECT count(*) FROM final_decision WHERE kind <> 'written_off'"
        ).fetchone()
        packed = b"".join(read_file(connection, taken.number, FILE))

    assert (billed.total.sessions,) == rows
    assert billed.total.old_minor == billed.total.new_minor > 0
    assert (billed.dearer, billed.cheaper, billed.left_out) == (0, 0, 0)
    assert billed.variance.is_whole
    assert billed.variance.percent == 0
    assert in_force.total == billed.total
    assert packed.startswith(b"\x1f\x8b")
    assert sum(each.sessions for each in billed.spread) == billed.total.sessions


def test_who_loses_a_grant_pays_and_the_session_says_why(books: str) -> None:
    with connect(books) as connection:
        answer, taken = answered(connection, day_text(connection, plain=True))
        dearest = answer.dearer_sessions[0]
        asked = msgspec.json.decode(taken.parameters, type=WhatIf)
        tariff = load_declarations(connection).tariff("DAY", MORNING)
        assert tariff is not None
        plain = msgspec.structs.replace(tariff.tariff, adjustments=())
        prices = session_prices(connection, asked, plain, dearest.id)
        with pytest.raises(SessionTookNoPartError):
            session_prices(connection, asked, plain, "nothing/of/it")
        elsewhere = msgspec.structs.replace(asked, site="other")
        with pytest.raises(SessionTookNoPartError):
            session_prices(connection, elsewhere, plain, dearest.id)

    assert [each.name for each in answer.customers.losers] == ["home"]
    assert answer.variance.dearest_minor == dearest.difference_minor > 0
    assert prices.billed_minor == prices.old.gross_minor == dearest.old_minor
    assert prices.new.gross_minor == dearest.new_minor
    assert prices.old.lines != prices.new.lines


TAKE_PART: tuple[tuple[dict[str, object], bool], ...] = (
    ({"site": "yard"}, True),
    ({"tariff": ""}, True),
    ({"first_month": "2026-01", "last_month": "2026-12"}, True),
    ({"site": "other"}, False),
    ({"tariff": "OTHER"}, False),
    ({"first_month": "2026-01", "last_month": "2026-02"}, False),
    ({"first_month": "2026-04", "last_month": "2026-05"}, False),
    ({"reach": AskedReach(everywhere=False)}, False),
    ({"reach": AskedReach(everywhere=False, sites=(("watt", "other"),))}, False),
    ({"reach": AskedReach(everywhere=False, sites=(("other", "yard"),))}, False),
    ({"reach": AskedReach(everywhere=False, sites=(("watt", "yard"),))}, True),
)


def test_only_what_was_asked_for_takes_part(books: str) -> None:
    with connect(books) as connection:
        text = day_text(connection, plain=True)
        answers = [answered(connection, text, **asked)[0] for asked, _ in TAKE_PART]

    for answer, (asked, takes_part) in zip(answers, TAKE_PART, strict=True):
        assert bool(answer.total.sessions) is takes_part, asked
        assert answer.total.new_minor == sum(each.new_minor for each in answer.spread)
        # The yard is all that the tariff prices.
        is_whole = "first_month" in asked or ("reach" in asked and takes_part)
        assert answer.variance.is_whole is is_whole, asked


def test_nothing_is_held_against_a_version_that_is_not(books: str) -> None:
    with connect(books) as connection, pytest.raises(NothingToHoldAgainstError, match="OTHER"):
        answered(connection, day_text(connection), tariff="OTHER", against=Against.IN_FORCE)


def test_months_go_over_the_end_of_a_year() -> None:
    asked = WhatIf(draft=1, first_month="2025-12", last_month="2026-02", reach=EVERYWHERE)

    assert months_between("2025-12", "2026-02") == ["2025-12", "2026-01", "2026-02"]
    assert asked.after == datetime(2026, 3, 1, tzinfo=UTC)
    assert asked.since < date(2025, 11, 1) < asked.until
    check_months("2023-01", "2025-12")
    for first, last in (("2023-01", "2026-01"), ("2026-1", "2026-1"), ("\u0662026-01", "2026-01")):
        with pytest.raises(BadMonthsError):
            check_months(first, last)
