"""The kinds of work that waits: what of it there is, the oldest first.

Each reads rows that exist only while something waits, or an index of such: what is done with costs
nothing. Every query tells the same columns: `key`, `place` (a station, or a legal entity), `at`,
`minor` of `currency`, `codes` that say why, and what it is `about`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Final, LiteralString, NamedTuple

from projections.finding.stays import STAYS

NUMBERS_LOOKED_AT: Final = 5_000
"""Gaps are looked for among so many documents, the newest; Integrity looks at all."""
_BEGUN: LiteralString = "coalesce(started_at, first_fact_at)"
_COLUMNS: LiteralString = f"""
SELECT session_id AS key, station_id AS place, {_BEGUN} AS at, NULL::bigint AS minor,
    NULL::text AS currency, reasons AS codes, '' AS about FROM """  # noqa: S608 - our own
_STOOD: LiteralString = f"{_BEGUN} >= begins AND {_BEGUN} < ends"
# As the indexes of listed sessions are, read from their other end.
_OLDEST_FIRST: LiteralString = f" ORDER BY {_BEGUN}, session_id DESC"
_NEWEST_FIRST: LiteralString = f" ORDER BY {_BEGUN} DESC, session_id"
_BEHIND_OLDER: LiteralString = f""" AND (%(after_at)s::timestamptz IS NULL
    OR {_BEGUN} >= %(after_at)s AND ({_BEGUN} > %(after_at)s OR session_id < %(after_key)s))"""
_BEHIND_NEWER: LiteralString = f""" AND (%(after_at)s::timestamptz IS NULL
    OR {_BEGUN} <= %(after_at)s AND ({_BEGUN} < %(after_at)s OR session_id > %(after_key)s))"""
_OF_STATION: LiteralString = """(%(stations)s::text[] IS NULL OR EXISTS (
    SELECT FROM unnest(%(stations)s::text[], %(ends)s::timestamptz[]) AS stay (stands, ends)
    WHERE stands = station_id AND ends = 'infinity'))"""
_OF_ENTITY: LiteralString = (
    "(%(entities)s::text[] IS NULL OR legal_entity = ANY (%(entities)s::text[]))"
)


class WaitingQuery(NamedTuple):
    """What finds all that waits of a kind, and what of it is within a reach; without its LIMIT."""

    whole: LiteralString
    cut: LiteralString


class WaitingOrder(StrEnum):
    """By what things that wait are sorted, and by the key where that is the same."""

    OLDEST = "since"
    NEWEST = "-since"
    LEAST = "amount"
    MOST = "-amount"


Queries = Mapping[WaitingOrder, WaitingQuery]


class WaitingKind(NamedTuple):
    """A kind: its title and what to do about it, in English, and what finds it in each order."""

    id: str
    title: str
    advice: str
    queries: Queries

    @property
    def query(self) -> WaitingQuery:
        """Return what finds it, the oldest first."""
        return self.queries[WaitingOrder.OLDEST]


_BY_AGE: Final[Sequence[tuple[WaitingOrder, LiteralString, LiteralString]]] = (
    (WaitingOrder.OLDEST, _BEHIND_OLDER, _OLDEST_FIRST),
    (WaitingOrder.NEWEST, _BEHIND_NEWER, _NEWEST_FIRST),
)


def _flagged(which: LiteralString) -> Queries:
    """Return what finds sessions of which there are few, by an index for them alone."""
    found = {}
    for order, behind, sort in _BY_AGE:
        whole: LiteralString = f"{_COLUMNS} session WHERE {which}{behind}"
        cut = f"{whole} AND EXISTS (SELECT FROM {STAYS} WHERE stands = station_id AND {_STOOD})"
        found[order] = WaitingQuery(whole + sort, cut + sort)
    return found


def held_queries(which: LiteralString = "true") -> Queries:
    """Return what finds held sessions, however many there are: within a reach at each station."""
    queries = {}
    for order, behind, sort in _BY_AGE:
        found: LiteralString = f"session WHERE state = 'held' AND {which}{behind}"
        each: LiteralString = f"""SELECT * FROM {found} AND station_id = stands AND {_STOOD}
            {sort} LIMIT %(limit)s"""  # noqa: S608 - our own
        queries[order] = WaitingQuery(
            _COLUMNS + found + sort,
            f"{_COLUMNS} {STAYS} CROSS JOIN LATERAL ({each}) AS held {sort}",
        )
    return queries


def _same(query: LiteralString) -> WaitingQuery:
    return WaitingQuery(query, query)


_KEYS: Final[Sequence[tuple[WaitingOrder, LiteralString, LiteralString, LiteralString]]] = (
    (WaitingOrder.OLDEST, "coalesce(at, 'epoch')", ">", ""),
    (WaitingOrder.NEWEST, "coalesce(at, 'epoch')", "<", " DESC"),
    (WaitingOrder.LEAST, "coalesce(minor, 0)", ">", ""),
    (WaitingOrder.MOST, "coalesce(minor, 0)", "<", " DESC"),
)
_SAID_KEYS: LiteralString = "coalesce(%(after_at)s, 'epoch'::timestamptz)"
_SAID_AMOUNT: LiteralString = "coalesce(%(after_minor)s::bigint, 0)"


def _sorted(inner: LiteralString) -> Queries:
    """Return what finds things of which there are only those that wait: each order sorts them."""
    found = {}
    for order, key, behind, down in _KEYS:
        is_by_age = order in {WaitingOrder.OLDEST, WaitingOrder.NEWEST}
        said: LiteralString = _SAID_KEYS if is_by_age else _SAID_AMOUNT
        found[order] = _same(f"""SELECT * FROM ({inner}) AS waiting
        WHERE %(after_key)s::text IS NULL OR ({key}, key) {behind} ({said}, %(after_key)s)
        ORDER BY {key}{down}, key{down}""")  # noqa: S608 - our own
    return found


_REFUSED: LiteralString = f"""
SELECT cause AS key, legal_entity AS place, since AS at, NULL::bigint AS minor,
    NULL::text AS currency, '{{}}'::text[] AS codes, why AS about
