"""Every metric, as a row: docs/operations.md is printed from here, and nothing else is told.

Labels come from closed sets (parts, states, reasons, protocols, partitions, partners that were
declared): nothing that a station, a partner or a person wrote, or a stranger could make as many
series as he likes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple


class Metric(NamedTuple):
    """A name by Prometheus's conventions, who tells it, and what it says."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    part: str
    """Which part tells it; empty: each."""
    meaning: str


class Durations:
    """A histogram: how many took how long. One thread counts, any may look."""

    __slots__ = ("bounds", "counts", "total_seconds")

    def __init__(self, bounds: Sequence[float]) -> None:
        """Begin with nothing; *bounds* ascend, in seconds."""
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total_seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one; what takes exactly a bound lies under it."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total_seconds += seconds


Values = Mapping[tuple[str, ...], float] | Durations
"""A number by the labels' values, in their order; a histogram has none."""


class Reported(NamedTuple):
    """A metric with its values now."""

    metric: Metric
    values: Values


def report(metric: Metric, values: float | Mapping[Any, float] | Durations) -> Reported:
    """Return *metric* with *values*: one number, or numbers by a label (a text) or several."""
    if isinstance(values, Durations):
        return Reported(metric, values)
    if not isinstance(values, Mapping):
        return Reported(metric, {(): values})
    named = {
        (str(key),) if isinstance(key, str) else tuple(key): value for key, value in values.items()
    }
    assert all(len(key) == len(metric.labels) for key in named), metric.name
    return Reported(metric, named)


BUILD_INFO: Final = Metric(
    "wattledger_build_info", "gauge", ("version", "part"), "", "Always 1: which version runs."
)
READY: Final = Metric("wattledger_ready", "gauge", (), "", "1 where `/readyz` says so, else 0.")
BEAT_AGE: Final = Metric(
    "wattledger_beat_age_seconds", "gauge", (), "", "Since its loop last turned."
)
BOOKS_READABLE: Final = Metric(
    "wattledger_books_readable",
    "gauge",
    (),
    "",
    "0: database or log do not answer; what is read from them is left out. `up` has none.",
)

RESTARTS: Final = Metric(
    "wattledger_restarts_total", "counter", ("part",), "up", "How often a part was started again."
)
PART_RUNNING: Final = Metric(
    "wattledger_part_running", "gauge", ("part",), "up", "1 while the part's process runs."
)

CONNECTIONS: Final = Metric(
    "wattledger_connections", "gauge", ("protocol",), "stations", "Stations that are connected."
)
OPENED: Final = Metric(
    "wattledger_connections_opened_total",
    "counter",
    ("protocol",),
    "stations",
    "Connections that were let in.",
)
REFUSED: Final = Metric(
    "wattledger_connections_refused_total",
    "counter",
    ("reason",),
    "stations",
    "Connections that were refused.",
)
FRAMES: Final = Metric(
    "wattledger_frames_total",
    "counter",
    ("direction", "protocol"),
    "stations",
    "Frames taken (`in`) and sent (`out`): answers and calls of ours.",
)
PRICES_TOLD: Final = Metric(
    "wattledger_prices_told_total",
    "counter",
    ("how",),
    "stations",
    "Prices told in the answer to an end, by a call `after_end` or while `running`; `late`: such an"
    " answer that went without; `tariff`: what it will cost, at a start.",
)
APPEND_SECONDS: Final = Metric(
    "wattledger_append_seconds",
    "histogram",
    (),
    "stations",
    "How long lines took to be durable in the log.",
)
APPEND_FAILURES: Final = Metric(
    "wattledger_append_failures_total",
    "counter",
    (),
    "stations",
    "Lines that may not be in the log; the station got no answer.",
)
APPENDS_WAITING: Final = Metric(
    "wattledger_appends_waiting", "gauge", (), "stations", "Lines that wait to be durable now."
)

