"""Books in which one customer, station, document, day and month has thousands of everything.

Rows of the demo's month are written again under other names. Nothing else is true of them: they
are there so that it shows whether a page reads them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from psycopg import Connection, sql

from projections.balances.booked_sums import put_together

_AGAIN: Final = "{} || '~' || n"
_FURTHER: Final = "{} + 1000000::bigint * n"
_EARLIER: Final = "{} - n * interval '10 seconds'"
_PICKED: Final = """
SELECT session.session_id, station_id, number, customer, token_uid, legal_entity,
       to_char(issued_on, 'YYYY-MM'), (SELECT name FROM subject WHERE subject = customer),
       (SELECT min(key) FROM declaration WHERE kind = 'tariff'),
       (SELECT min(line) FROM bank_line), (SELECT min(payout_id) FROM payout)
FROM invoiced_session JOIN session USING (session_id) JOIN issued_invoice USING (number)
WHERE customer IS NOT NULL AND NOT EXISTS (
    SELECT FROM invoiced_session AS other
    WHERE other.number = invoiced_session.number AND other.session_id <> session.session_id)
ORDER BY number LIMIT 1
"""
_FIRST_DECLARED: Final = "version IN (SELECT min(version) FROM declaration GROUP BY kind)"
_FIRST_SUBJECT: Final = "subject IN (SELECT min(subject) FROM subject GROUP BY kind)"
_WRITTEN_AGAIN: Final[tuple[tuple[str, str, Mapping[str, str]], ...]] = (
    ("session", "session_id IN ({session}, {held})",
     {"session_id": _AGAIN, "transaction_ref": _AGAIN, "started_at": _EARLIER,
      "first_fact_at": _EARLIER}),
    ("session_decision", "session_id IN ({session}, {held})",
     {"session_id": _AGAIN, "number": _FURTHER}),
    ("rated_line", "session_id = {session}", {"session_id": _AGAIN}),
    ("session_energy", "session_id = {session}",
     {"session_id": _AGAIN, "transaction_ref": _AGAIN, "decided_as": _AGAIN}),
    ("accrued_session", "session_id = (SELECT min(session_id) FROM accrued_session)",
     {"session_id": _AGAIN}),
    ("uninvoiced_session", "session_id = (SELECT min(session_id) FROM uninvoiced_session)",
     {"session_id": _AGAIN, "customer": "{customer}"}),
    ("invoiced_session", "session_id = {session}", {"session_id": _AGAIN, "number": _AGAIN}),
    ("issued_invoice", "number = {document}",
     {"number": _AGAIN, "cause": _AGAIN, "invoice_id": "gen_random_uuid()", "place": _FURTHER,
      "issued_at": _EARLIER}),
    ("issued_invoice", "number = {document}",
     {"number": "'CN-' || {} || '~' || n", "cause": "'CN-' || {} || '~' || n",
      "invoice_id": "gen_random_uuid()", "place": "{} + 10000000000::bigint + n",
      "credits": "number || '~' || n", "issued_at": _EARLIER}),
    ("journal_entry", "entry_id = 'invoice:' || {document}",
     {"entry_id": _AGAIN, "booked_at": _EARLIER}),
    ("journal_entry", "session_id = {session}",
     {"entry_id": _AGAIN, "session_id": _AGAIN, "booked_at": _EARLIER}),
    ("movement", "number = (SELECT min(number) FROM movement)",
     {"number": _FURTHER, "reference": _AGAIN, "happened_at": _EARLIER}),
    ("allotment", "number = (SELECT min(number) FROM movement) AND place = 1",
     {"number": _FURTHER, "party": "{customer}", "moved_at": _EARLIER}),
    ("prepayment", "true", {"number": _FURTHER, "reference": _AGAIN, "customer": "{customer}",
      "received_at": _EARLIER}),
    ("bank_line", "line = (SELECT min(line) FROM bank_line)", {"line": _AGAIN}),
    ("payout", "true", {"payout_id": _AGAIN}),
    ("payout_line", "line_id = (SELECT min(line_id) FROM payout_line)", {"line_id": _AGAIN}),
    ("dispute", "true", {"dispute_id": _AGAIN, "payer": "{customer}", "created_at": _EARLIER}),
    ("declaration",
     "kind NOT IN ('policy', 'partner', 'legal_entity', 'chart') AND {first_of_kind}",
     {"key": _AGAIN, "version": _FURTHER}),
    ("subject", "kind IN ('token', 'customer') AND {first_subject}",
     {"subject": "left({}, 20) || to_char(n, 'FM00000000') || right({}, 6)", "name": _AGAIN,
      "spelt": _AGAIN}),
    ("station_state", "station_id = {station}", {"station_id": _AGAIN}),
    ("connector_state", "station_id = {station} AND connector_id = 1", {"station_id": _AGAIN}),
    ("energy_station", "station_id = {station}", {"station_id": _AGAIN}),
    ("energy_day", "station_id = {station}", {"station_id": _AGAIN}),
    ("energy_month", "station_id = {station}", {"station_id": _AGAIN}),
    ("energy_total", "station_id = {station}", {"station_id": _AGAIN}),
    ("transaction_id", "transaction_id = (SELECT min(transaction_id) FROM transaction_id)",
     {"transaction_id": "2000000 + n", "content_key": "encode(sha256(n::text::bytea), 'hex')"}),
)  # fmt: skip
"""Of each table which rows, and what of each is another one's the n-th time."""
_WRITTEN: Final = """
open_invoice SELECT number, legal_entity, customer, customer, 'receivable:invoiced', currency,
issued_on, issued_on, due_minor FROM issued_invoice WHERE number ~ '~' AND credits IS NULL;
credit_proposal SELECT number, '[]', 'why', currency, 1, 'mara', now() FROM issued_invoice WHERE
number ~ '~' AND credits IS NULL;
choice_proposal SELECT session_id, 'release', 1, '{}', 'EUR', 1, 'why', 'mara',
first_fact_at FROM session WHERE session_id ~ '~' AND state = 'held';
unmatched_line SELECT line, 1, 'no_reference', booked_on FROM bank_line WHERE line ~ '~';
user_account (name, letters, full_name, made_by, made_at) SELECT 'ann' || n, 'ann' || n, 'Ann',
'ann', now() FROM {many};
user_grant SELECT 'ann' || n, 'finance', '', '' FROM {many};
user_change (name, kind, change, changed_by, changed_at) SELECT 'ann1', 'blocked', 'null',
'ann', now() FROM {many};
access_token SELECT 'machine' || n, sha256(n::text::bytea), '{read}', 'ann', now() FROM {many};
access_token SELECT '{reader}: ' || n, sha256(('own' || n)::bytea), '{}', 'ann', now(), NULL,
'{reader}' FROM {many};
saved_view SELECT '{reader}', 'invoices', 'view ' || n, 'state=open', now() FROM
generate_series(1, 50) AS n;
webhook SELECT 'wh' || n, 'https://example.org/', '{}', 'x', 'ann', now(), 'ann', now() FROM
{many};
webhook_delivery (webhook, event, kind, body, state, next_at, made_at, ended_at) SELECT 'wh1',
'feed/0/' || n, 'rated', '{}', 'delivered', now(), now(), now() FROM {many};
webhook_attempt SELECT (SELECT min(number) FROM webhook_delivery), n, now(), 500, 'no' FROM
{many};
job (kind, subject, parameters, asked_by, asked_at, state, ended_at, result) SELECT kind,
'{document}', n::text::bytea, '{reader}', now(), 'failed', now(), NULL FROM {many},
unnest('{check_books,replay_log,make_again,what_if,check_month}'::text[]) AS kind ORDER BY n;
tariff_draft (tariff_id, text, sha256, version, drafted_by, drafted_at) SELECT 'day', 'tariff:
day', n, '', 'ann', now() FROM {many};
refused_document SELECT 'cause' || n, '{}', now(), 1 FROM {many};
set_aside SELECT 0, '{station}~' || n, 'not_folded', 1 FROM {many};
line_set_aside SELECT 0, n, 0, '{station}', n, 'not_folded', 'why' FROM {many};
station_command SELECT gen_random_uuid(), '{station}', 'Reset', 'ocpp1.6', '{}', 'ann', now(),
now(), 'answered', 1, now(), now() FROM {many};
reservation SELECT gen_random_uuid(), '{station}', n, 1, now(), 'ACCEPTED', now() FROM {many};
security_event SELECT '{station}', 0, n, 0, 'Reset', now(), now() FROM {many};
station_problem SELECT '{station}', 'part ' || n, 1, 1, 'broken', now(), now() FROM {many};
connector_state SELECT '{station}', 100 + n, 1, 'Available', NULL, NULL, now(), now() FROM
{many};
"""