FROM refused_document CROSS JOIN LATERAL (SELECT CASE split_part(cause, ':', 1)
    WHEN 'month' THEN split_part(cause, ':', 4)
    WHEN 'credit' THEN (SELECT legal_entity FROM issued_invoice
        WHERE number = regexp_replace(cause, '^credit:[0-9]+:', ''))
    ELSE (SELECT legal_entity FROM uninvoiced_session
        WHERE session_id = regexp_replace(cause, '^[a-z]+:(.*?)(/[0-9]+)?$', '\\1') LIMIT 1)
    END AS legal_entity) AS seller
WHERE {_OF_ENTITY}"""  # noqa: S608 - our own
_ENERGY: LiteralString = f"""
SELECT concat(day, ' ', station_id) AS key, station_id AS place,
    day::timestamp AT TIME ZONE 'UTC' AS at, NULL::bigint AS minor, NULL::text AS currency,
    ARRAY['energy_differs'] AS codes,
    concat(kept.metered_wh - kept.dropped_wh - counted, ' Wh') AS about
FROM energy_total JOIN energy_day AS kept USING (station_id) CROSS JOIN LATERAL (
    SELECT kept.billed_wh + kept.free_wh + kept.held_for_decision_wh + kept.waiting_wh
        + kept.open_wh + kept.written_off_wh + kept.unattributed_wh AS counted) AS parts
WHERE energy_total.days_off > 0 AND kept.metered_wh - kept.dropped_wh <> counted AND {_OF_STATION}
"""  # noqa: S608 - our own
_NUMBERS: LiteralString = f"""
SELECT number AS key, legal_entity AS place, issued_on::timestamp AT TIME ZONE 'UTC' AS at,
    NULL::bigint AS minor, NULL::text AS currency, ARRAY['number_gap'] AS codes,
    concat(before + 1, ' - ', place - 1) AS about