LAG_LINES: Final = Metric(
    "wattledger_lag_lines",
    "gauge",
    ("partition",),
    "worker",
    "Lines that wait: counted up to 16 records, beyond that scaled from the first ones.",
)
LAG_RECORDS: Final = Metric(
    "wattledger_lag_records", "gauge", ("partition",), "worker", "Records that wait."
)
LAG_SECONDS: Final = Metric(
    "wattledger_lag_seconds",
    "gauge",
    ("partition",),
    "worker",
    "Age of the oldest line that waits, 0 if none does.",
)
RECORDS_TAKEN: Final = Metric(
    "wattledger_records_taken_total",
    "counter",
    ("partition",),
    "worker",
    "Records taken since the log began.",
)
DECISIONS: Final = Metric(
    "wattledger_decisions_total",
    "counter",
    ("partition",),
    "worker",
    "Decisions about sessions since the log began.",
)
SESSIONS: Final = Metric(
    "wattledger_sessions",
    "gauge",
    ("state",),
    "worker",
    "Sessions by state; those held are `held`.",
)
SET_ASIDE: Final = Metric(
    "wattledger_lines_set_aside",
    "gauge",
    ("reason",),
    "worker",
    "Lines that raised and wait to be taken again.",
)
OUTBOX_WAITING: Final = Metric(
    "wattledger_outbox_waiting",
    "gauge",
    (),
    "worker",
    "Ticks, declarations and choices on their way to the log.",
)
RESTING: Final = Metric(
    "wattledger_partitions_resting",
    "gauge",
    (),
    "worker",
    "Partitions of this process that rest after an error that no line makes.",
)

ISSUED: Final = Metric(
    "wattledger_invoices_issued_total",
    "counter",
    (),
    "invoicing",
    "Invoices that this process issued and booked.",
)
FAILING: Final = Metric(
    "wattledger_invoices_failing", "gauge", (), "invoicing", "Invoices due that cannot be issued."
)

EVENTS_PUBLISHED: Final = Metric(
    "wattledger_events_published_total",
    "counter",
    (),
    "publishing",
    "Events that this process published, repeats too.",
)
EVENTS_WAITING: Final = Metric(
    "wattledger_events_waiting",
    "gauge",
    (),
    "publishing",
    "Decisions of the feed that are not published yet.",
)
PUBLISHES: Final = Metric(
    "wattledger_publishes",
    "gauge",
    (),
    "publishing",
    "1 where this process is the one that publishes, 0 where it stands by.",
)

RENDERED: Final = Metric(
    "wattledger_documents_rendered_total",
    "counter",
    (),
    "documents",
    "Documents that this process rendered and kept.",
)
DOCUMENTS_WAITING: Final = Metric(
    "wattledger_documents_waiting",
    "gauge",
    (),
    "documents",
    "Documents that wait to be rendered for the first time.",
)
DOCUMENTS_FAILING: Final = Metric(
    "wattledger_documents_failing",
    "gauge",
    (),
    "documents",
    "Documents that could not be rendered, and are tried again.",
)
DELIVERED: Final = Metric(
    "wattledger_documents_delivered_total",
    "counter",
    (),
    "documents",
    "Documents that this process delivered.",
)
DELIVERIES: Final = Metric(
    "wattledger_deliveries",
    "gauge",
    ("state",),
    "documents",
    "Deliveries that are not over, by state; `unknown` and `refused` wait for a person.",
)

PARTNER_WAITING: Final = Metric(
    "wattledger_partner_outbox_waiting",
    "gauge",
    ("partner",),
    "roaming",
    "Messages that wait for a partner: counted up to 10,000. The 50 partners for whom most waits"
    " have a series each, the rest is `others`.",
)
PARTNER_OLDEST: Final = Metric(
    "wattledger_partner_outbox_oldest_seconds",
    "gauge",
    ("partner",),
    "roaming",
    "Since when the oldest of them waits, 0 if none does.",
)
PARTNER_DEAD: Final = Metric(
    "wattledger_partner_outbox_dead",
    "gauge",
    ("partner",),
    "roaming",
    "Messages that a partner refused, and that wait for a person: counted up to 10,000.",
)
PARTNER_LINKS: Final = Metric(
    "wattledger_partner_links",
    "gauge",
    ("state",),
    "roaming",
    "Partners by how far their registration is.",
)
PARTNER_CALLS: Final = Metric(
    "wattledger_partner_calls_total",
    "counter",
    ("direction", "module", "outcome"),
    "roaming",
    "Calls of partners (`in`) and ours to them (`out`), of all processes since the first one;"
    " `unauthorized`, `throttled` and `refused` are the caller's fault, `failed` is not.",
)
PARTNER_TOO_MUCH: Final = Metric(
    "wattledger_partner_too_much_total", "counter", ("bound",), "roaming", "Told beyond a bound."
)
CDRS_MADE: Final = Metric(
    "wattledger_cdrs_made_total",
    "counter",
    (),
    "roaming",
    "CDRs and credits made for partners since the first one.",
)
CDRS_REFUSED: Final = Metric(
    "wattledger_cdrs_refused",
    "gauge",
    (),
    "roaming",
    "Sessions of which no CDR could be made: counted up to 10,000.",
)
CDRS_RECEIVED: Final = Metric(
    "wattledger_cdrs_received_total",
    "counter",
    ("verdict",),
    "roaming",
    "CDRs of partners that this process read, by what our rules said of them.",
)

