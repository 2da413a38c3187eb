"""`wattledger demo`: a simulated day through the whole product."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number

from deploy.output import say
from deploy.running.opening import opened


def demo(
    *,
    data: Path | None = None,
    json: Path | None = None,
    stations: Annotated[int, Parameter(validator=Number(gte=9, lte=24))] = 24,
    seconds: Annotated[float, Parameter(validator=Number(gte=5, lte=3600))] = 35,
) -> int:
    """Drive a simulated fleet through a day, and check that everything reconciles.

    Stations connect over real WebSockets to the same system that `wattledger up` starts; its clock
    is passed in and runs fast. Exits 1 if anything does not reconcile.

    Args:
        data: Empty folder for the data (default: a new temporary one, which stays).
        json: Also write the figures to this file, for machines.
        stations: How many stations take part.
        seconds: Real time that the day of 26 hours takes.
    """
    # The fleet's libraries take as long to load as everything else: only the demo pays for them.
    from deploy.demo.figures import collect_figures, explain_one_line
    from deploy.demo.play import demo_settings, play_day
    from deploy.demo.report import print_report

    settings = demo_settings(data)
    say(f"A fleet of {stations} stations charges for a day; the data goes to {settings.data}")
    day = play_day(settings, stations_max=stations, seconds=seconds)
    with opened(settings) as connection:
        figures = collect_figures(connection, day)
        explained = explain_one_line(connection)
    print_report(figures, explained)
    if json is not None:
        encoded = msgspec.json.Encoder(decimal_format="number").encode(figures)
        json.write_bytes(msgspec.json.format(encoded, indent=2) + b"\n")
    return 1 if figures.problems else 0
