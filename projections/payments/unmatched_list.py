"""Money that nobody knows what it is for, wherever it came: filtered, the oldest first.

    a line of a bank's statement        what of it stands on cash:unmatched (`unmatched_line`)
    a movement at a payment provider    the same of a payout's line (`unmatched_money`)

What a payer wrote lies sealed: who looks for a text has so many rows opened and looked through.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

from ledger.payments.bank.details import LineDetails
from ledger.payments.bank.lines import BankLine, details_of_lines, find_lines

LOOKED_AT_MAX: Final = 2_000
"""So many rows are opened for a text at once."""
SUMMED_MAX: Final = 5_000
"""So many rows are added up unasked."""
_AT_ONCE: Final = 500
_FIT: LiteralString = """
(%(entities)s::text[] IS NULL OR legal_entity = ANY (%(entities)s::text[]))
AND (%(legal_entity)s::text IS NULL OR legal_entity = %(legal_entity)s)
AND (%(source)s::text IS NULL OR source = %(source)s
    OR %(source)s = 'bank' AND source LIKE 'bank:%%'
    OR %(source)s = 'provider' AND source NOT LIKE 'bank:%%')
AND (%(currency)s::text IS NULL OR currency = %(currency)s)
AND (%(is_in)s::boolean IS NULL OR (left_minor > 0) = %(is_in)s)
AND (%(least_minor)s::bigint IS NULL OR abs(left_minor) >= %(least_minor)s)
AND (%(most_minor)s::bigint IS NULL OR abs(left_minor) <= %(most_minor)s)
"""
_BANK: LiteralString = f"""
SELECT waits.line AS key, NULL::bigint AS number, waits.booked_on::timestamp AT TIME ZONE 'UTC'
    AS at, source, legal_entity, currency, left_minor, reason AS why, line.amount_minor, '' AS about
FROM unmatched_line AS waits JOIN bank_line AS line USING (line)
WHERE (%(until)s::date IS NULL OR waits.booked_on < %(until)s)
    AND (%(after_at)s::timestamptz IS NULL
        OR waits.booked_on >= (%(after_at)s AT TIME ZONE 'UTC')::date
        AND (waits.booked_on::timestamp AT TIME ZONE 'UTC', waits.line)
            > (%(after_at)s, %(after_key)s)) AND {_FIT}
ORDER BY waits.booked_on, waits.line
"""  # noqa: S608 - our own
_PROVIDER: LiteralString = f"""
SELECT number::text AS key, number, at, source, legal_entity, currency, left_minor, kind AS why,
    amount_minor, concat_ws(' ', reference, nullif(about, '')) AS about
FROM (
    SELECT number, happened_at AS at, left_minor FROM unmatched_money
    WHERE (%(until)s::date IS NULL OR happened_at < %(until)s::date::timestamp AT TIME ZONE 'UTC')
        AND (%(after_at)s::timestamptz IS NULL OR happened_at >= %(after_at)s
            AND (happened_at, number::text) > (%(after_at)s, %(after_key)s))
) AS waits JOIN movement USING (number) WHERE {_FIT}
ORDER BY at, number::text
"""  # noqa: S608 - our own
_LISTED: LiteralString = f"""
SELECT * FROM (({_BANK} LIMIT %(limit)s) UNION ALL ({_PROVIDER} LIMIT %(limit)s)) AS waits
ORDER BY at, key LIMIT %(limit)s
"""  # noqa: S608 - our own
_SUMS: LiteralString = f"""
SELECT currency, count(*), sum(left_minor) FILTER (WHERE left_minor > 0)::bigint,
    sum(left_minor) FILTER (WHERE left_minor < 0)::bigint
