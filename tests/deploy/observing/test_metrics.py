"""The table of metrics: what the page shows, names as Prometheus wants them, and histograms."""

from __future__ import annotations

import re

import pytest

from deploy.observing.exposition import exposition, metrics_table
from deploy.observing.metrics import (
    APPEND_SECONDS,
    FRAMES,
    METRICS,
    RESTARTS,
    Durations,
    Metric,
    report,
)
from tests.tree import ROOT

OPERATIONS = (ROOT / "docs" / "operations.md").read_text("utf-8")


def test_the_page_shows_the_codes_table() -> None:
    assert metrics_table() in OPERATIONS


def test_each_name_stands_once() -> None:
    names = [metric.name for metric in METRICS]

    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_name_follows_the_conventions(metric: Metric) -> None:
    assert re.fullmatch(r"wattledger(_[a-z]+)+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    # Base units only, and last.
    assert not re.search(r"_(ms|milliseconds|minutes|kb|percent)(_|$)", metric.name)
    assert ("_seconds" in metric.name) == metric.name.endswith("_seconds")
    assert metric.meaning[0].isupper() or metric.meaning[0].isdigit()
    assert metric.meaning.endswith(".")


def lines(text: bytes) -> list[str]:
    return [line for line in text.decode().splitlines() if line.startswith("wattledger")]


def test_what_takes_exactly_a_bound_lies_under_it() -> None:
    durations = Durations((0.5, 2.0))
    for seconds in (0.25, 0.5, 0.75, 2.0, 2.25):
        durations.add(seconds)

    assert lines(exposition([report(APPEND_SECONDS, durations)])) == [
        'wattledger_append_seconds_bucket{le="0.5"} 2.0',
        'wattledger_append_seconds_bucket{le="2.0"} 4.0',
        'wattledger_append_seconds_bucket{le="+Inf"} 5.0',
        "wattledger_append_seconds_count 5.0",
        "wattledger_append_seconds_sum 5.75",
    ]


def test_labels_stand_in_their_order() -> None:
    frames = report(FRAMES, {("in", "ocpp1.6"): 3, ("out", "ocpp1.6"): 2})

    assert lines(exposition([frames, report(RESTARTS, {"worker": 1})])) == [
        'wattledger_frames_total{direction="in",protocol="ocpp1.6"} 3.0',
        'wattledger_frames_total{direction="out",protocol="ocpp1.6"} 2.0',
        'wattledger_restarts_total{part="worker"} 1.0',
    ]


def test_a_value_without_its_labels_is_no_metric() -> None:
    with pytest.raises(AssertionError, match="wattledger_frames_total"):
        report(FRAMES, {"in": 3})


def test_the_process_itself_is_told() -> None:
    assert b"process_resident_memory_bytes" in exposition([])
