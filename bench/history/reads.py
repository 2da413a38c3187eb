"""`reads_million`, `reads_flat`: what people ask of the books, with a million sessions in them.

Four hundred stations have two days of sessions that were worked off, invoiced and counted; their
rows are then multiplied, each time two days earlier, until there are 10^4 and 10^6 sessions. Each
question is asked a hundred times, of other stations, sessions and documents each time, with
nothing left to take in: the slowest question's p99 in milliseconds of real time, less what its
command computes itself.

How much a question grew is told from a millisecond on: of a hundred times, one wait of the machine
for something else decides a p99 below that.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import chain
from typing import Any, Final

from psycopg import Connection, sql

from bench.history.closing import APRIL
from bench.peers.worked_log import declare, empty_log, fill, worked_off
from bench.run import Row, beside
from bench.worker_mix import STATIONS, mixed, station_name
from deploy.postgres.embedded import EmbeddedPostgres
from deploy.running.turns import work_off
from ledger.database import connect
from ledger.declared.store import load_declarations
from ledger.log.envelope import Tick
from ledger.log.event_log import EventLog
from ledger.log.postgres import PostgresEventLog
from projections.audit.trail import explain
from projections.balances.booked_sums import kept_trial_balance, put_together
from projections.energy.keeper import EnergyKeeper
from projections.energy.kept_balance import kept_balance
from projections.energy.leakage import leakage
from projections.invoice_list import list_invoices
from projections.journal.days import book_days
from projections.session_costs import with_costs
from projections.sessions import held_sessions, list_sessions

_SIZES: Final = (10_000, 1_000_000)
_MADE: Final = 2_000
"""Sessions of each of the two days."""
_LINES_A_SESSION: Final = 22
_ASKED: Final = 100
_MILLISECONDS_MAX: Final = 300.0
_RESOLUTION: Final = 1.0
"""Milliseconds: whatever takes less is as good as this."""
_AGAIN: Final = "{} || '~' || again"
_EARLIER: Final = "{} - again * interval '2 days'"
_DAY: Final = "{} - 2 * again"
_BEFORE: Final = "{} - 1000000::bigint * again"
_MULTIPLIED: Final = {
    "session": {
        "session_id": _AGAIN, "transaction_ref": _AGAIN, "started_at": _EARLIER,
        "ended_at": _EARLIER, "first_fact_at": _EARLIER, "last_fact_at": _EARLIER,
        "heard_at": _EARLIER,
    },
    "session_decision": {
        "session_id": _AGAIN, "number": "{} + 1000000::bigint * again", "decided_at": _EARLIER,
    },
    "rated_line": {"session_id": _AGAIN, "starts_at": _EARLIER, "ends_at": _EARLIER},
    "fact": {"transaction_ref": _AGAIN, "position": _BEFORE, "received_until": _EARLIER},
    "issued_invoice": {
        "number": _AGAIN, "cause": _AGAIN, "invoice_id": "gen_random_uuid()",
        "issued_on": _DAY, "issued_at": _EARLIER,
    },
    "invoiced_session": {"session_id": _AGAIN, "number": _AGAIN},
    "journal_entry": {"entry_id": _AGAIN, "session_id": _AGAIN, "booked_at": _EARLIER},
    "energy_chapter": {
        "chapter": "{} - 1000 * again", "at": _EARLIER, "position": _BEFORE,
        "carried": "convert_to(json_build_object('at', at - again * interval '2 days',"
        " 'position', position - 1000000::bigint * again)::text, 'UTF8')",
    },
    "register_day": {"chapter": "{} - 1000 * again", "day": _DAY},
    "session_energy": {
        "session_id": _AGAIN, "transaction_ref": _AGAIN, "decided_as": _AGAIN, "day": _DAY,
        "chapter": "{} - 1000 * again",
    },
    "energy_day": {"day": _DAY},
}  # fmt: skip
"""What of each row of a table is another one's, so many days earlier."""
_SUMMED_UP: Final = """
TRUNCATE booked_sum;
INSERT INTO booked_sum
SELECT 'added', date_trunc('hour', booked_at), legal_entity, period, currency, account,
       sum(greatest(amount_minor, 0)), sum(greatest(-amount_minor, 0))
FROM journal_entry, unnest(accounts, currencies, amounts) AS leg (account, currency, amount_minor)
GROUP BY 2, 3, 4, 5, 6;
TRUNCATE energy_month;
INSERT INTO energy_month
SELECT station_id, date_trunc('month', day)::date, count(*), 0, sum(metered_wh), sum(billed_wh),
       sum(free_wh), sum(held_for_decision_wh), sum(waiting_wh), sum(open_wh),
       sum(written_off_wh), sum(unattributed_wh), sum(late_wh), sum(dropped_wh),
       sum(invoiced_wh), sum(no_invoice_wh)
FROM energy_day GROUP BY 1, 2;
TRUNCATE energy_total;
INSERT INTO energy_total
SELECT station_id, sum(days), sum(days_off), sum(metered_wh), sum(billed_wh), sum(free_wh),
       sum(held_for_decision_wh), sum(waiting_wh), sum(open_wh), sum(written_off_wh),
       sum(unattributed_wh), sum(late_wh), sum(dropped_wh), sum(invoiced_wh), sum(no_invoice_wh)
FROM energy_month GROUP BY station_id;
TRUNCATE customer_sum;
INSERT INTO customer_sum
SELECT party, legal_entity, currency, account, span, date_trunc(span, booked_at, 'UTC'),
       sum(amount_minor)
FROM journal_entry
CROSS JOIN unnest(accounts, parties, currencies, amounts)
    AS leg (account, party, currency, amount_minor)
CROSS JOIN unnest(ARRAY['hour', 'day']) AS span
WHERE account = 'receivable:invoiced' AND party <> '' GROUP BY 1, 2, 3, 4, 5, 6;
TRUNCATE issued_sum;
INSERT INTO issued_sum
SELECT legal_entity, currency, issued_on, credits IS NOT NULL, count(*), sum(net_minor),
       sum(tax_minor), sum(due_minor) FROM issued_invoice GROUP BY 1, 2, 3, 4;
"""