FROM (
    SELECT number, legal_entity, place, issued_on, lag(place) OVER (
        PARTITION BY legal_entity, credits IS NOT NULL, extract(year FROM issued_on) ORDER BY place
    ) AS before
    FROM (SELECT * FROM issued_invoice ORDER BY issued_on DESC, number DESC
          LIMIT {NUMBERS_LOOKED_AT}) AS newest
) AS numbered WHERE place > before + 1 AND {_OF_ENTITY}"""  # noqa: S608 - our own
_UNBALANCED: LiteralString = f"""
SELECT concat(legal_entity, ' ', currency) AS key, legal_entity AS place, NULL::timestamptz AS at,
    sum(debit_minor - credit_minor)::bigint AS minor, currency, ARRAY['unbalanced'] AS codes,
    '' AS about
FROM booked_sum WHERE span IN ('month', 'added') AND {_OF_ENTITY}
GROUP BY legal_entity, currency HAVING sum(debit_minor - credit_minor) <> 0"""  # noqa: S608 - our own
_LINES: LiteralString = f"""
SELECT concat(partition, '/', position, '/', line) AS key,
    string_agg(DISTINCT station_id, ', ') AS place, NULL::timestamptz AS at, NULL::bigint AS minor,
    NULL::text AS currency, array_agg(DISTINCT reason) AS codes, min(why) AS about
FROM line_set_aside WHERE taken_at IS NULL AND {_OF_STATION} GROUP BY partition, position, line
"""  # noqa: S608 - our own
_BANK: LiteralString = f"""
SELECT line AS key, legal_entity AS place, waits.booked_on::timestamp AT TIME ZONE 'UTC' AS at,
    left_minor AS minor, currency, ARRAY[reason] AS codes, source AS about
FROM unmatched_line AS waits JOIN bank_line USING (line) WHERE {_OF_ENTITY}"""  # noqa: S608 - our own
_UNEXPLAINED: LiteralString = f"""
SELECT number::text AS key, legal_entity AS place, waits.happened_at AS at, left_minor AS minor,
    currency, ARRAY[kind] AS codes, concat(source, '/', reference) AS about
FROM (SELECT number, left_minor, happened_at FROM unmatched_money) AS waits
JOIN movement USING (number) WHERE {_OF_ENTITY}"""  # noqa: S608 - our own
_DISPUTES: LiteralString = f"""
SELECT dispute_id AS key, legal_entity AS place, created_at AS at, amount_minor AS minor, currency,
    ARRAY[status] AS codes, coalesce((SELECT min(document) FROM allotment
        WHERE number = dispute.received AND document <> ''), '') AS about
FROM dispute WHERE status IN ('inquiry', 'open') AND {_OF_ENTITY}"""  # noqa: S608 - our own
_SECOND: LiteralString = f"""
SELECT key, legal_entity AS place, at, minor, currency, ARRAY[kind] AS codes, proposed_by AS about
FROM (
    SELECT line AS key, legal_entity, proposed_at AS at, amount_minor AS minor, currency,
        'match' AS kind, proposed_by
    FROM match_proposal JOIN bank_line USING (line)
    UNION ALL
    SELECT number::text, legal_entity, proposed_at, amount_minor, currency, 'money', proposed_by
    FROM money_proposal JOIN movement USING (number)
    UNION ALL
    SELECT invoice, legal_entity, proposed_at, amount_minor, currency, 'refund', proposed_by
    FROM refund_proposal JOIN issued_invoice ON number = invoice
) AS proposed WHERE {_OF_ENTITY}"""  # noqa: S608 - our own
# With its own order, which an index has: of what is open long, there may be much.
_OVERDUE: LiteralString = f"""
SELECT number AS key, legal_entity AS place, due_on::timestamp AT TIME ZONE 'UTC' AS at,
    open_minor AS minor, currency, '{{}}'::text[] AS codes, coalesce(name, customer, '') AS about
