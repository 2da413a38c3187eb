"""Prometheus's and Grafana's files ask for what the processes tell, and for nothing else."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import yaml

from deploy.observing.endpoint import Endpoint
from deploy.observing.metrics import METRICS
from deploy.observing.watch import Condition, Watch
from deploy.settings import METRICS_PORT
from tests.tree import ROOT

DEPLOY: Final = ROOT / "deploy"
DASHBOARD: Final = json.loads((DEPLOY / "grafana/wattledger.json").read_text("utf-8"))
BY_NAME: Final = {metric.name: metric for metric in METRICS}
PORTS: Final = {
    "stations": 9011,
    "worker": 9012,
    "invoicing": 9013,
    "projections": 9014,
    "interface": 9015,
    "documents": 9016,
    "roaming": 9017,
    "payments": 9018,
}
"""Of each job of Prometheus (docs/operations.md)."""
ALWAYS: Final = {"job", "instance"}
"""What Prometheus labels everything with."""
FOREIGN: Final = {"up", "process_resident_memory_bytes", "process_cpu_seconds_total"}


class Query(NamedTuple):
    """An expression, where it stands, and what is shown of its series."""

    where: str
    expression: str
    shown: str


def loaded(path: str) -> Any:  # noqa: ANN401 - a file of others' making
    return yaml.safe_load((DEPLOY / path).read_text("utf-8"))


def rules() -> Iterator[dict[str, Any]]:
    for group in loaded("prometheus/alerts.yml")["groups"]:
        yield from group["rules"]


def queries() -> Iterator[Query]:
    for rule in rules():
        yield Query(rule["alert"], rule["expr"], " ".join(rule["annotations"].values()))
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield Query(panel["title"], target["expr"], target.get("legendFormat", ""))


def selected(expression: str) -> list[tuple[str, str]]:
    """Return each metric that *expression* names, and its label matchers."""
    found = re.findall(r"\b(wattledger_\w+|process_\w+|up)\b(?:\{([^}]*)\})?", expression)
    assert found, expression
    return found


def labels_of(name: str) -> set[str]:
    base = re.sub(r"_(bucket|count|sum)$", "", name)
    if name in FOREIGN:
        return set()
    metric = BY_NAME.get(name) or BY_NAME[base]
    assert (metric.kind == "histogram") == (name != base)
    return {*metric.labels, *(["le"] if name.endswith("_bucket") else [])}


@pytest.mark.parametrize("query", [*queries()], ids=lambda query: query.where)
def test_a_query_asks_for_metrics_and_labels_that_are_told(query: Query) -> None:
    known = set(ALWAYS)
    for name, matchers in selected(query.expression):
        own = labels_of(name) | ALWAYS
        assert set(re.findall(r"(\w+)\s*(?:=|!)", matchers)) <= own
        known |= own

    grouped = {each.strip() for some in re.findall(r"by \(([^)]*)\)", query.expression)
               for each in some.split(",")}  # fmt: skip
    assert grouped <= known
    named = set(re.findall(r"\$labels\.(\w+)|\{\{\s*(\w+)\s*\}\}", query.shown))
    assert {one or other for one, other in named} <= (grouped or known)


@pytest.mark.parametrize("query", [*queries()], ids=lambda query: query.where)
def test_what_every_worker_tells_of_the_same_books_is_counted_once(query: Query) -> None:
    told = {BY_NAME[name].part for name, _ in selected(query.expression) if name in BY_NAME}
    if told == {"worker"} and re.search(r"\b(sum|avg|count)\b", query.expression):
        assert "max by (" in query.expression


@pytest.mark.parametrize("query", [*queries()], ids=lambda query: query.where)
def test_a_counter_is_asked_for_its_rate(query: Query) -> None:
    for name, _ in selected(query.expression):
        asked = re.search(rf"\b(rate|increase)\({name}\b", query.expression)
        assert bool(asked) == name.endswith(("_total", "_bucket"))


def test_each_alert_says_who_wakes_up_what_is_and_what_to_do() -> None:
    names = [rule["alert"] for rule in rules()]

    assert len(names) == len(set(names)) > 8
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"].keys() == {"summary", "todo"}


def test_prometheus_asks_each_part_at_its_port() -> None:
    jobs = {each["job_name"]: each["dns_sd_configs"] for each in scraped()}

    assert jobs == {
        name: [{"names": [name], "type": "A", "port": port}] for name, port in PORTS.items()
    }
    assert sorted(PORTS.values()) == [METRICS_PORT + n for n in range(1, 9)]
    assert jobs.keys() <= loaded("compose.yaml")["services"].keys()
    alerted = set(re.findall(r'job=~?"([^"]*)"', " ".join(rule["expr"] for rule in rules())))
    assert {name for some in alerted for name in some.split("|")} == jobs.keys()


def scraped() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = loaded("prometheus/prometheus.yml")["scrape_configs"]
    return found


def test_the_dashboard_has_its_source_and_no_panel_lies_over_another() -> None:
    [source] = loaded("grafana/datasource.yaml")["datasources"]
    panels = DASHBOARD["panels"]

    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}
    assert {panel["datasource"]["type"] for panel in panels} == {source["type"]}
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_each_file_that_compose_hands_over_is_there() -> None:
    services = loaded("compose.yaml")["services"].values()
    files = [
        volume.split(":")[0]
        for service in services
        for volume in service.get("volumes", ())
        if volume.startswith("./")
    ]

    assert len(files) == 5
    assert [name for name in files if not (DEPLOY / Path(name)).is_file()] == []


def test_compose_asks_each_process_at_its_own_port_whether_it_lives() -> None:
    services = loaded("compose.yaml")["services"]

    ours = {name: each for name, each in services.items() if each["image"] == "wattledger"}
    assert ours.pop("init")["healthcheck"] == {"disable": True}
    asked = {name: each["environment"]["HEALTH_PORT"] for name, each in ours.items()}
    assert asked == {part: str(port) for part, port in PORTS.items()}
    assert len({tuple(each["healthcheck"]["test"]) for each in ours.values()}) == 1


def test_a_container_is_healthy_while_its_process_answers_and_not_when_it_is_gone() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    watch = Watch("worker", now=time.monotonic)
    watch.begin(lambda: Condition([], []))

    with Endpoint(watch, listener):
        port = listener.getsockname()[1]
        assert is_healthy(port)
    assert not is_healthy(port)


def is_healthy(port: int) -> bool:
    program, *words = loaded("compose.yaml")["services"]["worker"]["healthcheck"]["test"][1:]
    assert program == "python"
    environment = os.environ | {"HEALTH_PORT": str(port)}
    done = subprocess.run(
        [sys.executable, *words], check=False, capture_output=True, env=environment
    )
    return done.returncode == 0
