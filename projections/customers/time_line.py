"""All that happened to a customer on one time line, the newest first: one statement a page.

    session     began with a token of the customer's
    elsewhere   a partner's CDR of such a token
    correction  a session's price was decided again
    invoice, credit_note, reminder
    payment     money that came or went for it (`payments`), prepayment
    dispute     its bank or card took a payment back

Each source gives its newest, behind where the page before ended, and the newest of all are shown:
what a page costs hangs on its length.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from projections.customers.tokens_of import TOKENS, HeldTokens
from projections.finding.stays import STAYS, Stays

_BEGUN: LiteralString = "coalesce(started_at, first_fact_at)"
# Within the stays of a reach; NULL: everywhere.
_WITHIN: LiteralString = (
    "(%(stations)s::text[] IS NULL OR EXISTS (SELECT FROM "
    + STAYS
    + f" WHERE stands = station_id AND {_BEGUN} >= stay.begins AND {_BEGUN} < stay.ends))"
)
# As rows of one column more: PostgreSQL takes two bounds of one expression for a narrow span, and
# would sort all that a token ever charged for the newest of it.
_HELD_THEN: LiteralString = f"""
({_BEGUN}, '') >= (held.begins, '') AND ({_BEGUN}, '') < (held.ends, '')
"""
_OF_ENTITIES: LiteralString = """
(%(legal_entities)s::text[] IS NULL OR legal_entity = ANY (%(legal_entities)s))
"""
# `at`, kind and ref order all of it; so does each source, and brings as many as could be shown.
_BEHIND: LiteralString = """
 AND at <= %(at)s AND (at < %(at)s OR (kind, ref) > (%(kind)s, %(ref)s))
ORDER BY at DESC, kind, ref LIMIT %(limit)s
"""
_SESSIONS: LiteralString = f"""
SELECT at, kind, ref, '' AS legal_entity, station_id, NULL::text AS currency,
    NULL::bigint AS minor, state AS what, revision
FROM {TOKENS} CROSS JOIN LATERAL (
    SELECT {_BEGUN} AS at, 'session' AS kind, session_id AS ref, station_id, state, revision
    FROM listed_session WHERE token_uid = token AND NOT is_refused
      AND {_HELD_THEN} AND {_BEGUN} <= %(at)s
      AND ({_BEGUN} < %(at)s OR ('session', session_id) > (%(kind)s, %(ref)s)) AND {_WITHIN}
    ORDER BY {_BEGUN} DESC, session_id LIMIT %(limit)s
) AS session WHERE true
"""  # noqa: S608 - our own
_ELSEWHERE: LiteralString = f"""
SELECT at, kind, ref, '', party, currency, NULL, verdict, 0
FROM unnest(%(partners)s::text[]) AS partner CROSS JOIN {TOKENS} CROSS JOIN LATERAL (
    SELECT ended_at AS at, 'elsewhere' AS kind, party || '/' || cdr_id AS ref, party, currency,
        verdict
    FROM partner_cdr WHERE party = partner AND subject = token AND partner_cdr.kind = 'cdr'
      AND credited_by IS NULL AND ended_at IS NOT NULL AND ended_at >= held.begins
      AND ended_at < held.ends AND ended_at <= %(at)s
    ORDER BY ended_at DESC LIMIT %(limit)s
) AS cdr WHERE %(stations)s::text[] IS NULL
"""  # noqa: S608 - our own
_CORRECTIONS: LiteralString = f"""
SELECT at, kind, ref, '', station_id, NULL, NULL, '', revision FROM (
    SELECT decided_at AS at, 'correction' AS kind,
        decision.session_id || '#' || decision.revision AS ref,
        station_id, decision.revision
    FROM {TOKENS} JOIN session ON token_uid = token AND session.revision > 1
    JOIN session_decision AS decision USING (session_id, station_id)
    WHERE decision.kind = 'corrected' AND {_BEGUN} >= held.begins AND {_BEGUN} < held.ends
      AND {_WITHIN}
) AS corrected WHERE true
"""  # noqa: S608 - our own
_DOCUMENTS: LiteralString = f"""
SELECT * FROM (
    SELECT issued_at AS at, CASE WHEN credits IS NULL THEN 'invoice' ELSE 'credit_note' END AS kind,
        number AS ref, legal_entity, '', currency,
        CASE WHEN credits IS NULL THEN due_minor ELSE -due_minor END, coalesce(credits, ''), 0
    FROM issued_invoice WHERE customer = %(customer)s AND issued_at <= %(at)s
) AS document WHERE {_OF_ENTITIES}
"""  # noqa: S608 - our own
_REMINDERS: LiteralString = f"""
SELECT * FROM (
    SELECT decided_at AS at, 'reminder' AS kind, invoice || '/' || level AS ref, legal_entity, '',
        currency, open_minor, invoice, level
    FROM reminder WHERE customer = %(customer)s AND decided_at <= %(at)s
) AS reminded WHERE {_OF_ENTITIES}
"""  # noqa: S608 - our own
_PREPAYMENTS: LiteralString = f"""
SELECT * FROM (
    SELECT received_at AS at, 'prepayment' AS kind, legal_entity || '/' || reference AS ref,
        legal_entity, '', currency, amount_minor, recorded_by, 0
    FROM prepayment WHERE customer = %(customer)s AND received_at <= %(at)s
) AS prepaid WHERE {_OF_ENTITIES}
"""  # noqa: S608 - our own
# In the order of an index, so that no more is read than is shown.
_MOVED: LiteralString = """
    SELECT moved_at AS at, number, sum(minor)::bigint AS minor, max(document) AS document
    FROM allotment WHERE party = %(customer)s AND party <> '' AND moved_at <= %(at)s
    GROUP BY moved_at, number ORDER BY moved_at DESC, number