class CrowdedBooks(NamedTuple):
    """What there is so much of: one session, and what it leads to."""

    session: str
    station: str
    document: str
    customer: str
    token: str
    legal_entity: str
    month: str
    key: str
    tariff: str
    bank_line: str
    payout: str


def crowd(connection: Connection[Any], times: int, reader: str) -> CrowdedBooks:
    """Write everything so many times more, and for the account *reader* what is a person's own."""
    connection.execute("SET session_replication_role = replica")
    [row] = connection.execute(_PICKED.encode()).fetchall()
    made = CrowdedBooks(*row)
    for table, which, changed in _WRITTEN_AGAIN:
        _write_again(connection, made, table, which, changed, times)
    for each in filter(str.strip, _WRITTEN.split(";")):
        text = each.replace("{many}", f"generate_series(1, {times}) AS n")
        for name, value in [*made._asdict().items(), ("reader", reader)]:
            text = text.replace(f"{{{name}}}", value)
        connection.execute(f"INSERT INTO {text}".encode())
    put_together(connection, added_max=1)
    connection.execute("VACUUM ANALYZE")
    connection.execute("SET session_replication_role = origin")
    return made


def _write_again(
    connection: Connection[Any],
    made: CrowdedBooks,
    table: str,
    which: str,
    changed: Mapping[str, str],
    times: int,
) -> None:
    columns = [*_columns(connection, table)]
    picked: dict[str, sql.Composable] = {
        name: sql.Literal(value) for name, value in made._asdict().items()
    }
    picked["first_of_kind"] = sql.SQL(_FIRST_DECLARED)
    picked["first_subject"] = sql.SQL(_FIRST_SUBJECT)
    picked["held"] = sql.SQL("(SELECT min(session_id) FROM session WHERE state = 'held')")

    def value(column: str) -> sql.Composed:
        text = changed.get(column, "{}").replace("{}", "{own}")
        return sql.SQL(text).format(own=sql.Identifier(column), **picked)

    connection.execute(
        sql.SQL(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {},"
            " generate_series(1, {}) AS n WHERE {}"
        ).format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.SQL(", ").join(map(value, columns)),
            sql.Identifier(table),
            sql.Literal(times),
            sql.SQL(which).format(**picked),
        )
    )


def _columns(connection: Connection[Any], table: str) -> Iterator[str]:
    for (name,) in connection.execute(
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_name = %s ORDER BY ordinal_position",
        (table,),
    ):
        yield name