Ask = Callable[[], object]


def rows(_seconds: float) -> list[Row]:
    """Measure each question with few and with many sessions behind."""
    with empty_log() as postgres:
        found = [dict(_asked(postgres, behind)) for behind in grown_books(postgres, _SIZES)]
    few, many = found
    slowest = max(many, key=lambda name: many[name])
    told = ", ".join(f"{name} {many[name]:.1f} ({few[name]:.1f})" for name in many)
    growth = {name: max(many[name], _RESOLUTION) / max(few[name], _RESOLUTION) for name in many}
    grown = max(growth, key=lambda name: growth[name])
    return [
        beside(
            "reads_million",
            many[slowest],
            f"ms, p99 of {slowest}, with {_SIZES[-1]:,} sessions; all ({_SIZES[0]:,}): {told}",
            "at most",
            _MILLISECONDS_MAX,
            is_cost=True,
        ),
        beside(
            "reads_flat",
            growth[grown],
            f"times the p99 with {_SIZES[0]:,} sessions, of what grows most: {grown}; "
            f"less than {_RESOLUTION:.0f} ms counts as {_RESOLUTION:.0f} ms",
            "flat",
            1.0,
            is_cost=True,
        ),
    ]


def grown_books(postgres: EmbeddedPostgres, sizes: Sequence[int]) -> Iterator[int]:
    """Make the books; yield how many sessions they have, each time that it is one of *sizes*."""
    declare(postgres, map(station_name, range(STATIONS)), invoicing="per_session")
    days = [mixed(_MADE * _LINES_A_SESSION, day=day) for day in range(2)]
    lines = chain(*days, [Tick(received_at=APRIL)])
    fill(postgres, lines, lines_a_record=100)
    worked_off(postgres, "books")
    with connect(postgres.dsn) as connection, PostgresEventLog(postgres.dsn) as log:
        work_off(postgres.dsn, log)
        EnergyKeeper(connection, sessions_min=_MADE // STATIONS).take_in()
        done = 1
        connection.execute("SET session_replication_role = replica")
        for size in sizes:
            times = size // (2 * _MADE)
            for table, others in _MULTIPLIED.items():
                _multiply(connection, table, others, done, times - 1)
            connection.execute(_SUMMED_UP)
            put_together(connection, added_max=1)
            connection.execute("VACUUM ANALYZE")
            done = times
            yield size


def _multiply(
    connection: Connection[Any], table: str, others: dict[str, str], first: int, last: int
) -> None:
    """Write every row of *table* that was made again, from *first* to *last* days earlier."""
    columns: Iterable[str] = [
        name
        for (name,) in connection.execute(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_schema = 'books' AND table_name = %s ORDER BY ordinal_position",
            (table,),
        )
    ]
    connection.execute(
        sql.SQL("CREATE TEMP TABLE IF NOT EXISTS {} AS SELECT * FROM {}").format(
            sql.Identifier(f"made_{table}"), sql.Identifier(table)
        )
    )
    values = (others.get(name, "{}").format(f'"{name}"') for name in columns)
    connection.execute(
        sql.SQL("INSERT INTO {} SELECT {} FROM {}, generate_series({}, {}) again").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.SQL, values)),
            sql.Identifier(f"made_{table}"),
            sql.Literal(first),
            sql.Literal(last),
        )
    )


