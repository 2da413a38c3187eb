"""What the part for partners tells: right, bounded in series, and as cheap with a million rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg import Connection

from deploy.observing.metrics import (
    CDRS_MADE,
    CDRS_REFUSED,
    PARTNER_CALLS,
    PARTNER_DEAD,
    PARTNER_LINKS,
    PARTNER_OLDEST,
    PARTNER_WAITING,
    Metric,
)
from deploy.observing.watch import Condition
from deploy.roaming.condition import (
    OTHERS,
    PARTNERS_TOLD_MAX,
    QUESTIONS,
    RoamingCondition,
    roaming_state,
)
from ledger.database import connect
from roaming_ocpi.client.audit import CallDirection, CallRecord
from roaming_ocpi.relay.outgoing import MessageKind, enqueue, put_back
from roaming_ocpi.relay.state import outbox_state
from roaming_ocpi.server.audit import CallAudit
from tests.roaming_ocpi.server.linked_partner import THEIRS, linked_partner

# What asks lives as long as its process, and so do its connections.
pytestmark = pytest.mark.filterwarnings("ignore:.*was deleted while still open:ResourceWarning")

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MAKE_CDRS = """
INSERT INTO roaming_cdr (party, number, cdr_id, session_id, revision, kind, credits, legal_entity,
    currency, net_minor, tax_minor, energy_wh, started_at, ended_at, billing_month, made_at, notes,
    body, sha256)
SELECT party, n, party || n, party || n, 1, 'cdr', NULL, 'watt', 'EUR', 100, 19, 1000, now(), now(),
    '2026-03', now(), '[]', '', '' FROM unnest(%s::text[], %s::integer[]) AS made (party, most),
    generate_series(1, most) AS n
"""
MANY = (
    """
    INSERT INTO outgoing (party, kind, subject, lane, state)
    SELECT 'NL-' || lpad((n % 60)::text, 3, '0'), 'cdr', n, n,
        CASE WHEN n % 2 = 0 THEN 'dead' ELSE 'behind' END
    FROM generate_series(1, 30000) AS n
    """,
    """
    INSERT INTO refused_cdr (session_id, revision, party, code, reason, refused_at)
    SELECT n, 1, 'NL-TNM', 'failed', '', now() FROM generate_series(1, 12000) AS n
    """,
)


def call_record(http: int | None, code: int | None, module: str = "tokens") -> CallRecord:
    return CallRecord(
        direction=CallDirection.OUT,
        partner=THEIRS,
        method="GET",
        template="https://p.example/tokens",
        target="/tokens",
        version="2.2.1",
        module=module,
        http=http,
        status_code=code,
        ms=1,
        request_id="r",
        at=NOON,
    )


def values(condition: Condition, metric: Metric) -> dict[tuple[str, ...], float]:
    [found] = [told.values for told in condition.metrics if told.metric == metric]
    assert isinstance(found, dict)
    return found


async def test_what_goes_on_with_partners_is_told(database: str) -> None:
    await linked_partner(database)
    audit = CallAudit(database, now=lambda: NOON, kept_days=30)
    for http, code in ((200, 1000), (200, 1000), (200, 2001), (401, 2000), (503, None)):
        audit.hear(call_record(http, code))
    audit.hear(call_record(None, None, module="what-a-partner-wrote"))
    audit.close()
    with connect(database) as connection:
        for subject in ("c-1", "c-2", "c-3"):
            enqueue(connection, THEIRS, MessageKind.CDR, subject, lane=subject)
        connection.execute(
            "UPDATE outgoing SET put_at = clock_timestamp() - interval '1 h' WHERE subject = 'c-2'"
        )
        connection.execute("UPDATE outgoing SET state = 'dead' WHERE subject = 'c-3'")
        connection.execute(MAKE_CDRS, ([THEIRS, "BE-BEC"], [3, 2]))
        connection.execute(MANY[1].replace("12000", "2"))
        shown = outbox_state(connection, THEIRS)

    told = RoamingCondition(database)()

    assert told.unready == []
    assert values(told, PARTNER_WAITING) == {(THEIRS,): shown.waiting, (OTHERS,): 0}
    assert values(told, PARTNER_DEAD) == {(THEIRS,): shown.dead, (OTHERS,): 0}
    assert (shown.waiting, shown.dead) == (2, 1)
    assert values(told, PARTNER_OLDEST)[THEIRS,] == pytest.approx(3_600, abs=60)
    assert values(told, PARTNER_LINKS)["registered",] == 1
    assert values(told, CDRS_MADE) == {(): 5}
    assert values(told, CDRS_REFUSED) == {(): 2}
    assert {key: n for key, n in values(told, PARTNER_CALLS).items() if n} == {
        ("out", "tokens", "ok"): 2,
        ("out", "tokens", "refused"): 1,
        ("out", "tokens", "unauthorized"): 1,
        ("out", "tokens", "failed"): 1,
        ("out", "", "unanswered"): 1,
    }


def test_what_is_put_back_waits_anew(database: str) -> None:
    with connect(database) as connection:
        enqueue(connection, THEIRS, MessageKind.CDR, "c-1", lane="c-1")
        connection.execute("UPDATE outgoing SET state = 'dead', put_at = '2026-01-01T00:00:00Z'")
        put_back(connection, THEIRS)
        state = roaming_state(connection)

    assert state.outboxes[THEIRS].oldest_seconds < 600


def test_a_flood_of_which_no_rows_are_kept_is_counted_whole(database: str) -> None:
    audit = CallAudit(database, now=lambda: NOON, kept_days=30)
    for _ in range(500):
        audit.hear(call_record(401, 2000)._replace(partner=None))
    audit.close()
    with connect(database) as connection:
        counted = roaming_state(connection).calls

    assert audit.passed_over > 0
    assert counted == {("out", "tokens", "unauthorized"): 500}


def scans(plan: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Yield every table that a plan reads from end to end, and is not told to stop."""
    if plan["Node Type"] == "Seq Scan":
        yield str(plan["Relation Name"])
    for below in [] if plan["Node Type"] == "Limit" else plan.get("Plans", []):
        yield from scans(below)


def tables_read_whole(connection: Connection[Any]) -> set[str]:
    read: set[str] = set()
    for question in QUESTIONS:
        plan: Any
        explained = connection.execute(f"EXPLAIN (FORMAT JSON) {question}", {"most": 10_000})
        [(plan,)] = explained.fetchall()
        read |= set(scans(plan[0]["Plan"]))
    return read


def test_much_is_told_in_few_series_and_no_table_that_grows_is_read_whole(database: str) -> None:
    with connect(database) as connection:
        connection.execute(MAKE_CDRS, ([f"NL-{n:03}" for n in range(60)], [100] * 60))
        for statement in (*MANY, "ANALYZE"):
            connection.execute(statement)
        read = tables_read_whole(connection)
        state = roaming_state(connection)

    assert read <= {"roaming_link", "roaming_call_count", "told_count"}
    assert len(state.outboxes) == PARTNERS_TOLD_MAX + 1
    assert state.outboxes[OTHERS].waiting + state.outboxes[OTHERS].dead == 10 * 500
    assert state.made == 6_000
    assert state.refused == 10_000