FROM open_invoice JOIN unnest(%(sellers)s::text[], %(todays)s::date[])
    AS calendar (legal_entity, today) USING (legal_entity)
LEFT JOIN subject ON subject = customer
WHERE open_minor > 0 AND due_on < %(latest)s AND due_on < today AND {_OF_ENTITY}
    AND (%(after_at)s::timestamptz IS NULL OR (due_on, number) """  # noqa: S608 - our own
_DUE_KEY: LiteralString = "((%(after_at)s AT TIME ZONE 'UTC')::date, %(after_key)s))"
_OVERDUE_QUERIES: Final[Queries] = {
    WaitingOrder.OLDEST: _same(f"{_OVERDUE} > {_DUE_KEY} ORDER BY due_on, number"),
    WaitingOrder.NEWEST: _same(f"{_OVERDUE} < {_DUE_KEY} ORDER BY due_on DESC, number DESC"),
}

HELD: Final = "held"
HELD_FOR: Final = held_queries("reasons @> ARRAY[%(reason)s::text]")
"""What finds the held sessions with one of their reasons."""
SET_ASIDE: Final = "set_aside"
_KINDS: Final = (
    WaitingKind(
        HELD,
        "Held sessions",
        "Decide each: release it, or write it off.",
        held_queries(),
    ),
    WaitingKind(
        "gaps",
        "Held for missing facts",
        "Ask the station for what is missing, or say how the session ended.",
        held_queries("flags && '{seq_gap,stop_lost}'"),
    ),
    WaitingKind(
        "late",
        "Late facts",
        "They would change what was billed: agree to the correction, or let the price stand.",
        _flagged("'correction_waits' = ANY (flags)"),
    ),
    WaitingKind(
        "contested",
        "Contested sessions",
        "Their payers contest what was billed: credit what is wrong, or say that it holds.",
        _flagged("'disputed' = ANY (flags)"),
    ),
    WaitingKind(
        SET_ASIDE,
        "Lines set aside",
        "They raised an error: mend its cause, then wattledger log take-again.",
        _sorted(_LINES),
    ),
    WaitingKind(
        "refused",
        "Documents that cannot be issued",
        "Declare what is missing; each is tried again by itself.",
        _sorted(_REFUSED),
    ),
    WaitingKind(
        "numbers",
        "Missing numbers",
        "Find out what became of them before the month is closed.",
        _sorted(_NUMBERS),
    ),
    WaitingKind(
        "energy",
        "Days whose energy does not add up",
        "See at the station and day which part differs.",
        _sorted(_ENERGY),
    ),
    WaitingKind(
        "unbalanced",
        "Books that do not balance",
        "See Integrity, and let nobody close a month.",
        _sorted(_UNBALANCED),
    ),
    WaitingKind(
        "unmatched",
        "Unmatched bank lines",
        "Say what each was paid for.",
        _sorted(_BANK),
    ),
    WaitingKind(
        "unexplained",
        "Unexplained money at a provider",
        "Say what each is for.",
        _sorted(_UNEXPLAINED),
    ),
    WaitingKind(
        "disputes",
        "Open disputes",
        "Send the session's evidence at the provider, or accept the dispute.",
        _sorted(_DISPUTES),
    ),
    WaitingKind(
        "overdue",
        "Overdue invoices",
        "Remind the customer, or collect again.",
        _OVERDUE_QUERIES,
    ),
    WaitingKind(
        "second",
        "Money that waits for a second person",
        "Say the same as the first person, or something else.",
        _sorted(_SECOND),
    ),
)
KINDS: Final[Mapping[str, WaitingKind]] = MappingProxyType({each.id: each for each in _KINDS})