PROVIDER_LEADS: Final = Metric(
    "wattledger_provider_leads", "gauge", (), "payments", "1 where this process asks it."
)
PROVIDER_CALLS: Final = Metric(
    "wattledger_provider_calls_total",
    "counter",
    ("outcome",),
    "payments",
    "Calls of this process to the payment provider; `declined`: a payer's bank said no,"
    " `unanswered`: nobody knows yet, `key_refused`: it does not take our key.",
)
PROVIDER_REQUESTS: Final = Metric(
    "wattledger_provider_requests",
    "gauge",
    ("state",),
    "payments",
    "Requests that are decided and not done: counted up to 10,000 together. `open`: the provider"
    " has it, as a direct debit for days.",
)
PROVIDER_UNANSWERED: Final = Metric(
    "wattledger_provider_unanswered_seconds",
    "gauge",
    (),
    "payments",
    "Since when the oldest request that was asked is without an answer; 0 if none is.",
)
PROVIDER_OBJECTS: Final = Metric(
    "wattledger_provider_objects_due",
    "gauge",
    (),
    "payments",
    "Payments, refunds, disputes and payouts to be looked at: counted up to 10,000.",
)
PROVIDER_FAILING: Final = Metric(
    "wattledger_provider_objects_failing", "gauge", (), "payments", "Those not taken last time."
)
MONEY_FOR_PEOPLE: Final = Metric(
    "wattledger_money_for_a_person",
    "gauge",
    ("what",),
    "payments",
    "What waits for somebody: invoices that are not collected any more (`given_up`) or want their"
    " customer (`asks_customer`), bank lines that fit nothing (`unmatched`), up to 10,000 each.",
)
VISITS: Final = Metric(
    "wattledger_visits",
    "gauge",
    ("state",),
    "payments",
    "Drivers who pay by card at a station: visits that are not over, counted up to 10,000.",
)
VISIT_STANDS: Final = Metric(
    "wattledger_visit_stands_seconds",
    "gauge",
    ("state",),
    "payments",
    "Since when the one of them stands there that does longest; `ended`: until its price is known.",
)
METRICS: Final = (
    *(BUILD_INFO, READY, BEAT_AGE, BOOKS_READABLE, RESTARTS, PART_RUNNING),
    *(CONNECTIONS, OPENED, REFUSED, FRAMES, PRICES_TOLD, APPEND_SECONDS, APPEND_FAILURES),
    *(APPENDS_WAITING, LAG_LINES, LAG_RECORDS, LAG_SECONDS, RECORDS_TAKEN, DECISIONS),
    *(SESSIONS, SET_ASIDE, OUTBOX_WAITING, RESTING, ISSUED, FAILING),
    *(EVENTS_PUBLISHED, EVENTS_WAITING, PUBLISHES),
    *(RENDERED, DOCUMENTS_WAITING, DOCUMENTS_FAILING, DELIVERED, DELIVERIES),
    *(PARTNER_WAITING, PARTNER_OLDEST, PARTNER_DEAD, PARTNER_LINKS, PARTNER_CALLS),
    *(PARTNER_TOO_MUCH, CDRS_MADE, CDRS_REFUSED, CDRS_RECEIVED),
    *(PROVIDER_LEADS, PROVIDER_CALLS, PROVIDER_REQUESTS),
    *(PROVIDER_UNANSWERED, PROVIDER_OBJECTS, PROVIDER_FAILING, MONEY_FOR_PEOPLE),
    *(VISITS, VISIT_STANDS),
)
