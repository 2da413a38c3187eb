"""`wattledger demo`: a simulated month through the whole product."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number

from deploy.output import say
from deploy.running.opening import opened_with_log


def demo(
    *,
    data: Path | None = None,
    json: Path | None = None,
    stations: Annotated[int, Parameter(validator=Number(gte=9, lte=24))] = 24,
    days: Annotated[int, Parameter(validator=Number(gte=2, lte=30))] = 30,
    log: Literal["postgres", "kafka"] = "postgres",
    keep: Annotated[bool, Parameter(negative="")] = False,
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 8080,
) -> int:
    """Drive a simulated fleet through a month, and check that everything reconciles.

    It is the same system that `wattledger up` starts; its clock is passed in and stands until
    everything is at rest, so the figures are the same on every machine. On the last day stations
    connect over real WebSockets. Exits 1 if anything does not reconcile.

    Args:
        data: Empty folder for the data (default: a new temporary one, which stays).
        json: Also write the figures to this file, for machines.
        stations: How many stations take part.
        days: How many days of history come before the last one.
        log: Where the event log is. `kafka` starts a broker (Java and Maven), or uses the cluster
            that WATTLEDGER_KAFKA_BOOTSTRAP names.
        keep: Serve the console over the month until Ctrl-C, and print a link for each of two people
            who may look around.
        port: Where the console is; taken or 0: a free port, which is printed.
    """
    from deploy.demo.endings.report import print_report
    from deploy.demo.figures import collect_figures, explain_one_line
    from deploy.demo.play import demo_settings, play_month

    settings = demo_settings(data)
    say(f"A fleet of {stations} stations charges for a month; the data goes to {settings.data}")
    with ExitStack() as exits:
        # As Ctrl-C: it ends what it has started, the database among it.
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        exits.callback(signal.signal, signal.SIGTERM, before)
        if log == "kafka":
            from deploy.demo.kafka_log import log_in_kafka

            settings = exits.enter_context(log_in_kafka(settings))
        month = play_month(settings, stations_max=stations, history_days=days)
        with opened_with_log(settings) as (connection, event_log):
            figures = collect_figures(connection, event_log, month)
            explained = explain_one_line(connection, event_log)
        print_report(figures, explained)
        if json is not None:
            _write(json, figures)
        if keep:
            from deploy.demo.endings.kept_console import keep_console

            keep_console(settings, port, lambda lines: say("", *lines))
    return 1 if figures.problems else 0


def _write(file: Path, figures: object) -> None:
    encoded = msgspec.json.Encoder(decimal_format="number").encode(figures)
    file.write_bytes(msgspec.json.format(encoded, indent=2) + b"\n")