FROM ({_LISTED}) AS waits GROUP BY currency ORDER BY currency
"""  # noqa: S608 - our own
_PLACES: LiteralString = f"""
SELECT DISTINCT source, legal_entity, currency FROM ({_LISTED}) AS waits ORDER BY 1, 2, 3
"""  # noqa: S608 - our own


class UnmatchedWish(NamedTuple):
    """Which of it; None: whichever. `legal_entities`: those within somebody's reach.

    `source`: one of them; "bank" for all accounts at banks, "provider" for all that are none.
    `until`: of days before that one, in UTC. `is_in`: money that came, or that went or is missing.
    `least_minor` and `most_minor` without a sign. `text`: what its own words have, in any case.
    """

    legal_entities: Sequence[str] | None = None
    legal_entity: str | None = None
    source: str | None = None
    currency: str | None = None
    until: date | None = None
    is_in: bool | None = None
    least_minor: int | None = None
    most_minor: int | None = None
    text: str = ""


class UnmatchedKey(NamedTuple):
    """Behind which row a list goes on."""

    at: datetime
    key: str


class UnmatchedMoney(NamedTuple):
    """Money of which `left_minor` is for nobody knows what; below 0 it went, or is missing.

    `number`: of the movement at a provider, None: `key` is a line of a statement. `at`: when it
    moved, of a line midnight in UTC of its day. `why`: the reason why a line waits, a movement's
    kind. `about`: what the provider calls it. `line` and `details`: of a line, `details` None where
    its payer was erased.
    """

    key: str
    number: int | None
    at: datetime
    source: str
    legal_entity: str
    currency: str
    left_minor: int
    why: str
    amount_minor: int
    about: str
    line: BankLine | None = None
    details: LineDetails | None = None

    @property
    def behind(self) -> UnmatchedKey:
        """Return where a list goes on after this row."""
        return UnmatchedKey(self.at, self.key)

    def says(self, text: str) -> bool:
        """Say whether its own words have *text*."""
        details = self.details or LineDetails()
        said = (self.key, self.about, details.payer, details.payer_account, *details.written())
        return text.casefold() in "\n".join((*said, details.bank_reference)).casefold()


class UnmatchedSum(NamedTuple):
    """What all of it comes to in a currency, in minor units: came, and went or is missing."""

    currency: str
    rows: int
    in_minor: int
    out_minor: int


class UnmatchedRows(NamedTuple):
    """Some of it; `behind`: where more follows, None: nowhere.

    `is_cut`: so many were looked through for a text that the page ends before it is full.
    """

    rows: Sequence[UnmatchedMoney]
    behind: UnmatchedKey | None
    is_cut: bool = False


class UnmatchedPlace(NamedTuple):
    """Where something of it lies."""

    source: str
    legal_entity: str
    currency: str


def unmatched_page(
    connection: Connection[Any],
    wish: UnmatchedWish,
    *,
    limit: int,
    after: UnmatchedKey | None = None,
) -> UnmatchedRows:
    """Return what of *wish* follows behind *after*, the oldest first."""
    if not wish.text:
        found = _rows(connection, wish, limit + 1, after)
        behind = found[limit - 1].behind if len(found) > limit else None
        return UnmatchedRows(_opened(connection, found[:limit]), behind)
    fitting: list[UnmatchedMoney] = []
    looked_at = 0
    while looked_at < LOOKED_AT_MAX:
        some = _opened(connection, _rows(connection, wish, _AT_ONCE, after))
        looked_at += len(some)
        fitting += [each for each in some if each.says(wish.text)]
        if len(fitting) > limit:
            return UnmatchedRows(fitting[:limit], fitting[limit - 1].behind)
        if len(some) < _AT_ONCE:
            return UnmatchedRows(fitting, None)
        after = some[-1].behind
    return UnmatchedRows(fitting, after, is_cut=True)


def all_unmatched(connection: Connection[Any], wish: UnmatchedWish) -> Iterator[UnmatchedMoney]:
    """Yield all of it, the oldest first; *connection* is of one moment."""
    after = None
    while some := _rows(connection, wish, _AT_ONCE, after):
        after = some[-1].behind
        yield from (each for each in _opened(connection, some) if each.says(wish.text))


def unmatched_sums(
    connection: Connection[Any], wish: UnmatchedWish, *, is_whole: bool = False
) -> Sequence[UnmatchedSum] | None:
    """Return what all of it comes to, by currency; None: that many are not added up unasked.

    A text is no part of it: what is sealed no query sees.
    """
    limit = None if is_whole else SUMMED_MAX + 1
    rows = connection.execute(_SUMS, _asked(wish, limit, None)).fetchall()
    if not is_whole and sum(row[1] for row in rows) > SUMMED_MAX:
        return None
    return [UnmatchedSum(each[0], each[1], each[2] or 0, each[3] or 0) for each in rows]


def unmatched_places(
    connection: Connection[Any], legal_entities: Sequence[str] | None
) -> Sequence[UnmatchedPlace]:
    """Return where something lies, among the oldest."""
    asked = _asked(UnmatchedWish(legal_entities=legal_entities), SUMMED_MAX, None)
    return [UnmatchedPlace(*row) for row in connection.execute(_PLACES, asked)]


def _rows(
    connection: Connection[Any], wish: UnmatchedWish, limit: int, after: UnmatchedKey | None
) -> list[UnmatchedMoney]:
    with connection.cursor(row_factory=class_row(UnmatchedMoney)) as cursor:
        return cursor.execute(_LISTED, _asked(wish, limit, after)).fetchall()


def _opened(
    connection: Connection[Any], rows: Sequence[UnmatchedMoney]
) -> Sequence[UnmatchedMoney]:
    """Return *rows* with what their lines say."""
    named = [each.key for each in rows if each.number is None]
    lines = {each.line: each for each in find_lines(connection, named)}
    details = details_of_lines(connection, list(lines.values()))
    return [
        each._replace(line=lines.get(each.key), details=details.get(each.key))
        if each.number is None
        else each
        for each in rows
    ]


def _asked(wish: UnmatchedWish, limit: int | None, after: UnmatchedKey | None) -> dict[str, object]:
    entities = None if wish.legal_entities is None else list(wish.legal_entities)
    return {
        **wish._asdict(),
        "entities": entities,
        "limit": limit,
        "after_at": after.at if after else None,
        "after_key": after.key if after else "",
    }
