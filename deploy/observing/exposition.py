"""Metrics as text for Prometheus. The home of its library, which is loaded at the first request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from deploy.observing.metrics import METRICS, Durations, Reported


def exposition(reports: Iterable[Reported]) -> bytes:
    """Return *reports* and what the system says of this process, as `/metrics` shows it."""
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(_Families(reports))
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, reports: Iterable[Reported]) -> None:
        self._reports = reports

    def collect(self) -> Iterator[Metric]:
        return map(_family, self._reports)


def _family(each: Reported) -> Metric:
    (name, kind, labels, _, meaning), values = each
    if isinstance(values, Durations):
        family = HistogramMetricFamily(name, meaning)
        bounds = [*map(floatToGoString, values.bounds), "+Inf"]
        counts = accumulate(list(values.counts))
        family.add_metric([], list(zip(bounds, counts, strict=True)), values.total_seconds)
        return family
    made = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
    numbers = made(name, meaning, labels=labels)
    for named, value in values.items():
        numbers.add_metric(named, value)
    return numbers


def metrics_table() -> str:
    """Return the table of metrics that docs/operations.md shows, as Markdown."""
    rows = ["| metric | labels | kind | told by | meaning |", "|---|---|---|---|---|"]
    for name, kind, labels, part, meaning in METRICS:
        shown = ", ".join(f"`{label}`" for label in labels) or "-"
        rows.append(f"| `{name}` | {shown} | {kind} | {part or 'each'} | {meaning} |")
    return "\n".join(rows) + "\n"