"""
_PAYMENTS: LiteralString = f"""
SELECT * FROM (
    SELECT at, 'payment' AS kind, number::text AS ref, legal_entity, source,
        currency, moved.minor, movement.kind || '/' || document AS what, 0
    FROM ({_MOVED}) AS moved JOIN movement USING (number)
) AS paid WHERE {_OF_ENTITIES}
"""  # noqa: S608 - our own
_DISPUTES: LiteralString = f"""
SELECT * FROM (
    SELECT created_at AS at, 'dispute' AS kind, provider || '/' || dispute_id AS ref, legal_entity,
        '', currency, -taken_minor, status, 0
    FROM dispute WHERE payer = %(customer)s AND payer <> '' AND created_at <= %(at)s
) AS disputed WHERE {_OF_ENTITIES}
"""  # noqa: S608 - our own
_SOURCES: Final[Sequence[LiteralString]] = (
    _SESSIONS,
    _ELSEWHERE,
    _CORRECTIONS,
    _DOCUMENTS,
    _REMINDERS,
    _PREPAYMENTS,
    _PAYMENTS,
    _DISPUTES,
)
_ONE: LiteralString = " UNION ALL ".join(f"({each}{_BEHIND})" for each in _SOURCES)
_TIME_LINE: LiteralString = f"""
SELECT * FROM ({_ONE}) AS happened
ORDER BY at DESC, kind, ref LIMIT %(limit)s
"""  # noqa: S608 - our own
_BEGINNING: Final = ("infinity", "", "")


class Happened(NamedTuple):
    """An entry. `ref`: what it is about, as its `kind` names it; a correction is SESSION#REVISION.

    `minor`: what it moves in minor units of `currency`; None: others know. `place`: its station,
    partner or source; `what`: a session's state, an invoice that is credited or reminded of, a
    movement's kind and (one) document, who recorded it; `number`: a session's revision, a
    reminder's level.
    """

    at: datetime
    kind: str
    ref: str
    legal_entity: str
    place: str
    currency: str | None
    minor: int | None
    what: str
    number: int


class WhoseTimeLine(NamedTuple):
    """Whose, and what of it may be seen; `legal_entities` and `stays` None: all.

    `partners`: all there are, whose CDRs are looked at.
    """

    customer: str
    tokens: HeldTokens
    partners: Sequence[str] = ()
    legal_entities: Sequence[str] | None = None
    stays: Stays | None = None


class BehindHappening(NamedTuple):
    """Where a page goes on: behind this entry."""

    at: datetime
    kind: str
    ref: str


def time_line(
    connection: Connection[Any],
    whose: WhoseTimeLine,
    *,
    limit: int,
    until: datetime | None = None,
    behind: BehindHappening | None = None,
) -> list[Happened]:
    """Return what happened, the newest first: before *until*, and *behind* an entry."""
    at, kind, ref = behind or (until or _BEGINNING[0], *_BEGINNING[1:])
    if behind is None and until is not None:
        # Before that moment: nothing of it itself.
        kind = "\U0010ffff"
    stays = whose.stays
    asked: dict[str, object] = {
        "stations": None,
        "begins": None,
        "ends": None,
        **(stays.asked() if stays else {}),
        **whose.tokens.asked(),
        "customer": whose.customer,
        "partners": list(whose.partners),
        "legal_entities": None if whose.legal_entities is None else list(whose.legal_entities),
        "at": at,
        "kind": kind,
        "ref": ref,
        "limit": limit,
    }
    return [Happened(*row) for row in connection.execute(_TIME_LINE, asked)]