def _asked(postgres: EmbeddedPostgres, behind: int) -> Iterator[tuple[str, float]]:
    """Yield the p99 of each question in milliseconds."""
    chance = random.Random(behind)
    with connect(postgres.dsn) as connection, PostgresEventLog(postgres.dsn) as log:
        for name, ask in _questions(connection, log, chance):
            ask()
            spent = []
            for _ in range(_ASKED):
                began = time.perf_counter() - time.process_time()
                ask()
                spent.append(1e3 * (time.perf_counter() - time.process_time() - began))
            yield name, sorted(spent)[_ASKED * 99 // 100 - 1]


def _questions(
    connection: Connection[Any], log: EventLog, chance: random.Random
) -> Iterator[tuple[str, Ask]]:
    documents = [
        number
        for (number,) in connection.execute(
            "SELECT number FROM invoiced_session JOIN session USING (session_id)"
            " WHERE number !~ '~' AND started_at > (SELECT max(started_at) FROM session)"
            " - interval '12 hours' ORDER BY number"
        )
    ]
    declarations = load_declarations(connection)
    [(last,)] = connection.execute("SELECT max(day) FROM energy_day").fetchall()

    def station() -> str:
        return station_name(chance.randrange(STATIONS))

    def balance(station_id: str | None = None) -> None:
        EnergyKeeper(connection).take_in(station_id)
        kept_balance(connection, station_id=station_id)
        kept_trial_balance(connection)

    def as_of() -> None:
        day = last - timedelta(days=chance.randrange(30))
        kept_trial_balance(connection, book_days(declarations, up_to=day))

    def leaks() -> None:
        leakage(connection, declarations, first=_since(last), last=last, limit=200)
        kept_balance(connection, first_day=_since(last), last_day=last)

    yield "balance", balance
    yield "balance of a station", lambda: balance(station())
    yield "trial balance as of", as_of
    yield "leakage", leaks
    yield "sessions", lambda: with_costs(connection, list_sessions(connection, limit=50))
    yield (
        "sessions of a station",
        lambda: with_costs(connection, list_sessions(connection, station_id=station(), limit=50)),
    )
    yield "sessions rated", lambda: list_sessions(connection, state="rated", limit=50)
    yield "sessions held", lambda: held_sessions(connection, limit=200)
    yield "invoices", lambda: list_invoices(connection, customer=None, limit=50)
    yield "explain", lambda: explain(connection, log, chance.choice(documents), 1)


def _since(last: date) -> date:
    """Return the first of the days that leakage is asked of: as many as the smaller books have."""
    return last - timedelta(days=3)
